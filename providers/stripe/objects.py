"""Reads payouts and payment intents: what became of one, and whether it is ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from fsm.domain.money import EXPONENTS
from fsm.domain.reading import (
    UnreadableField,
    amount_in,
    code_in,
    currency_in,
    identifier_in,
    message_in,
)
from providers.config.stripe import Makes
from providers.stripe.amounts import ours

Body = Mapping[str, object]

REFERENCE: Final = "reference"
PLACES: Final[Mapping[Makes, str]] = {
    "payout": "/v1/payouts",
    "payment_intent": "/v1/payment_intents",
}


class Fate(StrEnum):
    """What Stripe's word for a state stands for."""

    COMING = "coming"
    PAID = "paid"
    NOT_PAID = "not paid"
    REVERSED = "reversed"
    UNKNOWN = "unknown"


_FATES: Final[Mapping[Makes, Mapping[str, Fate]]] = {
    "payout": {
        "pending": Fate.COMING,
        "in_transit": Fate.COMING,
        "paid": Fate.PAID,
        "failed": Fate.NOT_PAID,
        "canceled": Fate.NOT_PAID,
    },
    "payment_intent": {
        "requires_confirmation": Fate.COMING,
        "requires_action": Fate.COMING,
        "requires_capture": Fate.COMING,
        "processing": Fate.COMING,
        "succeeded": Fate.PAID,
        "canceled": Fate.NOT_PAID,
    },
}
WAITING_FOR_SOMEBODY: Final = frozenset(
    {"requires_action", "requires_confirmation", "requires_capture"}
)
"""What an intent says that goes on only if somebody does something about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A payout or payment intent, as Stripe shows it; amounts are in ISO's units."""

    id: str
    reference: str | None
    status: str
    fate: Fate
    amount: int
    currency: str
    live: bool | None
    code: str | None
    message: str | None
    arrival: int | None


def read_seen(body: Body, makes: Makes) -> Seen:
    """Read one object.

    :raises UnreadableField: a field that matters is missing, or is not what it must be.
    """
    if body.get("object") != makes:
        raise UnreadableField("object")
    found, status = identifier_in(body, "id"), identifier_in(body, "status")
    if found is None or status is None:
        raise UnreadableField("id" if found is None else "status")
    failing = _failing(body, makes)
    fate = _fate(body, status, failing, makes)
    amount, currency = _money(body, fate, makes)
    live, arrival = body.get("livemode"), body.get("arrival_date")
    return Seen(
        id=found,
        reference=reference_in(body),
        status=status,
        fate=fate,
        amount=amount,
        currency=currency,
        live=live if isinstance(live, bool) else None,
        code=code_in({"code": failing.get("decline_code") or failing.get("code")}),
        message=message_in(failing),
        arrival=arrival if type(arrival) is int else None,
    )


def reference_in(body: Body) -> str | None:
    """Return what its maker left in ``metadata[reference]``."""
    metadata = body.get("metadata")
    return identifier_in(metadata, REFERENCE) if isinstance(metadata, dict) else None


def _fate(body: Body, status: str, failing: Body, makes: Makes) -> Fate:
    # Ours are confirmed as they are made: one that wants another method has been
    # refused, and nobody but us could confirm it again.
    if makes == "payment_intent" and status == "requires_payment_method" and failing:
        return Fate.NOT_PAID
    fate = _FATES[makes].get(status, Fate.UNKNOWN)
    if fate is Fate.PAID and body.get("reversed_by") is not None:
        return Fate.REVERSED
    return fate


def _failing(body: Body, makes: Makes) -> Body:
    if makes == "payout":
        failing = {"code": "failure_code", "message": "failure_message"}
        told = {name: body.get(place) for name, place in failing.items()}
        return {name: value for name, value in told.items() if value is not None}
    error = body.get("last_payment_error")
    return error if isinstance(error, dict) else {}


def money_in(body: Body, amount: object) -> tuple[int, str]:
    """Return an amount of an object's own currency, in ISO's unit.

    :raises UnreadableField: either of them is missing, or is not what it must be.
    """
    currency = body.get("currency")
    if isinstance(currency, str):
        currency = currency.upper()
    checked = currency_in({"currency": currency})
    if checked is None or checked not in EXPONENTS:
        raise UnreadableField("currency")
    read = amount_in({"amount": amount})
    if read is None:
        raise UnreadableField("amount")
    return ours(read, checked), checked


def _money(body: Body, fate: Fate, makes: Makes) -> tuple[int, str]:
    """Return how much it is; of a payment what came in, not what was asked for."""
    collected = makes == "payment_intent" and fate is Fate.PAID
    place = "amount_received" if collected and "amount_received" in body else "amount"
    return money_in(body, body.get(place))
