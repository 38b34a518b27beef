"""Constant answers from Python, for a machine without nginx."""

import asyncio
import sys
from typing import Final, cast

import uvloop

from ops.bench.mocks import ANSWERS, HOST

END_OF_HEADERS: Final = b"\r\n\r\n"
LENGTH: Final = b"content-length:"
NOT_FOUND: Final = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
WHOLE: Final = {
    answer.path.encode(): (
        f"HTTP/1.1 {answer.status} X\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(answer.body)}\r\n\r\n{answer.body}"
    ).encode()
    for answer in ANSWERS
}


class Answering(asyncio.Protocol):
    """Reads as much of each request as is needed to see its end."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        # Those of uvloop are no subclass.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._received += data
        while (size := size_of(self._received)) is not None:
            request, self._received = self._received[:size], self._received[size:]
            if self._transport is not None:
                self._transport.write(answer_to(request))


def size_of(received: bytes) -> int | None:
    """Return how long the first request is, or None while it is not whole."""
    end = received.find(END_OF_HEADERS)
    if end < 0:
        return None
    head = received[:end].lower()
    at = head.find(LENGTH)
    length = int(head[at + len(LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
    size = end + len(END_OF_HEADERS) + length
    return size if len(received) >= size else None


def answer_to(request: bytes) -> bytes:
    """Return the whole answer to a whole request."""
    path = request.split(b" ", 2)[1]
    first = path[: path.find(b"/", 1) + 1]
    return WHOLE.get(first, NOT_FOUND)


async def serve(port: int) -> None:
    """Answer until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, HOST, port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
