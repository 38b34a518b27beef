"""Calls the service's own HTTP API with the key of whoever sits at this terminal.

What a person decides is decided there, by one set of rules, under the name of the key.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

import orjson
from pydantic import SecretStr

from payment_service.cli.context import read_settings, run_async
from payment_service.cli.errors import (
    NOT_FOUND as UNKNOWN,
)
from payment_service.cli.errors import (
    NOT_NOW,
    REFUSED,
    NotReached,
    Usage,
    Wrong,
    in_one_line,
)
from payment_service.settings import Settings, proxies
from providers.http.outbound import (
    ConnectionLimit,
    Lost,
    Method,
    Outbound,
    RequestNotSent,
    Response,
)
from providers.http.proxies import NO_PROXIES
from providers.http.targets import is_here

SECONDS_MAX: Final = 30.0
ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
"""A page of five hundred dead letters or cases is long."""

BOTH: Final = "set PAYMENT_API_URL and PAYMENT_API_KEY"
WITHOUT: Final = "without both settings it is done in the database, as user:NAME"
SEE_URL: Final = "see PAYMENT_API_URL"
_PROBLEM: Final = "application/problem+json"
_REDIRECTS: Final = range(300, 400)
_FAULTS: Final = range(500, 600)
_UNAUTHORIZED: Final = 401
NOT_FOUND: Final = 404
_OK: Final = range(200, 300)
_KINDS: Final = {404: UNKNOWN, 409: NOT_NOW}


@dataclass(frozen=True, slots=True)
class ApiAccess:
    """Where the API is, and the key of who calls it."""

    url: str
    key: SecretStr = field(repr=False)


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """What the API says to a call that it has granted."""

    status: int
    body: Mapping[str, object]

    def word(self, name: str) -> str:
        """Return a text of the answer.

        :raises Wrong: there is none, as in an answer of another program.
        """
        found = self.body.get(name)
        if not isinstance(found, str):
            raise Wrong(f"the API's answer has no {name!r}: {SEE_URL}")
        return found


class Unreachable(NotReached):
    """The API gave no answer, so that nothing is known to be done."""

    mend = SEE_URL


class ApiRefused(Wrong):
    """The API will not do this for this caller; ``status`` is HTTP's."""

    says_mend = True

    def __init__(self, told: str, *, status: int) -> None:
        super().__init__(told)
        self.status = status
        self.kind = _KINDS.get(status, REFUSED)


def access_of(settings: Settings) -> ApiAccess | None:
    """Return the access that the settings give, None where they give none at all.

    :raises Usage: one of the two is missing, or the key would travel unencrypted.
    """
    url, key = settings.api_url, settings.api_key
    if url is None and key is None:
        return None
    if url is None or key is None:
        missing = "PAYMENT_API_URL" if url is None else "PAYMENT_API_KEY"
        raise Usage(f"{missing} is missing: {BOTH}, or neither")
    if url.startswith("http://") and not is_here(url):
        raise Usage(
            "PAYMENT_API_URL: http:// would show the key on the way: use https://, or "
            "http://127.0.0.1:PORT on the API's own machine or through a tunnel"
        )
    return ApiAccess(url, key)


def required_access() -> ApiAccess:
    """Return the access of a command that does nothing without.

    :raises Usage: there is none.
    """
    access = access_of(read_settings())
    if access is None:
        raise Usage(f"only the API can do this: {BOTH}")
    return access


def ask(
    access: ApiAccess,
    method: Method,
    *path: str,
    body: Mapping[str, object] | None = None,
) -> ApiAnswer:
    """Make one call; see :meth:`ApiClient.ask`."""

    async def work() -> ApiAnswer:
        async with calling(access) as api:
            return await api.ask(method, *path, body=body)

    return run_async(work())


def operate(
    access: ApiAccess, method: Method, *path: str, body: Mapping[str, object]
) -> ApiAnswer:
    """Make one call for what moves no money, and could be done without the API.

    :raises Unreachable: no answer came; the line says how to do without.
    """
    try:
        return ask(access, method, *path, body=body)
    except Unreachable as away:
        raise Unreachable(f"{away}; {WITHOUT}") from None


