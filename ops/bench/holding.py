"""A provider or a service that takes its time, however many it is asked at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, cast

from ops.bench.mock_server import size_of
from ops.bench.mocks import HOST

BODY: Final = b'{"status":"succeeded","provider_reference":"r-1"}'
ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
)


class Holding:
    """Answers every request so many seconds late and counts those it holds."""

    def __init__(self, seconds: float, body: bytes = BODY) -> None:
        self._seconds = seconds
        self._whole = ANSWER % (len(body), body)
        self._held = 0
        self.most = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Give the address; it is served until the block is left."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: _Connection(self), HOST, 0, backlog=4096
        )
        try:
            port = server.sockets[0].getsockname()[1]
            yield f"http://{HOST}:{port}"
        finally:
            server.close()

    def hold(self, transport: asyncio.Transport) -> None:
        """Answer later."""
        self._held += 1
        self.most = max(self.most, self._held)
        asyncio.get_running_loop().call_later(self._seconds, self._answer, transport)

    def _answer(self, transport: asyncio.Transport) -> None:
        self._held -= 1
        if not transport.is_closing():
            transport.write(self._whole)


class _Connection(asyncio.Protocol):
    def __init__(self, holding: Holding) -> None:
        self._holding = holding
        self._transport: asyncio.Transport | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Those of uvloop are no subclass.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        size = size_of(self._received)
        if size is not None and self._transport is not None:
            self._received = self._received[size:]
            self._holding.hold(self._transport)
