"""Runs a module in processes that are forked, which spares each its imports.

The start of an interpreter with all that the command line imports takes ten times as
long as most commands do. A fork has what tests look at in a process: files, a folder,
an environment, signals, a death and an exit code of its own. What is imported when, and
what happens at a start, is for a process that is started.
"""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Final, cast

from tests.fork_server import MESSAGE_BYTES_MAX, WORD

ROOT: Final = Path(__file__).parents[1]
SERVER: Final = "tests.fork_server"
AT_THE_START: Final = ("PYTHON", "LC_", "LANG", "LD_")
"""What these settings say is heard when an interpreter starts, and never again."""
PACKAGES: Final = ("fsm", "handlers", "providers", "payment_service")


class Forked:
    """A process that was forked, with what tests use of a ``Popen``."""

    def __init__(self, argv: Sequence[str], pid: int, told: int) -> None:
        self.args, self.pid = [*argv], pid
        self.returncode: int | None = None
        self._told = told
        self._reading = threading.Lock()
        weakref.finalize(self, os.close, self._told)

    def poll(self) -> int | None:
        """Return the exit code, as ``Popen`` does; None while it runs."""
        with self._reading:
            if self.returncode is None and self._is_told(0):
                data = os.read(self._told, WORD.size)
                # Its server was killed, and so it was as well.
                told = WORD.unpack(data)[0] if data else -signal.SIGKILL
                self.returncode = told
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code.

        :raises subprocess.TimeoutExpired: it has not ended by then.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            left = None if until is None else max(0.0, until - time.monotonic())
            if not self._is_told(left):
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it is still there."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)

    def _is_told(self, seconds: float | None) -> bool:
        poll = select.poll()
        poll.register(self._told, select.POLLIN)
        return bool(poll.poll(None if seconds is None else seconds * 1000))


class Piped(Forked):
    """One whose output is read here, as that of a ``Popen`` with pipes of text."""

    def __init__(
        self, argv: Sequence[str], pid: int, told: int, out: IO[str], err: IO[str]
    ) -> None:
        super().__init__(argv, pid, told)
        self.stdout, self.stderr = out, err

    def communicate(
        self, _: None = None, timeout: float | None = None
    ) -> tuple[str, str]:
        """Return what is left of its output and its errors, once it has ended.

        :raises subprocess.TimeoutExpired: it took longer, and was killed.
        """
        with ThreadPoolExecutor(2) as readers, self.stdout, self.stderr:
            out = readers.submit(self.stdout.read)
            err = readers.submit(self.stderr.read)
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
            return out.result(), err.result()


class ForkServer:
    """A process that has imported what ``module`` needs, and is forked to run it.

    ``env`` is what an interpreter hears of when it starts, where it is not our own.
    """

    def __init__(
        self, module: str, *imported: str, env: Mapping[str, str] | None = None
    ) -> None:
        folder = Path(tempfile.mkdtemp(prefix="forks-"))
        self._path = str(folder / "socket")
        self._module = module
        own = {**os.environ, **(env or {})}
        self._env = heard_at_the_start(own)
        self._process = subprocess.Popen(
            [sys.executable, "-m", SERVER, self._path, *imported],
            cwd=ROOT,
            env={**own, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        atexit.register(self._close)
        assert cast("IO[bytes]", self._process.stdout).readline() == b"\n"

    def serves(self, env: Mapping[str, str]) -> bool:
        """Tell whether a fork would be as a process that starts with this."""
        return heard_at_the_start(env) == self._env

    def start(
        self,
        argv: Sequence[str],
        *files: int,
        cwd: Path,
        env: Mapping[str, str],
        module: str | None = None,
    ) -> Forked:
        """Run the module, or another; ``files`` are its three standard ones."""
        return Forked(argv, *self._ask(argv, files, cwd, env, module))

    def piped(self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> Piped:
        """Run the module without any input; what it says is read here."""
        (out, its_out), (err, its_err) = os.pipe(), os.pipe()
        with (
            Path(os.devnull).open("rb") as nothing,
            os.fdopen(its_out, "wb"),
            os.fdopen(its_err, "wb"),
        ):
            files = (nothing.fileno(), its_out, its_err)
            pid, told = self._ask(argv, files, cwd, env)
        return Piped(argv, pid, told, os.fdopen(out), os.fdopen(err))

    def _ask(
        self,
        argv: Sequence[str],
        files: Sequence[int],
        cwd: Path,
        env: Mapping[str, str],
        module: str | None = None,
    ) -> tuple[int, int]:
        """Return the process's number, and where its end will be told."""
        wanted = {"module": module or self._module, "argv": [*argv]}
        said = json.dumps({**wanted, "cwd": str(cwd), "env": {**env}}).encode()
        assert len(said) < MESSAGE_BYTES_MAX
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(self._path)
            socket.send_fds(asking, [said], files)
            return _word(asking), asking.detach()

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        timeout: float,
        stdout: int | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the module to its end, without any input; it may write elsewhere.

        :raises subprocess.TimeoutExpired: it took longer, and was killed.
        """
        with _files() as (nothing, out, err):
            its_out = out.fileno() if stdout is None else stdout
            files = (nothing.fileno(), its_out, err.fileno())
            process = self.start(argv, *files, cwd=cwd, env=env)
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess([*argv], code, out.read(), err.read())

    def _close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            cast("IO[bytes]", pipe).close()
        self._process.wait()


@cache
def forks() -> ForkServer:
    """Return what forks commands from one process that has imported them all."""
    return ForkServer("payment_service", *PACKAGES)


@contextmanager
def _files() -> Iterator[tuple[IO[bytes], IO[bytes], IO[bytes]]]:
    with (
        Path(os.devnull).open("rb") as nothing,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        yield nothing, out, err


def _word(asking: socket.socket) -> int:
    told = asking.recv(WORD.size, socket.MSG_WAITALL)
    assert len(told) == WORD.size, "the process was never there"
    (word,) = WORD.unpack(told)
    return cast("int", word)


def heard_at_the_start(env: Mapping[str, str]) -> dict[str, str]:
    """Return what an interpreter would hear of in this environment."""
    here = ("PYTHONPATH", str(ROOT))
    own = dict(setting for setting in env.items() if setting != here)
    return {n: v for n, v in own.items() if n.startswith(AT_THE_START)}
