"""Reads NATS's protocol by its own rules, whatever bytes a sender has put into it.

The client's parser takes every white space of a regular expression for the end of a
subject, where the server takes four; what a sender can do with that ends the reading,
and does so again at each delivery.
"""

import re
from typing import Final

import orjson
from nats.aio.client import Client
from nats.errors import ProtocolError
from nats.protocol.parser import Parser

LINE_BYTES_MAX: Final = 64 * 1024
"""More than any server sends before the end of a line, but for its INFO."""

INFO_BYTES_MAX: Final = 1024 * 1024

_END: Final = b"\r\n"
_GAP: Final = re.compile(rb"[ \t]+")


class FrameReader(Parser):
    """Takes the place of the client's own; gives it what each whole frame says.

    :raises ProtocolError: the server says what no server says; the connection ends.
    """

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self.nc: Client = client
        self._message: tuple[int, bytes, bytes, int, int] | None = None

    def reset(self) -> None:
        """Begin with an empty buffer, on a new connection."""
        super().reset()
        self._message = None

    async def parse(self, data: bytes = b"") -> None:
        """Take what has come, and hand on every frame that is whole."""
        self.buf.extend(data)
        while self.buf:
            if self._message is None:
                line = self._line()
                if line is None:
                    return
                await self._control(line)
            elif not await self._payload(*self._message):
                return

    def _line(self) -> bytes | None:
        end = self.buf.find(_END)
        if end < 0:
            most = INFO_BYTES_MAX if self.buf.startswith(b"INFO") else LINE_BYTES_MAX
            if len(self.buf) > most:
                raise ProtocolError("nats: a line that never ends")
            return None
        line = bytes(self.buf[:end])
        del self.buf[: end + len(_END)]
        return line

    async def _control(self, line: bytes) -> None:
        word, _, rest = line.partition(b" ")
        match word.upper():
            case b"MSG":
                self._message = _announced(rest, sizes=1)
            case b"HMSG":
                self._message = _announced(rest, sizes=2)
            case b"PING":
                await self.nc._process_ping()  # noqa: SLF001 - as its own parser does
            case b"PONG":
                await self.nc._process_pong()  # noqa: SLF001 - as its own parser does
            case b"-ERR":
                said = rest.strip().decode(errors="replace").lower()
                await self.nc._process_err(said)  # noqa: SLF001 - as its own parser does
            case b"INFO":
                await self.nc._process_info(_info(rest))  # noqa: SLF001 - likewise
            case b"+OK":
                pass
            case _:
                raise ProtocolError("nats: unknown protocol")

    async def _payload(
        self, sid: int, subject: bytes, reply: bytes, head: int, size: int
    ) -> bool:
        """Hand on the message, unless it is still under way."""
        if len(self.buf) < size + len(_END):
            return False
        headers = bytes(self.buf[:head]) if head else None
        body = bytes(self.buf[head:size])
        del self.buf[: size + len(_END)]
        self._message = None
        await self.nc._process_msg(sid, subject, reply, body, headers)  # type: ignore[arg-type]  # noqa: SLF001 - it is given None by its own parser too
        return True


def _announced(rest: bytes, *, sizes: int) -> tuple[int, bytes, bytes, int, int]:
    """Return sid, subject, reply, and the sizes of the headers and of all."""
    words = _GAP.split(rest.strip(b" \t"))
    try:
        subject, sid, *reply = words[:-sizes]
        head, size = map(int, [b"0", *words[-sizes:]][-2:])
        found = int(sid), subject, reply[0] if reply else b"", head, size
    except ValueError:
        raise ProtocolError("nats: malformed MSG") from None
    if len(reply) > 1 or not 0 <= head <= size:
        raise ProtocolError("nats: malformed MSG")
    return found


def _info(rest: bytes) -> dict[str, object]:
    try:
        found = orjson.loads(rest)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise ProtocolError("nats: malformed INFO")
    return found
