"""One HTTP/1.1 connection: a request goes out, a whole answer comes back, or not.

The parser is httptools'. What a general client hides is kept visible here: whether a
byte of a request can have left, on which all that is done after a failure depends.
"""

import asyncio
import select
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, cast

import httptools

from fsm.engine.records import quickly_made

BODY_BYTES_MAX: Final = 256 * 1024
HEAD_BYTES_MAX: Final = 64 * 1024
INFORMATIONAL: Final = 200

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
"""The methods that calls out may have."""


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A whole answer; header names are lower case."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


class HttpConnection(asyncio.Protocol):
    """Carries one request at a time; its result is an answer or why there is none."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._poll: select.poll | None = None
        self._waiting: asyncio.Future[Answered | str] | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._status: int | None = None
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._head_bytes = 0
        self._body_max = BODY_BYTES_MAX
        self._keeps_alive = False
        self.idle_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        # uvloop's transports are none by inheritance.
        self._transport = cast("asyncio.Transport", transport)
        opened = transport.get_extra_info("socket")
        if opened is not None:
            self._poll = select.poll()
            self._poll.register(opened.fileno(), select.POLLIN | select.POLLRDHUP)

    def is_fresh(self) -> bool:
        """Tell whether a request may be sent: nothing has come in, nobody hung up."""
        if self._transport is None or self._transport.is_closing():
            return False
        return self._poll is None or not self._poll.poll(0)

    def send(
        self, request: bytes, seconds: float, *, body_max: int = BODY_BYTES_MAX
    ) -> asyncio.Future[Answered | str]:
        """Send it; from now on it may have left, whatever the result says."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[Answered | str] = loop.create_future()
        self._reset()
        self._waiting = waiting
        self._body_max = body_max
        self._limit = loop.call_later(seconds, self._end, "no answer in time")
        if self._transport is not None:
            self._transport.write(request)
        return waiting

    def close(self) -> None:
        """Leave the connection; what was waited for is lost."""
        self._end("the connection was left")

    @property
    def is_reusable(self) -> bool:
        """True where the last answer leaves the connection fit for another."""
        return (
            self._keeps_alive
            and self._transport is not None
            and not self._transport.is_closing()
        )

    def data_received(self, data: bytes) -> None:
        """Parse what came; anything unasked for ends the connection."""
        if self._waiting is None or self._waiting.done():
            self._drop()
            return
        if self._status is None:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._end("no whole answer (an upgrade)")
        except httptools.HttpParserError as error:
            self._end(f"no whole answer ({type(error).__name__})")
        if self._status is None and self._head_bytes > HEAD_BYTES_MAX:
            self._end("an answer whose headers never end")

    def connection_lost(self, exc: Exception | None) -> None:
        """An answer without a length ends here; any other is not whole."""
        if exc is None and self._status is not None and self._ends_with_connection():
            self._finish()
        else:
            why = type(exc).__name__ if exc else "the connection was closed"
            self._end(f"no whole answer ({why})")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; of one that comes twice both values."""
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        known = self._headers.get(key)
        self._headers[key] = text if known is None else f"{known}, {text}"

    def on_headers_complete(self) -> None:
        """Refuse what says that it is too long before it comes."""
        status = self._parser.get_status_code()
        if status < INFORMATIONAL:
            return
        self._status = status
        length = self._headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._body_max:
            self._end(self._too_long)

    def on_body(self, body: bytes) -> None:
        """Gather the body up to its limit."""
        self._body += body
        if len(self._body) > self._body_max:
            self._end(self._too_long)

    def on_message_complete(self) -> None:
        """Hand the answer over; what only announces one is forgotten."""
        if self._status is None:
            self._headers = {}
            return
        self._keeps_alive = self._parser.should_keep_alive()
        self._finish()

    @property
    def _too_long(self) -> str:
        return f"an answer over {self._body_max // 1024} KiB"

    def _reset(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._status = None
        self._headers = {}
        self._body = bytearray()
        self._head_bytes = 0
        self._keeps_alive = False

    def _ends_with_connection(self) -> bool:
        return not {"content-length", "transfer-encoding"} & self._headers.keys()

    def _finish(self) -> None:
        self._settle(
            Answered(
                status=self._status or 0,
                body=bytes(self._body),
                headers=self._headers,
            )
        )

    def _end(self, because: str) -> None:
        self._keeps_alive = False
        self._settle(because)
        self._drop()

    def _settle(self, heard: Answered | str) -> None:
        """Tell who waits, if anybody still does; no time is measured any more."""
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(heard)

    def _drop(self) -> None:
        self._keeps_alive = False
        if self._transport is not None:
            self._transport.abort()