class ApiClient:
    """Makes calls over one connection."""

    def __init__(self, access: ApiAccess, lane: ConnectionLimit) -> None:
        self._access = access
        self._lane = lane

    async def ask(
        self,
        method: Method,
        *path: str,
        query: Mapping[str, object] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> ApiAnswer:
        """Make one call, once: ``path`` are the parts below ``/v1``, unescaped.

        :raises Usage: the key is not valid.
        :raises Refused: the API says no, or a part of the path can be no id.
        :raises Unreachable: no answer came; what was asked for may be done.
        :raises Wrong: what answers is no payment-service, or it has failed.
        """
        found = await self._lane.request(
            method,
            self._url(path, query),
            json_body=None if body is None else orjson.dumps(body),
            headers={"Authorization": f"Bearer {self._access.key.get_secret_value()}"},
            timeout=SECONDS_MAX,
        )
        if isinstance(found, RequestNotSent):
            up = "whether a process with the role api runs there"
            raise Unreachable(
                f"cannot reach the API at {self._access.url}: {found.because}: "
                f"{SEE_URL}, and {up}"
            )
        if isinstance(found, Lost):
            done = "" if method == "GET" else ": it may be done, so look first"
            told = f"the API at {self._access.url} did not answer: {found.because}"
            raise Unreachable(told + done)
        return self._read(found)

    def _url(self, path: tuple[str, ...], query: Mapping[str, object] | None) -> str:
        for part in path:
            # A proxy may take dots for a way up, to another call.
            if part in {"", ".", ".."}:
                raise ApiRefused(f"{part!r} is no id", status=NOT_FOUND)
        asked = "/".join(quote(part, safe="") for part in path)
        given = {n: v for n, v in (query or {}).items() if v is not None}
        return f"{self._access.url}/v1/{asked}" + (
            f"?{urlencode(given)}" if given else ""
        )

    def _read(self, found: Response) -> ApiAnswer:
        said = found.read_object()
        if found.status in _OK and said is not None:
            return ApiAnswer(found.status, said)
        if found.status in _REDIRECTS:
            to = found.headers.get("location", "nowhere")
            raise Wrong(
                f"{self._access.url} redirects to {_whither(to)}, and no key is sent "
                f"after it: set PAYMENT_API_URL to where the API itself is"
            )
        if said is None or not found.headers.get("content-type", "").startswith(
            _PROBLEM
        ):
            raise Wrong(
                f"{self._access.url} answered {found.status}, and not as "
                f"payment-service does: {SEE_URL}, and what stands before it"
            )
        raise _problem(found, said)


@asynccontextmanager
async def calling(access: ApiAccess) -> AsyncIterator[ApiClient]:
    """Give what calls the API until the block is left.

    A key that is not encrypted on its way goes to this machine alone, never to a proxy.
    """
    encrypted = access.url.startswith("https://")
    way = proxies() if encrypted else NO_PROXIES
    async with Outbound(proxies=way) as outbound:
        yield ApiClient(access, outbound.lane(1, body_max=ANSWER_BYTES_MAX))


def _problem(found: Response, said: Mapping[str, object]) -> Exception:
    told = in_one_line(str(said.get("detail") or said.get("title") or found.status))
    if found.status == _UNAUTHORIZED:
        return Usage("PAYMENT_API_KEY: the API knows no such key, or it has expired")
    if found.status in _FAULTS:
        number = said.get("correlation_id")
        more = "" if number is None else f" ({number})"
        return Wrong(f"the API failed ({found.status}): {told}{more}")
    return ApiRefused(told + _candidates(said), status=found.status)


def _candidates(said: Mapping[str, object]) -> str:
    """Name those that an order_id may mean."""
    found = said.get("candidates")
    if not isinstance(found, list):
        return ""
    named = [each for each in found if isinstance(each, dict)]
    return " " + ", ".join(
        f"{each.get('queue_id')} ({each.get('kind')} of {each.get('merchant_id')})"
        for each in named
    )


def _whither(location: str) -> str:
    """Return where a redirect leads without what stands behind the host's name."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return "no address"
    host = parts.netloc.rpartition("@")[2]
    return in_one_line(f"{parts.scheme}://{host}" if host else parts.path or "nowhere")
