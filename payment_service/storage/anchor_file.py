"""A file that anchors' lines are added to: on another machine's disk, at best."""

import asyncio
import fcntl
import os
import stat
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from fsm.domain.anchors import LINE_BYTES_MAX
from fsm.domain.errors import SinkUnavailable

Result = TypeVar("Result")

NAME: Final = "file"
SECONDS_MAX: Final = 10.0
"""A disk of another machine may never answer."""
BLOCK: Final = 1 << 16
MODE: Final = 0o640
_HOW: Final = os.O_RDWR | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC
_END: Final = b"\n"


def _ignore(_result: object) -> None:
    """Do nothing with it."""


class FileSink:
    """Implements ``ports.anchors.AnchorSink``."""

    name = NAME

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stuck: threading.Thread | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["OpenFile"]:
        """Open the file, which is made where it is not there, for one at a time."""
        # One that opens after all, when nobody waits any more, is closed again.
        number = await self.do(partial(_opened, self._path), too_late=os.close)
        try:
            yield OpenFile(self, number)
        finally:
            await self._close(number)

    async def _close(self, number: int) -> None:
        if self._stuck is not None and self._stuck.is_alive():
            # It is closed behind whoever hangs at it.
            self._begin(partial(os.close, number), asyncio.Future(), _ignore)
            return
        with suppress(SinkUnavailable):  # what was written is on the disk already
            await self.do(partial(os.close, number))

    async def do(
        self,
        work: Callable[[], Result],
        *,
        too_late: Callable[[Result], None] = _ignore,
    ) -> Result:
        """Have a thread do it, which is left behind where it hangs.

        :raises SinkUnavailable: it failed, or took too long, or an earlier one hangs.
        """
        if self._stuck is not None and self._stuck.is_alive():
            raise SinkUnavailable(NAME, f"{self._path} still does not answer")
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        thread = self._begin(work, done, too_late)
        try:
            async with asyncio.timeout(SECONDS_MAX):
                return await done
        except TimeoutError:
            self._stuck = thread
            told = f"{self._path} has not answered in {SECONDS_MAX:.0f} s"
            raise SinkUnavailable(NAME, told) from None
        except OSError as error:
            because = f"{self._path}: {error.strerror or error}"
            raise SinkUnavailable(NAME, because) from error

    @staticmethod
    def _begin(
        work: Callable[[], Result],
        done: asyncio.Future[Result],
        too_late: Callable[[Result], None],
    ) -> threading.Thread:
        loop = asyncio.get_running_loop()

        def succeed(result: Result) -> None:
            if done.done():
                too_late(result)
            else:
                done.set_result(result)

        def fail(error: OSError) -> None:
            if not done.done():
                done.set_exception(error)

        def run() -> None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                try:
                    result = work()
                except OSError as error:
                    loop.call_soon_threadsafe(fail, error)
                else:
                    loop.call_soon_threadsafe(succeed, result)

        # The process does not wait for it at its end.
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread


class OpenFile:
    """Implements ``ports.anchors.OpenSink``."""

    def __init__(self, sink: FileSink, number: int) -> None:
        self._sink = sink
        self._number = number

    async def back(self) -> AsyncIterator[bytes]:
        """Return the lines from the end; of one that is too long only a part."""
        stat_ = await self._sink.do(partial(os.fstat, self._number))
        place, rest = stat_.st_size, b""
        while place > 0:
            size = min(BLOCK, place)
            place -= size
            block = await self._sink.do(partial(os.pread, self._number, size, place))
            rest, *whole = (block + rest).split(_END)
            for line in filter(None, reversed(whole)):
                yield line
            rest = rest[: LINE_BYTES_MAX + 1]
        if rest:
            yield rest

    async def append(self, line: bytes) -> None:
        """Add a line, and see it on the disk."""
        await self._sink.do(partial(_append, self._number, line))


def _opened(path: Path) -> int:
    try:
        number = os.open(path, _HOW)
    except FileNotFoundError:
        number = os.open(path, _HOW | os.O_CREAT, MODE)
        _sync_folder(path)
    try:
        _claim(number)
    except OSError:
        os.close(number)
        raise
    return number


def _claim(number: int) -> None:
    if not stat.S_ISREG(os.fstat(number).st_mode):
        raise OSError(0, "it is no file")
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OSError(0, "another process is writing to it") from None


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _append(number: int, line: bytes) -> None:
    """Write a line behind the end of what a crash has left as a piece.

    :raises OSError: it is not there, or not for good; a piece of it is taken back.
    """
    size = os.fstat(number).st_size
    is_torn = size > 0 and os.pread(number, 1, size - 1) != _END
    rest = (_END if is_torn else b"") + line + _END
    try:
        while rest:
            rest = rest[os.write(number, rest) :]
        os.fsync(number)
    except OSError:
        with suppress(OSError):  # one that can only be added to keeps the piece
            os.ftruncate(number, size)
        raise
