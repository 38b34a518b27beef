"""Charges of payment providers, said in what adapters of payouts know already.

A charge is asked for as a create is, and its answers are read as carefully: what is no
definite word about it is unclear. Only the direction of the money is another.
"""

from typing import Final

from handlers.ports.payments import Charge, ChargeAnswer, Charged, ChargeStatus
from handlers.ports.services import (
    ServiceNotKnown,
    ServiceNotSent,
    ServicePending,
    ServiceRefused,
    ServiceUnclear,
)
from providers.health.observed import CLIENT_ERRORS
from providers.port import (
    Accepted,
    CreateAnswer,
    Declined,
    NotFound,
    NotSent,
    Payout,
    Returned,
    StatusAnswer,
    Succeeded,
    Unclear,
)
from providers.retry_after import AFTER_MAX

AT_WORK: Final = "it has taken the charge, and is still at it"
TAKEN_BACK: Final = "it has charged, and given the money back unasked"


def payout_of(charge: Charge) -> Payout:
    """Return a charge as adapters read requests: its method is where the money is."""
    method = charge.payment_method
    return Payout(
        reference=charge.reference,
        money=charge.money,
        destination={n: v for n, v in method.items() if isinstance(v, str)},
        terminal_id=None,
        provider_reference=charge.provider_reference,
    )


def charge_answer(said: CreateAnswer | StatusAnswer) -> ChargeAnswer:
    """Return the answer to a charge: what is only taken is not charged yet."""
    match said:
        case Accepted():
            return ServiceUnclear(because=AT_WORK, taken=True)
        case NotFound():
            return ServiceUnclear(because="it answers as if it were asked")
        case _:
            return _settled(said)


def charge_status(said: StatusAnswer) -> ChargeStatus:
    """Return the answer to a question for a charge."""
    match said:
        case Accepted():
            return ServicePending()
        case NotFound():
            return ServiceNotKnown()
        case _:
            return _settled(said)


def _settled(
    said: Succeeded | Declined | Returned | NotSent | Unclear,
) -> Charged | ServiceRefused | ServiceNotSent | ServiceUnclear:
    match said:
        case Succeeded(reference=reference, amount=amount, currency=currency):
            return Charged(reference=reference, amount=amount, currency=currency)
        case Declined(code=code, message=message):
            return ServiceRefused(code=code, message=message)
        case Returned():
            return ServiceUnclear(because=TAKEN_BACK)
        case NotSent() | Unclear():
            return unanswered_charge(said)


def unanswered_charge(said: NotSent | Unclear) -> ServiceNotSent | ServiceUnclear:
    """Return what follows from no answer; nobody waits for long because of it."""
    after = min(said.after, AFTER_MAX)
    if isinstance(said, Unclear):
        answered = said.evidence.get("http_status") in CLIENT_ERRORS
        return ServiceUnclear(because=said.because, after=after, answered=answered)
    return ServiceNotSent(because=said.because, after=after, lacking=said.lacking)
