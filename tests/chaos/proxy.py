"""A TCP proxy with toxics: what a network does to those who trust it."""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self

HOST: Final = "127.0.0.1"
CHUNK_BYTES: Final = 64 * 1024
BACKLOG: Final = 1024
# On close with this, the kernel sends a reset instead of a polite end.
_LINGER_RESET: Final = struct.pack("ii", 1, 0)

Address = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Toxic:
    """What is wrong with the way; nothing, as it stands.

    ``reset``: whoever connects is thrown out at once. ``silent_up`` and
    ``silent_down`` swallow what goes to and comes from the other side; a link that
    has lost a byte is dead for ever, and nobody is told. ``cut_after`` bytes a link
    is reset, ``slice_bytes`` is the most that arrives in one piece.
    """

    reset: bool = False
    latency_seconds: float = 0.0
    silent_up: bool = False
    silent_down: bool = False
    slice_bytes: int = CHUNK_BYTES
    cut_after: int | None = None


CLEAN: Final = Toxic()
SILENT: Final = Toxic(silent_up=True, silent_down=True)


@dataclass(slots=True, eq=False)
class _Link:
    """One connection through the proxy, both of its ends."""

    client: asyncio.StreamWriter
    upstream: asyncio.StreamWriter | None = None
    deaf: bool = False
    passed_bytes: int = 0

    def reset(self) -> None:
        for writer in (self.client, self.upstream):
            if writer is not None:
                _reset(writer)


class Proxy:
    """Listens on a port of its own that never changes; ``met`` counts what it did.

    With several ``upstreams`` it is a load balancer: the next that takes a
    connection gets it.
    """

    def __init__(self, *upstreams: Address) -> None:
        self.upstreams: list[Address] = list(upstreams)
        self.met: Counter[str] = Counter()
        self.port = 0
        self._toxic = CLEAN
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = 0

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    async def start(self) -> Self:
        """Listen; again after :meth:`refuse`."""
        if self._server is None:
            self._server = await asyncio.start_server(
                self._accept, HOST, self.port, backlog=BACKLOG
            )
            self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def close(self) -> None:
        """Stop listening and end every link."""
        self._stop_listening()
        self.reset_all()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def poison(self, toxic: Toxic) -> None:
        """Do this to every link from now on, old ones included."""
        self._toxic = toxic

    def refuse(self) -> None:
        """Be down: nobody listens any more and every link is reset."""
        self._stop_listening()
        self.met["cut"] += len(self._links)
        self.reset_all()

    async def heal(self) -> None:
        """Be a good network again; links that went silent stay so, half open."""
        self._toxic = CLEAN
        for link in list(self._links):
            if link.deaf and link.upstream is not None:
                _reset(link.upstream)
        await self.start()

    def reset_all(self) -> None:
        """Reset every link."""
        for link in list(self._links):
            link.reset()

    def forget(self) -> None:
        """Have every link go silent, as a router does that knows it no more."""
        for link in self._links:
            link.deaf = True

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        link = _Link(client=writer)
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._links.add(link)
        try:
            await self._serve(link, reader)
        except (OSError, asyncio.CancelledError):
            link.reset()
        finally:
            self._links.discard(link)
            link.reset()

    async def _serve(self, link: _Link, reader: asyncio.StreamReader) -> None:
        if self._toxic.reset:
            self.met["reset"] += 1
            return
        if self._toxic.silent_up:
            await self._swallow(link, reader)
            return
        found = await self._connect()
        if found is None:
            return
        back, link.upstream = found
        ways = (
            asyncio.create_task(self._pump(link, reader, link.upstream, up=True)),
            asyncio.create_task(self._pump(link, back, link.client, up=False)),
        )
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _swallow(self, link: _Link, reader: asyncio.StreamReader) -> None:
        """Accept and say nothing, for as long as the client believes in it."""
        link.deaf = True
        self.met["swallowed"] += 1
        while await reader.read(CHUNK_BYTES):
            self.met["swallowed"] += 1

    async def _connect(
        self,
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for _ in self.upstreams:
            self._turn += 1
            host, port = self.upstreams[self._turn % len(self.upstreams)]
            with suppress(OSError):
                return await asyncio.open_connection(host, port)
        return None

    async def _pump(
        self,
        link: _Link,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        up: bool,
    ) -> None:
        """Pass on until either end closes; a dead link only swallows."""
        with suppress(OSError):
            while piece := await reader.read(CHUNK_BYTES):
                if self._is_lost(link, up=up):
                    self.met["swallowed"] += 1
                    continue
                if not await self._pass(link, writer, piece):
                    return
        if link.deaf:
            # Half open: the other end is never told.
            await asyncio.Event().wait()

    def _is_lost(self, link: _Link, *, up: bool) -> bool:
        toxic = self._toxic
        link.deaf |= toxic.silent_up if up else toxic.silent_down
        return link.deaf

    async def _pass(
        self, link: _Link, writer: asyncio.StreamWriter, piece: bytes
    ) -> bool:
        toxic = self._toxic
        if toxic.latency_seconds:
            self.met["delayed"] += 1
            await asyncio.sleep(toxic.latency_seconds)
        for part in _sliced(piece, toxic.slice_bytes):
            link.passed_bytes += len(part)
            if toxic.cut_after is not None and link.passed_bytes > toxic.cut_after:
                self.met["cut"] += 1
                link.reset()
                return False
            writer.write(part)
            await writer.drain()
        return True


def _sliced(piece: bytes, size: int) -> Sequence[bytes]:
    if len(piece) <= size:
        return (piece,)
    return [piece[at : at + size] for at in range(0, len(piece), size)]


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.transport.get_extra_info("socket")
    if sock is not None:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
    writer.transport.abort()
