"""Acme as its page describes it, for the conformance kit.

Write this from the provider's page and not from the adapter: what both have misread
in the same way, no check can find.
"""

from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

import orjson

from fsm.domain.webhook_events import WebhookEventType
from providers.config import ProviderTable
from providers.testing.conformance.vocabulary import (
    WORDS_FOR_PEOPLE,
    Asked,
    Call,
    Deal,
    ReceivedRequest,
    Reply,
    Saying,
    Unreadable,
)

REFUSALS = ("limit_exceeded", "card_blocked")
STATES = {
    (Call.CREATE, Saying.SUCCEEDED): "paid",
    (Call.CREATE, Saying.ACCEPTED): "pending",
    (Call.CREATE, Saying.UNLISTED_WORD): "conformance_unlisted",
    (Call.STATUS, Saying.SUCCEEDED): "paid",
    (Call.STATUS, Saying.ACCEPTED): "pending",
    (Call.STATUS, Saying.DECLINED): "failed",
    (Call.STATUS, Saying.CANCELLED): "cancelled",
    (Call.STATUS, Saying.UNLISTED_WORD): "conformance_unlisted",
    (Call.CANCEL, Saying.CANCELLED): "cancelled",
    (Call.CANCEL, Saying.UNLISTED_WORD): "conformance_unlisted",
}
ERRORS = {
    (Call.CREATE, Saying.UNLISTED_CODE): (422, "conformance_unlisted"),
    (Call.CREATE, Saying.LOCKED_OUT): (401, "wrong_token"),
    (Call.CREATE, Saying.BUSY): (429, "slow_down"),
    (Call.STATUS, Saying.LOCKED_OUT): (401, "wrong_token"),
    (Call.STATUS, Saying.BUSY): (429, "slow_down"),
    (Call.STATUS, Saying.NOT_FOUND): (404, "no_such_payout"),
    (Call.CANCEL, Saying.TOO_LATE): (409, "too_late"),
}
EVENTS = {
    WebhookEventType.SUCCEEDED: "payout.paid",
    WebhookEventType.FAILED: "payout.failed",
    WebhookEventType.ACCEPTED: "payout.pending",
    WebhookEventType.RETURNED: "payout.returned",
    WebhookEventType.UNKNOWN: "payout.conformance",
}


class AcmeDouble:
    """What Acme hears and says, in bytes."""

    def read(self, request: ReceivedRequest) -> Asked:
        """Say what a request asks for."""
        path = urlsplit(request.target).path
        one = unquote(path.rpartition("/payouts/")[2])
        match request.method:
            case "POST" if path.endswith("/payouts"):
                return _created(request.body)
            case "GET":
                return Asked(call=Call.STATUS, reference=one)
            case "DELETE":
                return Asked(call=Call.CANCEL, reference=one)
            case _:
                raise Unreadable(f"{request.method} {path} is no call of Acme's")

    def replies(self, call: Call, saying: Saying, deal: Deal) -> Mapping[str, Reply]:
        """Return every way in which Acme says so."""
        if (state := STATES.get((call, saying))) is not None:
            return {f"state {state}": _reply(200, **_payout(deal), state=state)}
        if (call, saying) == (Call.CREATE, Saying.DECLINED):
            return {code: _error(422, code) for code in REFUSALS}
        if (found := ERRORS.get((call, saying))) is not None:
            return {found[1]: _error(*found)}
        return {}

    def notices(self, kind: WebhookEventType, deal: Deal) -> Mapping[str, bytes]:
        """Return a webhook of each kind."""
        event = EVENTS[kind]
        body = {"id": deal.event_id, "event": event, "payout": _payout(deal)}
        return {event: orjson.dumps(body)}


def double(table: ProviderTable) -> AcmeDouble:
    """Make the double of a table; the kit asks for it by this name."""
    del table
    return AcmeDouble()


def _created(body: bytes) -> Asked:
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Unreadable("the body is not JSON") from None
    amount = told.get("amount")
    return Asked(
        call=Call.CREATE,
        reference=told.get("reference"),
        amount=amount if type(amount) is int else None,
        currency=told.get("currency"),
    )


def _payout(deal: Deal) -> dict[str, object]:
    return {
        "id": deal.provider_reference,
        "reference": deal.reference,
        "amount": deal.money.amount,
        "currency": deal.money.currency,
    }


def _error(status: int, code: str) -> Reply:
    return _reply(status, code=code, message=WORDS_FOR_PEOPLE)


def _reply(status: int, **body: object) -> Reply:
    return Reply(status=status, body=orjson.dumps(body))
