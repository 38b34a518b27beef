"""Stripe's payment intents and refunds, for the conformance kit of charges."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

from fsm.domain.reading import UnreadableField
from providers.config import ProviderTable
from providers.stripe.amounts import NotPayable, ours, theirs
from providers.testing.conformance.charge_doubles.vocabulary import (
    AskedCharge,
    ChargeCall,
    ChargeSaying,
)
from providers.testing.conformance.stripe_errors import error_reply
from providers.testing.conformance.vocabulary import (
    Deal,
    ReceivedRequest,
    Reply,
    Unreadable,
)

INTENTS: Final = "/v1/payment_intents"
REFUNDS: Final = "/v1/refunds"
UNLISTED: Final = "percolating"
_OF_INTENTS: Final[Mapping[ChargeSaying, tuple[str, ...]]] = {
    ChargeSaying.DONE: ("succeeded",),
    ChargeSaying.AT_WORK: ("processing",),
    ChargeSaying.NEEDS_CUSTOMER: (
        "requires_action",
        "requires_confirmation",
        "requires_capture",
    ),
    ChargeSaying.UNLISTED_WORD: (UNLISTED,),
}
_OF_REFUNDS: Final[Mapping[ChargeSaying, tuple[str, ...]]] = {
    ChargeSaying.DONE: ("succeeded",),
    ChargeSaying.AT_WORK: ("pending", "requires_action"),
    ChargeSaying.DECLINED: ("failed", "canceled"),
    ChargeSaying.UNLISTED_WORD: (UNLISTED,),
}


class StripeChargeDouble:
    """What Stripe says about a payment intent, and about the refund of one."""

    payment_method: Final = {"type": "card", "token": "pm_conformance8f2a"}

    def read(self, request: ReceivedRequest) -> AskedCharge:
        """Read a form, or the id in the path."""
        path = urlsplit(request.target).path
        one = unquote(path.removeprefix(f"{INTENTS}/"))
        match request.method, path:
            case "POST", p if p == INTENTS:
                return self._made(request)
            case "POST", p if p == REFUNDS:
                return self._refunded(request)
            case "GET", p if p.startswith(f"{INTENTS}/"):
                return AskedCharge(call=ChargeCall.STATUS, provider_reference=one)
            case _:
                raise Unreadable(f"{request.method} {path} is no call of Stripe's")

    def replies(
        self, call: ChargeCall, saying: ChargeSaying, deal: Deal
    ) -> Mapping[str, Reply]:
        """Return the object in a fitting status, or the error that Stripe has."""
        if saying is ChargeSaying.LOCKED_OUT:
            told = error_reply(401, "invalid_request_error", "api_key_expired")
            return {"401": told}
        if saying is ChargeSaying.DECLINED and call is not ChargeCall.STATUS:
            code = "card_declined" if call is ChargeCall.CHARGE else "charge_disputed"
            kind = (
                "card_error" if call is ChargeCall.CHARGE else "invalid_request_error"
            )
            status = 402 if call is ChargeCall.CHARGE else 400
            return {code: error_reply(status, kind, code)} | self._objects(
                call, saying, deal
            )
        return self._objects(call, saying, deal)

    def cancelled(self, deal: Deal) -> Reply:
        """Return the intent, cancelled."""
        return _shown(_intent(deal, "canceled"))

    def _objects(
        self, call: ChargeCall, saying: ChargeSaying, deal: Deal
    ) -> dict[str, Reply]:
        if call is ChargeCall.REFUND:
            words = _OF_REFUNDS.get(saying, ())
            return {f"status {word}": _shown(_refund(deal, word)) for word in words}
        told = {
            f"status {word}": _shown(_intent(deal, word))
            for word in _OF_INTENTS.get(saying, ())
        }
        if saying is ChargeSaying.DECLINED:
            error = {"last_payment_error": {"code": "card_declined"}}
            told["status canceled"] = _shown(_intent(deal, "canceled"))
            told["a refused card"] = _shown(
                _intent(deal, "requires_payment_method") | error
            )
        return told

    def _made(self, request: ReceivedRequest) -> AskedCharge:
        form = _form(request)
        if form.get("confirm") != "true" or form.get("off_session") != "true":
            raise Unreadable("it does not confirm the intent with nobody there")
        currency = form.get("currency", "").upper()
        try:
            amount = ours(int(form.get("amount", "")), currency)
        except (UnreadableField, ValueError):
            amount = None
        return AskedCharge(
            call=ChargeCall.CHARGE,
            reference=form.get("metadata[reference]"),
            key=request.headers.get("idempotency-key"),
            amount=amount,
            currency=currency,
        )

    def _refunded(self, request: ReceivedRequest) -> AskedCharge:
        form = _form(request)
        return AskedCharge(
            call=ChargeCall.REFUND,
            reference=form.get("metadata[reference]"),
            provider_reference=form.get("payment_intent"),
            key=request.headers.get("idempotency-key"),
        )


def _form(request: ReceivedRequest) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode("ascii"), keep_blank_values=True))


def _intent(deal: Deal, status: str) -> dict[str, Any]:
    amount = _amount(deal)
    return {
        "id": deal.provider_reference,
        "object": "payment_intent",
        "amount": amount,
        "amount_received": amount if status == "succeeded" else 0,
        "currency": deal.money.currency.lower(),
        "metadata": {"reference": deal.reference},
        "status": status,
    }


def _refund(deal: Deal, status: str) -> dict[str, Any]:
    return {
        "id": "re_conformance",
        "object": "refund",
        "amount": _amount(deal),
        "currency": deal.money.currency.lower(),
        "payment_intent": deal.provider_reference,
        "metadata": {"reference": deal.reference},
        "status": status,
    }


def _amount(deal: Deal) -> int:
    try:
        return theirs(deal.money, "payment_intent")
    except NotPayable:
        return deal.money.amount


def _shown(body: Mapping[str, object]) -> Reply:
    return Reply(body=orjson.dumps(body))


def charge_double(table: ProviderTable) -> StripeChargeDouble:
    """Make the double of any table."""
    del table
    return StripeChargeDouble()
