"""Calls out over HTTP, and says of each failure whether the request may have left."""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self, TypeAlias

from fsm.domain.strict_json import parse_unambiguous
from fsm.engine.records import quickly_made
from handlers.pace import releases_slot
from providers.http.connection import (
    BODY_BYTES_MAX,
    Answered,
    HttpConnection,
    Method,
)
from providers.http.proxies import NO_PROXIES, Proxies, Proxy
from providers.http.shortage import is_shortage
from providers.http.targets import Target, plain, target_of
from providers.http.trust import system_trust
from providers.http.tunnel import ProxyFailed, through, why_not

__all__ = [
    "BODY_BYTES_MAX",
    "ConnectionLimit",
    "Lost",
    "Method",
    "Outbound",
    "RequestNotSent",
    "Response",
]

# Shorter than most servers keep an idle connection: a POST on one that is just
# being closed is lost, and nobody can tell.
KEEP_ALIVE_SECONDS: Final = 4.0
# Of the time limit of a call: all of the waiting that ends before a byte is sent.
SLOT_SHARE: Final = 0.25
CONNECT_SHARE: Final = 0.5
IDLE_MAX: Final = 512

_Key: TypeAlias = tuple[str, int, int]
"""Whom a connection leads to, and how it is secured."""
_TYPE: Final = "content-type"
_TYPE_LENGTH: Final = len(_TYPE)
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
# A compressed answer could be larger than it looks.
_SENDS: Final = (
    "Accept: application/json\r\nAccept-Encoding: identity\r\n"
    "User-Agent: payment-service\r\n"
)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A whole answer, whatever its status; header names are lower case."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def read_object(self) -> dict[str, object] | None:
        """Return the body where it is one strict JSON object, else None."""
        found = self.read_json()
        return found if isinstance(found, dict) else None

    def read_json(self) -> dict[str, object] | list[object] | None:
        """Return the body where it is one strict JSON object or list, else None."""
        try:
            found = parse_unambiguous(self.body)
        except ValueError:
            return None
        return found if isinstance(found, dict | list) else None


@dataclass(frozen=True, slots=True)
class RequestNotSent:
    """No connection was made for it: the request certainly did nothing.

    ``ours``: not for anything that the other side did or failed to do. ``lacking``: for
    what we lack at the moment, so that the same request may go out later.
    """

    because: str
    ours: bool = False
    lacking: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """The request may have left, and no whole answer came back."""

    because: str


