"""The door for webhooks: verified on raw bytes, stored, and only then acknowledged."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Final

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from fsm.domain.errors import InvalidRequest, StoreUnavailable
from fsm.domain.rates import Rate, TokenBucket
from fsm.domain.webhook_events import Arrival
from handlers.ports.clock import Clock
from handlers.ports.provider import Provider, Rejected
from payment_service.api.bodies import BodyReader, require_json, require_uncompressed
from payment_service.api.deliveries import DeliveredEvent, read_delivery
from payment_service.api.deps import ApiDeps
from payment_service.api.openapi import answer, body_of, problem, texts
from payment_service.api.params import segment, trace_parent_of
from payment_service.api.responses import RETRY_AFTER, Json, ProblemResponse
from payment_service.wire.shapes import WebhookAnswer
from providers.events import Events, TooManyEvents

IGNORED: Final = "webhook.ignored"
DIFFERS: Final = "webhook.differs"
UNREADABLE: Final = "webhook.unreadable"
REFUSED: Final = "webhook.refused"
ALLOWED: Final = {"Allow": "GET, HEAD, OPTIONS, POST"}
NOBODY: Final = "unknown"


class Kept(StrEnum):
    """What became of an event, or of its request: words of ``webhooks_total{outcome}``.

    IGNORED is what is signed and of no use to us: no event at all, or one about nothing
    of ours. DIFFERS was seen before, and says something else now.
    """

    STORED = "stored"
    SEEN = "seen"
    DIFFERS = "differs"
    IGNORED = "ignored"
    UNREADABLE = "unreadable"
    UNSIGNED = "unsigned"
    NO_PROVIDER = "no_provider"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    RATE_LIMITED = "rate_limited"
    GUESSING = "guessing"
    NOT_STORED = "not_stored"


STATUSES: Final = {
    Kept.STORED: 202,
    Kept.SEEN: 200,
    Kept.DIFFERS: 200,
    Kept.IGNORED: 200,
    Kept.UNREADABLE: 400,
    Kept.UNSIGNED: 401,
    Kept.NO_PROVIDER: 404,
    Kept.TOO_LARGE: 413,
    Kept.NOT_JSON: 415,
    Kept.RATE_LIMITED: 429,
    Kept.GUESSING: 429,
    Kept.NOT_STORED: 503,
}
_OF_BODIES: Final = {400: Kept.UNREADABLE, 413: Kept.TOO_LARGE, 415: Kept.NOT_JSON}
_DETAILS: Final = {
    Kept.UNREADABLE: "The body cannot be read as a webhook of this provider.",
    Kept.UNSIGNED: "The signature does not hold.",
    Kept.NO_PROVIDER: "No webhooks are taken here.",
    Kept.TOO_LARGE: "Too much for one request.",
    Kept.RATE_LIMITED: "Too many webhooks; send this one again later.",
    Kept.GUESSING: "Too many signatures that do not hold; send this one again later.",
    Kept.NOT_STORED: "The webhook is not stored; send it again.",
}
_TOLD: Final = frozenset({Kept.UNSIGNED, Kept.RATE_LIMITED, Kept.GUESSING})
_AGAIN: Final = frozenset({Kept.RATE_LIMITED, Kept.GUESSING, Kept.NOT_STORED})
FAILURES: Final = Rate(20, timedelta(minutes=1))
ADDRESSES_MAX: Final = 4096


class Failures:
    """Counts, for each address, signatures that do not hold; bounded, in this process.

    Only what failed is counted, and only what fails is refused for it: a provider that
    shares an address with a guesser, behind one proxy, loses nothing.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[str, TokenBucket] = {}

    def are_too_many(self, address: str) -> bool:
        """Count one more; True where it is over the rate."""
        bucket = self._buckets.pop(address, None)
        if bucket is None:
            bucket = TokenBucket.full(FAILURES, self._clock.elapsed)
        if len(self._buckets) >= ADDRESSES_MAX:
            # The one that has been quiet for longest makes room.
            del self._buckets[next(iter(self._buckets))]
        self._buckets[address] = bucket
        return not bucket.take()


