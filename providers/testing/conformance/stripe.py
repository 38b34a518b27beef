"""Stripe as its API reference describes it, for the conformance kit.

Only what is asked by Stripe's own id: how a payout is looked for whose id never came,
and how amounts are counted, is tried in the adapter's own tests.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

from fsm.domain.reading import UnreadableField
from fsm.domain.webhook_events import WebhookEventType
from providers.config import ProviderTable
from providers.config.stripe import Makes
from providers.stripe.amounts import NotPayable, ours, theirs
from providers.stripe.objects import PLACES
from providers.testing.conformance.made_up_secrets import made_up
from providers.testing.conformance.stripe_errors import error_reply
from providers.testing.conformance.vocabulary import (
    Asked,
    Call,
    Deal,
    ReceivedRequest,
    Reply,
    Saying,
    Unreadable,
)

UNLISTED: Final = "conformance_unlisted"
# Long after any payout of the check: none of them has arrived yet.
ARRIVAL: Final = 4_102_444_800
DESTINATIONS: Final[Mapping[Makes, str]] = {
    "payout": "ba_conformance8f2a",
    "payment_intent": "pm_conformance8f2a",
}
_STATUSES: Final[Mapping[Makes, Mapping[Saying, tuple[str, ...]]]] = {
    "payout": {
        Saying.SUCCEEDED: ("paid",),
        Saying.ACCEPTED: ("pending", "in_transit"),
        Saying.DECLINED: ("failed", "canceled"),
        Saying.UNLISTED_WORD: (UNLISTED,),
    },
    "payment_intent": {
        Saying.SUCCEEDED: ("succeeded",),
        Saying.ACCEPTED: ("processing", "requires_action"),
        Saying.DECLINED: ("canceled",),
        Saying.UNLISTED_WORD: (UNLISTED,),
    },
}
_ERRORS: Final[Mapping[Saying, tuple[tuple[int, str, str], ...]]] = {
    Saying.LOCKED_OUT: (
        (401, "invalid_request_error", "api_key_expired"),
        (403, "invalid_request_error", "account_invalid"),
    ),
    Saying.BUSY: (
        (429, "invalid_request_error", "rate_limit"),
        (409, "idempotency_error", "idempotency_key_in_use"),
    ),
}
_EVENTS: Final[Mapping[Makes, Mapping[WebhookEventType, tuple[str, str]]]] = {
    "payout": {
        WebhookEventType.SUCCEEDED: ("payout.paid", "paid"),
        WebhookEventType.FAILED: ("payout.failed", "failed"),
        WebhookEventType.ACCEPTED: ("payout.updated", "in_transit"),
        WebhookEventType.RETURNED: ("payout.failed", "failed"),
        WebhookEventType.UNKNOWN: ("payout.conformance", UNLISTED),
    },
    "payment_intent": {
        WebhookEventType.SUCCEEDED: ("payment_intent.succeeded", "succeeded"),
        WebhookEventType.FAILED: ("payment_intent.canceled", "canceled"),
        WebhookEventType.ACCEPTED: ("payment_intent.processing", "processing"),
        WebhookEventType.UNKNOWN: ("payment_intent.conformance", UNLISTED),
    },
}


class StripeDouble:
    """Stripe's answers and events about payouts, or about payment intents."""

    def __init__(self, makes: Makes) -> None:
        self._makes: Final = makes
        self._place: Final = PLACES[makes]
        self.destination: Final = {"type": makes, "token": DESTINATIONS[makes]}

    def read(self, request: ReceivedRequest) -> Asked:
        """Read a form, or the id in the path."""
        path = urlsplit(request.target).path
        one = unquote(path.removeprefix(f"{self._place}/").removesuffix("/cancel"))
        match request.method:
            case "POST" if path == self._place:
                return self._created(request)
            case "POST" if path.endswith("/cancel"):
                return Asked(call=Call.CANCEL, provider_reference=one)
            case "GET":
                return Asked(call=Call.STATUS, provider_reference=one)
            case _:
                raise Unreadable(f"{request.method} {path} is no call of Stripe's")

    def replies(self, call: Call, saying: Saying, deal: Deal) -> Mapping[str, Reply]:
        """Return the object in a fitting status, or the error that Stripe has."""
        if call is Call.CANCEL:
            return self._cancelled(saying, deal)
        if call is Call.CREATE and saying is Saying.DECLINED:
            return {
                "card_error, insufficient_funds": error_reply(
                    402, "card_error", "insufficient_funds"
                ),
                "invalid_request_error, balance_insufficient": error_reply(
                    400, "invalid_request_error", "balance_insufficient"
                ),
            }
        if call is Call.CREATE and saying is Saying.UNLISTED_CODE:
            told = error_reply(400, UNLISTED, UNLISTED)
            busy = error_reply(400, "invalid_request_error", "lock_timeout")
            reused = error_reply(400, "idempotency_error", "idempotency_error")
            return {"an unlisted type": told, "lock": busy, "another's key": reused}
        if saying in _ERRORS:
            return {
                f"{e[1]} with HTTP {e[0]}": error_reply(*e) for e in _ERRORS[saying]
            }
        statuses = _STATUSES[self._makes].get(saying, ())
        return {f"status {each}": self._object(deal, each) for each in statuses}

    def notices(self, kind: WebhookEventType, deal: Deal) -> Mapping[str, bytes]:
        """Return an event with the object as it was."""
        if kind not in _EVENTS[self._makes]:
            return {}
        event, status = _EVENTS[self._makes][kind]
        data: dict[str, object] = {"object": self._shown(deal, status)}
        if kind is WebhookEventType.RETURNED:
            data["previous_attributes"] = {"status": "paid"}
        body = {"id": deal.event_id, "object": "event", "type": event, "data": data}
        return {f"{event} ({status})": orjson.dumps(body)}

    def _created(self, request: ReceivedRequest) -> Asked:
        form = dict(parse_qsl(request.body.decode("ascii"), keep_blank_values=True))
        reference = form.get("metadata[reference]")
        if request.headers.get("idempotency-key") != reference:
            raise Unreadable("its idempotency key is not its reference")
        currency = form.get("currency", "").upper()
        try:
            amount = ours(int(form.get("amount", "")), currency)
        except (UnreadableField, ValueError):
            amount = None
        return Asked(
            call=Call.CREATE, reference=reference, amount=amount, currency=currency
        )

    def _cancelled(self, saying: Saying, deal: Deal) -> Mapping[str, Reply]:
        if saying is Saying.CANCELLED:
            return {"status canceled": self._object(deal, "canceled")}
        if saying is Saying.UNLISTED_WORD:
            return {f"status {UNLISTED}": self._object(deal, UNLISTED)}
        if saying is Saying.TOO_LATE:
            code = "payout_not_pending"
            return {code: error_reply(400, "invalid_request_error", code)}
        return {}

    def _object(self, deal: Deal, status: str) -> Reply:
        return Reply(body=orjson.dumps(self._shown(deal, status)))

    def _shown(self, deal: Deal, status: str) -> dict[str, Any]:
        try:
            amount = theirs(deal.money, self._makes)
        except NotPayable:
            amount = deal.money.amount
        return {
            "id": deal.provider_reference,
            "object": self._makes,
            "amount": amount,
            "amount_received": amount,
            "currency": deal.money.currency.lower(),
            "arrival_date": ARRIVAL,
            "metadata": {"reference": deal.reference},
            "status": status,
        }


def double(table: ProviderTable) -> StripeDouble:
    """Make the double of a table."""
    return StripeDouble(table.stripe.makes if table.stripe else "payout")


def prepared(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table with a made-up key that looks like one of Stripe's."""
    key = f"sk_test_{made_up('stripe')}"
    return {**raw, "auth": {"bearer": {"token": key}}}