class Outbound:
    """All connections to the outside; enter it inside the running loop.

    ``trace`` gives the ``traceparent`` of the work at hand, or None. Without
    ``proxies`` there are none, whatever the environment says.
    """

    def __init__(
        self,
        trace: Callable[[], str | None] = lambda: None,
        *,
        proxies: Proxies = NO_PROXIES,
    ) -> None:
        self._trace = trace
        self._proxies = proxies
        self._is_open = False
        self._tls: ssl.SSLContext | None = None
        self._idle: dict[_Key, deque[HttpConnection]] = {}
        self._all: set[HttpConnection] = set()

    async def __aenter__(self) -> Self:
        # Made while there are descriptors: what is made without knows nobody, for good.
        self._tls = system_trust()
        self._is_open = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_open = False
        self._idle.clear()
        for connection in tuple(self._all):
            connection.close()
        self._all.clear()
        # The transports say goodbye in the next turn of the loop.
        await asyncio.sleep(0)

    def lane(
        self,
        max_in_flight: int,
        *,
        tls: ssl.SSLContext | None = None,
        body_max: int = BODY_BYTES_MAX,
    ) -> "ConnectionLimit":
        """Return a way out for at most so many requests at the same time.

        An answer of more than ``body_max`` bytes is lost.
        """
        return ConnectionLimit(self, max_in_flight, tls, body_max)

    async def send(
        self,
        method: Method,
        url: str,
        *,
        body: bytes | None,
        headers: Mapping[str, str],
        seconds: float,
        lane: "ConnectionLimit",
    ) -> Response | RequestNotSent | Lost:
        """Send it once, on a connection that is certainly still open; never again."""
        if not self._is_open:
            raise RuntimeError("calls go out only inside `async with outbound`")
        target, tls = target_of(url), lane.tls
        request = self._request(method, target, body, headers)
        loop = asyncio.get_running_loop()
        began = loop.time()
        key = _key(target, tls)
        connection = self._idle_one(key, began)
        if connection is None:
            made = await self._connect(target, tls, seconds * CONNECT_SHARE)
            if isinstance(made, RequestNotSent):
                return made
            connection = made
        try:
            left = seconds - (loop.time() - began)
            heard = await connection.send(request, left, body_max=lane.body_max)
        except BaseException:
            connection.close()
            raise
        finally:
            self._give_back(connection, key, loop.time())
        if isinstance(heard, Answered):
            return Response(status=heard.status, body=heard.body, headers=heard.headers)
        return Lost(heard)

    def _idle_one(self, key: _Key, now: float) -> HttpConnection | None:
        idle = self._idle.get(key)
        oldest = now - KEEP_ALIVE_SECONDS
        while idle:
            # The newest first, so that what a quiet hour needs not grows old.
            connection = idle.pop()
            if connection.idle_since >= oldest and connection.is_fresh():
                return connection
            self._leave(connection)
        return None

    async def reach(
        self, url: str, *, tls: ssl.SSLContext | None, seconds: float
    ) -> RequestNotSent | None:
        """Connect as a call would, and hang up; nothing is asked."""
        made = await self._connect(target_of(url), tls, seconds)
        if isinstance(made, RequestNotSent):
            return made
        self._leave(made)
        return None

    def proxy_of(self, url: str) -> Proxy | None:
        """Return the proxy that a call to this URL goes through."""
        target = target_of(url)
        return self._proxies.find(target.scheme, target.host, target.port)

    async def _connect(
        self, target: Target, tls: ssl.SSLContext | None, seconds: float
    ) -> HttpConnection | RequestNotSent:
        proxy = self._proxies.find(target.scheme, target.host, target.port)
        try:
            async with asyncio.timeout(seconds):
                connection = await self._connected(target, tls, proxy)
        except (OSError, UnicodeError) as error:
            return _no_connection(error, proxy)
        except (MemoryError, RuntimeError) as error:
            # No memory, or no thread to ask the resolver in.
            if not is_shortage(error):
                raise
            return _no_connection(error, proxy)
        self._all.add(connection)
        return connection

    async def _connected(
        self, target: Target, tls: ssl.SSLContext | None, proxy: Proxy | None
    ) -> HttpConnection:
        secured = (tls or self._default_tls()) if target.is_tls else None
        if proxy is not None:
            return await through(
                proxy,
                target.host,
                target.port,
                tls=secured,
                proxy_tls=self._default_tls() if proxy.is_tls else None,
            )
        _, connection = await asyncio.get_running_loop().create_connection(
            HttpConnection, target.host, target.port, ssl=secured
        )
        return connection

    def _default_tls(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = system_trust()
        return self._tls

    def _give_back(self, connection: HttpConnection, key: _Key, now: float) -> None:
        idle = self._idle.get(key)
        if idle is None:
            idle = self._idle[key] = deque()
        if connection.is_reusable and self._is_open and len(idle) < IDLE_MAX:
            connection.idle_since = now
            idle.append(connection)
        else:
            self._leave(connection)

    def _leave(self, connection: HttpConnection) -> None:
        self._all.discard(connection)
        connection.close()

    def _request(
        self,
        method: str,
        target: Target,
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> bytes:
        lines = [f"{method} {target.asked} HTTP/1.1\r\n{target.host_line}{_SENDS}"]
        lines += [f"{name}: {plain(value)}\r\n" for name, value in headers.items()]
        trace_parent = self._trace()
        if trace_parent is not None:
            lines.append(f"traceparent: {plain(trace_parent)}\r\n")
        if body is None:
            # Without a length some servers wait for one, or answer 411.
            end = "Content-Length: 0\r\n\r\n" if method in _WITH_BODY else "\r\n"
            return ("".join(lines) + end).encode("latin-1")
        if not _names_type(headers):
            lines.append("Content-Type: application/json\r\n")
        lines.append(f"Content-Length: {len(body)}\r\n\r\n")
        return "".join(lines).encode("latin-1") + body


class ConnectionLimit:
    """The way to one neighbour: no more than so many requests in flight.

    Waiting, connecting, sending and reading together never take more than the time
    limit; who waits in vain has certainly sent nothing.
    """

    def __init__(
        self,
        outbound: Outbound,
        max_in_flight: int,
        tls: ssl.SSLContext | None,
        body_max: int = BODY_BYTES_MAX,
    ) -> None:
        self._outbound = outbound
        self.tls: Final = tls
        self.body_max: Final = body_max
        self._free = asyncio.Semaphore(max_in_flight)
        self.in_flight = 0

    async def reach(self, url: str, *, seconds: float) -> RequestNotSent | None:
        """Connect as a call would within so many seconds; nothing is asked."""
        return await self._outbound.reach(url, tls=self.tls, seconds=seconds)

    @releases_slot
    async def request(
        self,
        method: Method,
        url: str,
        *,
        json_body: bytes | None = None,
        form_body: bytes | None = None,
        headers: Mapping[str, str],
        timeout: float,  # noqa: ASYNC109 - waiting and calling share it
    ) -> Response | RequestNotSent | Lost:
        """Make the call within ``timeout`` seconds; never raises for an answer.

        A body is JSON, or a form's fields; not both.
        """
        if form_body is not None:
            headers = {**headers, **_FORM}
        clock = asyncio.get_running_loop().time
        started = clock()
        if not self._free.locked():
            await self._free.acquire()
        elif not await self._waits_for_slot(timeout * SLOT_SHARE):
            because = "too many calls in flight"
            return RequestNotSent(because, ours=True, lacking=True)
        self.in_flight += 1
        try:
            return await self._outbound.send(
                method,
                url,
                body=json_body if form_body is None else form_body,
                headers=headers,
                seconds=timeout - (clock() - started),
                lane=self,
            )
        finally:
            self.in_flight -= 1
            self._free.release()

    async def _waits_for_slot(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._free.acquire()
        except TimeoutError:
            return False


def _names_type(headers: Mapping[str, str]) -> bool:
    """Tell whether a header says what the body is, however its name is spelt."""
    names = [name for name in headers if len(name) == _TYPE_LENGTH]
    return any(name.lower() == _TYPE for name in names) if names else False


def _key(target: Target, tls: ssl.SSLContext | None) -> _Key:
    return target.host, target.port, id(tls) if tls else int(target.is_tls)


def _no_connection(error: Exception, proxy: Proxy | None) -> RequestNotSent:
    """Say whose doing it is: a proxy's failure says nothing about whom we call."""
    lacking = is_shortage(error)
    whose = ""
    if isinstance(error, ProxyFailed):
        lacking = lacking or error.is_ours
        whose = f" by the proxy {proxy}"
    elif proxy is not None:
        whose = f" through the proxy {proxy}"
    because = f"no connection{whose} ({why_not(error)})"
    return RequestNotSent(because, ours=lacking, lacking=lacking)