class Webhooks:
    """Takes the webhooks of all providers; one bucket for each, in this process."""

    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps
        self._buckets = {
            name: TokenBucket.full(rate, deps.clock.elapsed)
            for name, rate in deps.webhook_rates.items()
        }
        self._failures = Failures(deps.clock)
        # The contract knows no 408 here: what does not come is unreadable.
        self._bodies = BodyReader(time_limit=deps.body_time_limit, late_status=400)

    async def receive_webhook(self, request: Request, provider: str) -> Response:
        """Take a provider's news, signed as its configuration says.

        2xx means durably stored; whatever else is answered, it is to be sent again.
        """
        found = self._deps.providers.get(segment(provider))
        if found is None or not found.takes_webhooks:
            return self._answer(NOBODY, Kept.NO_PROVIDER)
        try:
            require_uncompressed(request)
            require_json(request)
            body = await self._bodies.read(request)
        except HTTPException as refused:
            self._deps.count_webhook(found.name, _OF_BODIES[refused.status_code])
            raise
        return await self._kept(found, request, body)

    async def greet(self, request: Request, provider: str) -> Response:
        """Answer who looks whether webhooks are taken here; nothing is read from it."""
        found = self._deps.providers.get(segment(provider))
        if found is None or not found.takes_webhooks:
            return self._answer(NOBODY, Kept.NO_PROVIDER)
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=ALLOWED)
        return Json({"status": "ready"}, headers=ALLOWED)

    async def _kept(self, found: Provider, request: Request, body: bytes) -> Response:
        headers, trace = _headers(request), trace_parent_of(request)
        try:
            kept = await self.keep(found, headers, body, trace_parent=trace)
        except InvalidRequest as unreadable:
            told = {"provider": found.name, "problem": unreadable.problem}
            self._deps.note(UNREADABLE, told)
            return self._answer(
                found.name, Kept.UNREADABLE, unreadable.problem, unreadable.members()
            )
        except TooManyEvents as problem:
            return self._answer(found.name, Kept.TOO_LARGE, f"There are {problem}.")
        address = request.client.host if request.client else ""
        if kept is Kept.UNSIGNED and self._failures.are_too_many(address):
            kept = Kept.GUESSING
        if isinstance(kept, Kept):
            return self._answer(found.name, kept)
        return self._acknowledge(found.name, kept)

    async def keep(
        self,
        provider: Provider,
        headers: Mapping[str, list[str]],
        body: bytes,
        *,
        trace_parent: str | None,
    ) -> Kept | Sequence[Arrival]:
        """Verify, read and store one webhook; say of each of its events what it was.

        The bucket counts only what the provider has signed, so nobody else can use
        up its rate.

        :raises InvalidRequest: it is signed, and says what of it cannot be read.
        :raises TooManyEvents: it is signed, and there are too many in it.
        """
        now = self._deps.clock.now()
        verified = provider.verify(headers, body, now)
        if isinstance(verified, Rejected):
            if verified.problem is not None:
                raise InvalidRequest(verified.problem)
            return Kept.UNSIGNED
        bucket = self._buckets.get(provider.name)
        if bucket is not None and not bucket.take():
            return Kept.RATE_LIMITED
        events = self._deps.webhook_events.get(provider.name, Events())
        heard = read_delivery(provider, events, verified, headers, body, now)
        if not heard:
            return []
        try:
            arrivals = await self._deps.store_webhooks(
                [each.webhook for each in heard], trace_parent=trace_parent
            )
        except StoreUnavailable:
            return Kept.NOT_STORED
        for each, arrival in zip(heard, arrivals, strict=True):
            self._note(each, arrival)
        return arrivals

    def _note(self, heard: DeliveredEvent, arrival: Arrival) -> None:
        """Count an event, and tell of one that is of no use or not what it was."""
        webhook = heard.webhook
        told: dict[str, object] = {
            "provider": webhook.provider,
            "event_id": webhook.event_id,
        }
        kept = Kept(arrival)
        if heard.idle is not None and arrival is Arrival.STORED:
            kept = Kept.IGNORED
            said = {"because": heard.idle, "fields": webhook.detail.get("fields")}
            self._deps.note(IGNORED, told | said)
        elif arrival is Arrival.DIFFERS:
            facts = {"type": webhook.type.value, "reference": webhook.reference}
            self._deps.note(DIFFERS, told | facts)
        self._deps.count_webhook(webhook.provider, kept)

    def _acknowledge(self, provider: str, arrivals: Sequence[Arrival]) -> Response:
        """Answer what is stored; one that said nothing is counted here."""
        if not arrivals:
            return self._answer(provider, Kept.IGNORED)
        stored = Arrival.STORED in arrivals
        kept = Kept.STORED if stored else Kept.SEEN
        return Json({"status": kept.value}, STATUSES[kept])

    def _answer(
        self,
        provider: str,
        kept: Kept,
        problem: str = "",
        members: Mapping[str, object] | None = None,
    ) -> Response:
        self._deps.count_webhook(provider, kept)
        if kept in _TOLD:
            self._deps.note(REFUSED, {"provider": provider, "outcome": kept.value})
        status = STATUSES[kept]
        if kept is Kept.IGNORED:
            return Json({"status": kept.value}, status)
        headers = dict(RETRY_AFTER) if kept in _AGAIN else {}
        if kept is Kept.GUESSING:
            headers |= {"Retry-After": "60", "Connection": "close"}
        # Who signed it may know what is wrong with it; nobody else gets here.
        detail = f"{_DETAILS[kept]} {problem}".strip()
        return ProblemResponse(status, detail, headers=headers, members=members)


def _headers(request: Request) -> dict[str, list[str]]:
    """Return every value, by lower-case name.

    White space around it is no part of it (RFC 9110, 5.5), and the server leaves what
    stands behind it.
    """
    headers: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        headers.setdefault(name, []).append(value.strip(" \t"))
    return headers


def routes(deps: ApiDeps) -> APIRouter:
    """Return the routes of webhooks."""
    # Not a strict one: what is sent is stored, whatever else the address says.
    router = APIRouter(tags=["webhooks"])
    webhooks = Webhooks(deps)
    # Some providers look before they send, and take no address that answers 405.
    router.add_api_route(
        "/webhooks/{provider}",
        webhooks.greet,
        methods=["GET", "HEAD", "OPTIONS"],
        include_in_schema=False,
    )
    router.add_api_route(
        "/webhooks/{provider}",
        webhooks.receive_webhook,
        methods=["POST"],
        status_code=202,
        response_model=None,
        **texts(webhooks.receive_webhook, ()),
        openapi_extra=body_of("WebhookBody"),
        responses={
            202: answer("Stored.", WebhookAnswer),
            200: answer(
                "Seen before, or nothing in it; nothing changes.", WebhookAnswer
            ),
            **problem(400, "Unreadable, or not there in time."),
            **problem(401, "The signature is missing or wrong, or its time is."),
            **problem(404, "No such provider, or one without webhooks."),
            **problem(413, "Over 256 KiB, or over 1,000 events."),
            **problem(415, "Not JSON, or compressed."),
            **problem(429, "Over the provider's rate."),
            **problem(500, "A failure of ours; send it again."),
            **problem(503, "Not stored; send it again."),
        },
    )
    return router
