"""What a caller may ask of this process before it is known who it is: very little.

A head, a body and a reader of an answer each have a limit of bytes or of time, and a
port one of connections. Where all places are taken, whoever has kept us waiting for
longest makes room: a crowd that says nothing shuts out neither probes nor senders.
uvicorn by itself keeps whatever is sent, for as long as it is sent.
"""

import asyncio
import resource
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, ClassVar, Final

import httptools
from uvicorn.protocols.http.httptools_impl import (
    HttpToolsProtocol,
    RequestResponseCycle,
)

DESCRIPTORS_KEPT: Final = 128
"""For the work: its connections to PostgreSQL, NATS, core and providers."""

LOOK_SECONDS: Final = 1.0
_TOO_MANY: Final = "connections"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadLimits:
    """The limits of one port; all that a caller sends together has ``request_bytes``.

    ``idle_seconds`` is longer than uvicorn keeps an idle connection, and ends one that
    does not read what it was answered.
    """

    connections: int
    head_bytes: int = 32 * 1024
    headers: int = 100
    request_bytes: int = 2 * 1024 * 1024
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    answer_seconds: float = 120.0
    idle_seconds: float = 15.0

    @property
    def backlog(self) -> int:
        """How many may be accepted before the first of them can be hung up on."""
        return max(16, min(self.connections // 2, 2048))


def api_limits() -> HeadLimits:
    """Return the limits of the API: of its descriptors most may be callers."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = 100_000 if soft == resource.RLIM_INFINITY else soft - DESCRIPTORS_KEPT
    return HeadLimits(connections=max(16, min(4096, free // 2)))


def probe_limits() -> HeadLimits:
    """Return the limits of a port where only probes and Prometheus ask."""
    return HeadLimits(connections=16, head_seconds=5.0, body_seconds=5.0)


def limited(
    limits: HeadLimits, on_refused: Callable[[str], None]
) -> type[HttpToolsProtocol]:
    """Return uvicorn's protocol within limits; ``on_refused`` hears of which.

    It is told one of ``connections``, ``head``, ``request``, ``time``, ``syntax``.
    """

    class Limited(_Limited):
        PORT = _Port(limits, on_refused)

    return Limited


@dataclass(frozen=True, slots=True)
class _Port:
    """One port; ``waiting`` for a whole request of these, for longest of the first."""

    limits: HeadLimits
    on_refused: Callable[[str], None]
    waiting: dict["_Limited", None] = field(default_factory=dict)

    def make_room(self) -> bool:
        """Hang up on who has kept us waiting for longest; False where nobody does."""
        for slow in self.waiting:
            slow.leave()
            return True
        return False


class _TooLarge(Exception):
    """The head is larger than any caller needs."""


class _Limited(HttpToolsProtocol):
    PORT: ClassVar[_Port]

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(*arguments, **named)
        self._due = 0.0
        self._is_head = True
        self._fed = self._head_bytes = 0
        self._is_refused = False
        self._looking: asyncio.TimerHandle | None = None

    def connection_made(  # type: ignore[override]  # uvicorn's own narrowing
        self, transport: asyncio.Transport
    ) -> None:
        """Begin to wait for a head, if there is a place."""
        super().connection_made(transport)
        is_full = len(self.connections) > self.PORT.limits.connections
        if is_full and not self.PORT.make_room():
            self.leave()
            return
        self.PORT.waiting[self] = None
        self._allow(self.PORT.limits.head_seconds)
        self._look()

    def leave(self) -> None:
        """Make room for somebody else."""
        self._is_refused = True
        self.PORT.waiting.pop(self, None)
        self.PORT.on_refused(_TOO_MANY)
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop looking at the clock."""
        self.PORT.waiting.pop(self, None)
        if self._looking is not None:
            self._looking.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse it, while there is not too much of it."""
        if self._is_refused:
            return
        self._unset_keepalive_if_required()
        if self._is_between:
            self._allow(min(self.PORT.limits.head_seconds, self._left))
        self._fed += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Nothing here upgrades; the request was handed on as any other.
            return
        except httptools.HttpParserError as error:
            too_large = isinstance(error.__context__, _TooLarge)
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE if too_large else None
            self._refuse("head" if too_large else "syntax", status)
            return
        if self._is_head and self._fed > self.PORT.limits.head_bytes:
            self._refuse("head", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif self._fed > self.PORT.limits.request_bytes:
            self._refuse("request", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    def on_message_begin(self) -> None:
        """Begin to count anew."""
        super().on_message_begin()
        self._is_head = True
        self._fed = self._head_bytes = 0
        self._allow(self.PORT.limits.head_seconds)

    def on_url(self, url: bytes) -> None:
        """Count what the address is long."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count it; a trailer counts likewise."""
        self._count(len(name) + len(value))
        if len(self.headers) >= self.PORT.limits.headers:
            raise _TooLarge
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to wait for the body."""
        self._is_head = False
        self._allow(self.PORT.limits.body_seconds)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Begin to wait for our own answer, and for its reader."""
        self._allow(self.PORT.limits.answer_seconds)
        if not self._is_between:
            self.PORT.waiting.pop(self, None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self._allow(self.PORT.limits.idle_seconds)
        super().on_response_complete()
        if self._is_between and not self.transport.is_closing():
            # Not where an answer to the next is under way already.
            self.PORT.waiting.pop(self, None)
            self.PORT.waiting[self] = None

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: whoever asks for it could fill the log."""

    @property
    def _is_between(self) -> bool:
        """Whether no answer is under way."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    @property
    def _left(self) -> float:
        return max(0.0, self._due - self.loop.time())

    def _allow(self, seconds: float) -> None:
        self._due = self.loop.time() + seconds

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self.PORT.limits.head_bytes:
            raise _TooLarge

    def _look(self) -> None:
        if self._left == 0.0:
            self._refuse("time", HTTPStatus.REQUEST_TIMEOUT)
            # Also where the answer is not read.
            self.transport.abort()
            return
        wait = max(self._left, LOOK_SECONDS)
        self._looking = self.loop.call_later(wait, self._look)

    def _refuse(self, why: str, status: HTTPStatus | None = None) -> None:
        """Hang up, with an answer where none has begun."""
        self._is_refused = True
        self.PORT.on_refused(why)
        if self._is_between:
            said = status or HTTPStatus.BAD_REQUEST
            line = f"HTTP/1.1 {said.value} {said.phrase}\r\n"
            self.transport.write(
                f"{line}Connection: close\r\nContent-Length: 0\r\n\r\n".encode()
            )
        self.transport.close()
