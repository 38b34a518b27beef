"""Calls out over HTTP, and says of each failure whether the request may have left."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import TracebackType
from typing import Final, Literal, Self

import aiohttp
import orjson
from aiohttp.http import HttpProcessingError
from yarl import URL

BODY_BYTES_MAX: Final = 256 * 1024
DNS_CACHE_SECONDS: Final = 10
# Shorter than most servers keep an idle connection: a POST on one that is just
# being closed is lost, and nobody can tell.
KEEP_ALIVE_SECONDS: Final = 4.0
# Of the time limit of a call: all of the waiting that ends before a byte is sent.
SLOT_SHARE: Final = 0.25
CONNECT_SHARE: Final = 0.5

_NEVER_ROUNDED: Final = 1e9

_SENDS: Final = {
    "Accept": "application/json",
    # A compressed answer could be larger than it looks.
    "Accept-Encoding": "identity",
    "User-Agent": "payment-service",
}
_NEVER_CONNECTED: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientConnectorCertificateError,
    aiohttp.ConnectionTimeoutError,
)
_BROKEN: Final = (aiohttp.ClientError, HttpProcessingError, OSError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A whole answer, whatever its status."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def read_object(self) -> dict[str, object] | None:
        """Return the body where it is one strict JSON object, else None."""
        try:
            # orjson refuses what json lets pass (NaN, bad UTF-8, lone surrogates),
            # json shows what orjson hides (names that occur twice).
            if not isinstance(orjson.loads(self.body), dict):
                return None
            found: object = json.loads(self.body, object_pairs_hook=_once_each)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None


@dataclass(frozen=True, slots=True)
class NotSent:
    """No connection was made for it: the request certainly did nothing."""

    because: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The request may have left, and no whole answer came back."""

    because: str


class Outbound:
    """All connections to the outside; enter it inside the running loop.

    ``trace`` gives the ``traceparent`` of the work at hand, or None.
    """

    def __init__(self, trace: Callable[[], str | None] = lambda: None) -> None:
        self._trace = trace
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            # The lanes have limits; a second one here would wait unseen.
            connector=aiohttp.TCPConnector(
                limit=0,
                ttl_dns_cache=DNS_CACHE_SECONDS,
                keepalive_timeout=KEEP_ALIVE_SECONDS,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers=_SENDS,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    def lane(self, max_in_flight: int) -> "Lane":
        """Return a way out for at most so many requests at the same time."""
        return Lane(self, max_in_flight)

    async def send(
        self,
        method: Literal["GET", "POST"],
        url: str,
        *,
        body: bytes | None,
        headers: Mapping[str, str],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp keeps it
    ) -> Response | NotSent | Lost:
        """Send it once; a POST is never repeated here."""
        if self._session is None:
            raise RuntimeError("calls go out only inside `async with outbound`")
        try:
            async with self._session.request(
                method,
                _parsed(url),
                data=body,
                headers=self._headers(body, headers),
                timeout=timeout,
                allow_redirects=False,
            ) as answer:
                return await _whole(answer)
        except _NEVER_CONNECTED as error:
            return NotSent(f"no connection ({type(error).__name__})")
        except TimeoutError:
            return Lost("no answer in time")
        except _BROKEN as error:
            return Lost(f"no whole answer ({type(error).__name__})")

    def _headers(
        self, body: bytes | None, headers: Mapping[str, str]
    ) -> dict[str, str]:
        sent = dict(headers)
        if body is not None:
            sent["Content-Type"] = "application/json"
        trace_parent = self._trace()
        if trace_parent is not None:
            sent["traceparent"] = trace_parent
        return sent


class Lane:
    """The way to one neighbour: no more than so many requests in flight.

    Waiting, connecting, sending and reading together never take more than the time
    limit; who waits in vain has certainly sent nothing.
    """

    def __init__(self, outbound: Outbound, max_in_flight: int) -> None:
        self._outbound = outbound
        self._free = asyncio.Semaphore(max_in_flight)
        self.in_flight = 0

    async def request(
        self,
        method: Literal["GET", "POST"],
        url: str,
        *,
        json_body: bytes | None = None,
        headers: Mapping[str, str],
        timeout: float,  # noqa: ASYNC109 - waiting and calling share it
    ) -> Response | NotSent | Lost:
        """Make the call within ``timeout`` seconds; never raises for an answer."""
        clock = asyncio.get_running_loop().time
        started = clock()
        if not await self._takes_slot(timeout * SLOT_SHARE):
            return NotSent("too many calls in flight")
        self.in_flight += 1
        try:
            return await self._outbound.send(
                method,
                url,
                body=json_body,
                headers=headers,
                timeout=_limits(timeout - (clock() - started)),
            )
        finally:
            self.in_flight -= 1
            self._free.release()

    async def _takes_slot(self, seconds: float) -> bool:
        if not self._free.locked():
            return await self._free.acquire()
        try:
            async with asyncio.timeout(seconds):
                return await self._free.acquire()
        except TimeoutError:
            return False


def _limits(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(
        total=seconds,
        connect=seconds * CONNECT_SHARE,
        # aiohttp rounds up what is longer than this, past the limit.
        ceil_threshold=_NEVER_ROUNDED,
    )


async def _whole(answer: aiohttp.ClientResponse) -> Response | Lost:
    body = await _body(answer)
    if body is None:
        answer.close()
        return Lost("an answer over 256 KiB")
    return Response(status=answer.status, body=body, headers=answer.headers)


async def _body(answer: aiohttp.ClientResponse) -> bytes | None:
    if answer.content_length is not None:
        fits = answer.content_length <= BODY_BYTES_MAX
        return await answer.read() if fits else None
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) > BODY_BYTES_MAX:
            return None
    return bytes(body)


@lru_cache(maxsize=1024)
def _parsed(url: str) -> URL:
    # What was escaped by its writer stays as it is.
    return URL(url, encoded=True)


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name occurs twice")
    return found
