"""The socket below nats-py's client, which ends also where the peer has gone silent."""

import asyncio
from typing import Final
from urllib.parse import ParseResult

from nats.aio.transport import TcpTransport
from nats.errors import Error as NatsError

CLOSE_SECONDS_MAX: Final = 2.0

REFUSAL: Final = b"-ERR"
QUOTE: Final = "'"


class Transport(TcpTransport):
    """Is aborted where a peer that has gone silent keeps it from closing."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __bool__(self) -> bool:
        # An unused one counts too, or the client would put its own in its place.
        return True

    async def connect(
        self, uri: ParseResult, buffer_size: int, connect_timeout: int
    ) -> None:
        # An attempt that came to nothing would leave its socket open.
        if self._io_writer is not None:
            self._io_writer.transport.abort()
        await super().connect(uri, buffer_size, connect_timeout)

    async def readline(self) -> bytes:
        """Return a line of the beginning; a refusal that follows it is not lost.

        The client would write its answer first, fail at that and not see why.
        """
        line: bytes = await super().readline()  # type: ignore[no-untyped-call]
        rest: bytes = bytes(getattr(self._io_reader, "_buffer", b""))
        for said in (line, rest):
            if said.startswith(REFUSAL):
                text = said[len(REFUSAL) :].decode(errors="replace")
                raise NatsError(f"nats: {text.strip().strip(QUOTE)}")
        return line

    async def wait_closed(self) -> None:
        if self._io_writer is None:
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS_MAX):
                await self._io_writer.wait_closed()
        except TimeoutError:
            self._io_writer.transport.abort()
