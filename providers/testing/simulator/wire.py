"""The HTTP that the simulated core and the simulated providers have in common."""

import asyncio
import signal
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Self, TypeAlias, TypeVar

import orjson
from aiohttp import web

BODY_BYTES_MAX: Final = 256 * 1024
AMOUNT_MAX: Final = 2**53 - 1
TEXT_LENGTH_MAX: Final = 4096
BAD_REQUEST: Final = "bad_request"
PAGE_SIZE_DEFAULT: Final = 500
PAGE_SIZE_MAX: Final = 5000
BACKLOG: Final = 1024
# On close with this, the kernel sends a reset instead of a polite end.
_LINGER_RESET: Final = struct.pack("ii", 1, 0)

Handler: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Json: TypeAlias = dict[str, Any]
Row = TypeVar("Row")


class BadCallError(Exception):
    """The caller broke the wire contract."""

    def __init__(
        self, message: str, *, status: int = 400, code: str = BAD_REQUEST
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Endpoint:
    """One listening server; a handler that raises `BadCallError` answers with it."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._runner: web.ServerRunner | None = None
        self.host = ""
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> Self:
        # Cancelling on disconnect is what ends a scripted hang early.
        server = web.Server(self._handle, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, backlog=BACKLOG).start()
        self.host, self.port = host, self._runner.addresses[0][1]
        return self

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._handler(request)
        except BadCallError as error:
            return reply(
                {"code": error.code, "message": str(error)}, status=error.status
            )


def reply(
    payload: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    return web.Response(
        body=orjson.dumps(payload),
        status=status,
        headers=headers,
        content_type="application/json",
    )


def hang_up(request: web.BaseRequest) -> web.Response:
    """Reset the connection; the response is a formality that nobody reads."""
    transport = request.transport
    if transport is not None:
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
        transport.abort()
    return web.Response(status=500)


async def body_of(request: web.BaseRequest) -> Json:
    if (request.content_length or 0) > BODY_BYTES_MAX:
        raise BadCallError("the body is too large", status=413, code="too_large")
    raw = await request.read()
    if len(raw) > BODY_BYTES_MAX:
        raise BadCallError("the body is too large", status=413, code="too_large")
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadCallError("the body is not JSON", code="unreadable") from error
    if not isinstance(body, dict):
        raise BadCallError("the body is not a JSON object", code="unreadable")
    return body


def text_in(body: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = body.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or not 0 < len(value) <= TEXT_LENGTH_MAX:
        msg = f"{name} is missing or not a text of a sensible length"
        raise BadCallError(msg)
    return value


def amount_in(body: Mapping[str, Any]) -> int:
    value = body.get("amount")
    if type(value) is not int or not 1 <= value <= AMOUNT_MAX:
        raise BadCallError("amount is not an integer from 1 to 2^53-1")
    return value


def currency_in(body: Mapping[str, Any]) -> str:
    value = text_in(body, "currency")
    if len(value) != len("EUR") or not (value.isascii() and value.isupper()):
        raise BadCallError("currency is not a code such as EUR")
    return value


def rfc3339(at: float) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def moment_in(request: web.BaseRequest, name: str, default: float) -> float:
    value = request.query.get(name)
    if not value:
        return default
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        msg = f"{name} is not an RFC 3339 time"
        raise BadCallError(msg) from error
    if moment.tzinfo is None:
        msg = f"{name} has no offset from UTC"
        raise BadCallError(msg)
    return moment.timestamp()


def whole_in(request: web.BaseRequest, name: str, default: int) -> int:
    value = request.query.get(name)
    if not value:
        return default
    if not (value.isascii() and value.isdigit()):
        msg = f"{name} is not one that was given out here"
        raise BadCallError(msg)
    return int(value)


def page_of(
    request: web.BaseRequest,
    rows: Sequence[Row],
    *,
    at: Callable[[Row], float],
    show: Callable[[Row], Json],
) -> tuple[list[Json], str | None]:
    """Return the rows of [from, to) behind the cursor, and the cursor for the rest.

    The cursor is a position in a list that only grows, so no page repeats or loses one.
    """
    start, end = moment_in(request, "from", 0), moment_in(request, "to", float("inf"))
    size = min(whole_in(request, "limit", PAGE_SIZE_DEFAULT), PAGE_SIZE_MAX) or 1
    page: list[Json] = []
    for position in range(whole_in(request, "cursor", 0), len(rows)):
        if start <= at(rows[position]) < end:
            if len(page) == size:
                return page, str(position)
            page.append(show(rows[position]))
    return page, None


async def serve_until_told_to_stop(
    start: Callable[[], Awaitable[Endpoint]], stop: Callable[[], Awaitable[None]]
) -> None:
    """Print one JSON line once it listens; SIGTERM or SIGINT ends it at once."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    endpoint = await start()
    ready = {"port": endpoint.port, "url": endpoint.url}
    sys.stdout.write(orjson.dumps(ready).decode() + "\n")
    sys.stdout.flush()
    await told.wait()
    await stop()
