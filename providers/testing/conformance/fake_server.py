"""Plays a provider's server on a real socket, and misbehaves exactly as it is told."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self

import httptools

from providers.testing.conformance.vocabulary import ReceivedRequest, Reply

READ_BYTES: Final = 64 * 1024
DRIP_SECONDS: Final = 0.02
REQUESTS_MAX: Final = 100
# On close with this, the kernel sends a reset instead of a polite end.
_LINGER_RESET: Final = struct.pack("ii", 1, 0)


class Counterpart:
    """Listens on a free port of this machine; each request meets the ``manner``."""

    def __init__(self) -> None:
        self.heard: list[ReceivedRequest] = []
        self.touched = False
        self.manner: Manner = silence
        self.step: Step | None = None
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Return where it listens."""
        sockets = self._server.sockets if self._server else ()
        return f"http://127.0.0.1:{sockets[0].getsockname()[1]}" if sockets else ""

    def receive_by(self, manner: "Manner") -> None:
        """Meet what comes from now on like this; forget what came before."""
        self.manner = manner
        self.touched = False
        self.heard = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.create_task(self._play(FakeConnection(self, reader, writer)))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _play(self, line: "FakeConnection") -> None:
        try:
            for _ in range(REQUESTS_MAX):
                # A kept connection meets the manner of the day its request comes.
                await line.begin()
                if self.step is not None and await line.stepped(self.step):
                    continue
                self.touched = True
                await self.manner(line)
                if line.closed:
                    return
        except (ConnectionError, EOFError, RuntimeError):
            # The other side has left; uvloop calls that a RuntimeError.
            return
        finally:
            line.close()


class FakeConnection:
    """One connection, as the manner of the counterpart uses it."""

    def __init__(
        self,
        counterpart: Counterpart,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._counterpart = counterpart
        self._reader = reader
        self._writer = writer
        self._begun = b""
        self.closed = False

    async def begin(self) -> None:
        """Wait until something of a request has come."""
        self._begun = await self._read()

    async def hear(self) -> ReceivedRequest:
        """Read a whole request, and keep it."""
        heard, _ = await self._whole()
        self._counterpart.heard.append(heard)
        return heard

    async def stepped(self, step: "Step") -> bool:
        """Answer a call that only comes before; leave any other as if unread."""
        request, read = await self._whole()
        answer = step(request)
        if answer is None:
            self._begun = read
            return False
        await self.send(head_of(answer) + answer.body)
        return True

    async def _whole(self) -> tuple[ReceivedRequest, bytes]:
        """Return a request, and the bytes that it came in."""
        parsed, read = _Request(), b""
        parser = httptools.HttpRequestParser(parsed)
        while not parsed.whole:
            data = self._begun or await self._read()
            self._begun = b""
            read += data
            parser.feed_data(data)
        heard = ReceivedRequest(
            method=parser.get_method().decode("ascii"),
            target=parsed.target.decode("latin-1"),
            headers=parsed.headers,
            body=bytes(parsed.body),
        )
        return heard, read

    async def _read(self) -> bytes:
        data = await self._reader.read(READ_BYTES)
        if not data:
            raise EOFError
        return data

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._writer.write(data)
        await self._writer.drain()

    async def wait_for_end(self) -> None:
        """Wait until the other side leaves."""
        while await self._reader.read(READ_BYTES):
            pass
        self.close()

    def close(self) -> None:
        """Hang up politely."""
        self.closed = True
        self._writer.close()

    def reset(self) -> None:
        """Break the connection."""
        self.closed = True
        opened: socket.socket = self._writer.get_extra_info("socket")
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
        self._writer.transport.abort()


Manner = Callable[[FakeConnection], Awaitable[None]]
"""What becomes of one request."""

Step = Callable[[ReceivedRequest], Reply | None]
"""Answers a call that comes before the one that is played; None for any other."""


class _Request:
    """Gathers what the parser finds."""

    def __init__(self) -> None:
        self.target = b""
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.whole = False

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.whole = True


def saying(reply: Reply) -> Manner:
    """Answer every request with this."""

    async def manner(line: FakeConnection) -> None:
        await line.hear()
        await line.send(head_of(reply) + reply.body)

    return manner


def taking_turns(*manners: Manner) -> Manner:
    """Meet the first request with the first, and those after the last with the last."""
    left = list(manners)

    async def manner(line: FakeConnection) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(line)

    return manner


async def silence(line: FakeConnection) -> None:
    """Read the request, and say nothing."""
    await line.hear()
    await line.wait_for_end()


async def reset_in_request(line: FakeConnection) -> None:
    """Break the connection once something of the request has come, and unread."""
    line.reset()


async def reset_after_request(line: FakeConnection) -> None:
    """Read the request, do whatever it asks, and break the connection."""
    await line.hear()
    line.reset()


async def hang_up(line: FakeConnection) -> None:
    """Read the request, and close politely without a word."""
    await line.hear()
    line.close()


def dripping(reply: Reply) -> Manner:
    """Answer so slowly that no time limit is long enough."""

    async def manner(line: FakeConnection) -> None:
        await line.hear()
        padded = Reply(
            status=reply.status, body=b" " * 100_000 + reply.body, headers=reply.headers
        )
        await line.send(head_of(padded))
        for sign in padded.body:
            await line.send(bytes([sign]))
            await asyncio.sleep(DRIP_SECONDS)

    return manner


def breaking_off(reply: Reply) -> Manner:
    """Say less than was announced, and hang up."""

    async def manner(line: FakeConnection) -> None:
        await line.hear()
        longer = Reply(
            status=reply.status, body=reply.body + b" " * 64, headers=reply.headers
        )
        await line.send(head_of(longer) + reply.body)
        line.close()

    return manner


def head_of(reply: Reply) -> bytes:
    """Return the head of an answer, with the length of its body."""
    try:
        phrase = HTTPStatus(reply.status).phrase
    except ValueError:
        phrase = "Unlisted"
    lines = [f"HTTP/1.1 {reply.status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    lines.append(f"Content-Length: {len(reply.body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
