"""Gives back what a payment intent has collected, and reads Stripe's refunds.

A repeat of a refund is answered as the first was, for a day: one that was on its way
is looked at itself. Later a repeat is another request; Stripe gives nothing back twice,
and the list of refunds tells what became of the first.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from fsm.domain.reading import (
    UnreadableField,
    code_in,
    identifier_in,
)
from handlers.ports.payments import RefundAnswer, Refunded
from handlers.ports.services import ServiceRefused, ServiceUnclear
from providers.answering import Answer, unanswered
from providers.charging import unanswered_charge
from providers.http.outbound import Response
from providers.port import Declined, NotSent, StatusAnswer, Unclear
from providers.retry_after import heeding
from providers.stripe import translate
from providers.stripe.client import StripeClient
from providers.stripe.objects import money_in
from providers.stripe.translate import OK, SUCCESSES, Context

PLACE: Final = "/v1/refunds"
ALREADY: Final = "charge_already_refunded"
NOT_CHARGED: Final = "not_charged"
LISTED_MAX: Final = 100
ON_ITS_WAY: Final = frozenset({"pending", "requires_action"})
GIVEN_BACK: Final = "succeeded"
NOT_GIVEN_BACK: Final = frozenset({"failed", "canceled"})
UNLISTED: Final = "its list of refunds cannot be read"
NOT_THROUGH: Final = "the refund is on its way"
NOT_FOUND_YET: Final = "Stripe does not find the charge that is to be refunded"


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeRefund:
    """A refund as Stripe shows it; the amount is in ISO's unit."""

    id: str
    status: str
    amount: int
    currency: str
    reason: str | None


async def refund(
    client: StripeClient, context: Context, intent: str, key: str, until: float
) -> RefundAnswer:
    """Give all of an intent back under a key of its own; ``until`` ends all calls."""
    form = {
        "payment_intent": intent,
        "metadata[reference]": context.payout.reference,
    }
    answer = await client.post(PLACE, form, account=None, key=key, until=until)
    if _says_already(answer):
        query = {"payment_intent": intent, "limit": str(LISTED_MAX)}
        listed = await client.get(PLACE, query, account=None, until=until)
        return already_refunded(listed, context, intent)
    made = refund_in(answer, intent)
    if made is not None and made.status in ON_ITS_WAY:
        # The answer may be the first one's, of yesterday.
        path = f"{PLACE}/{quote(made.id, safe='')}"
        answer = await client.get(path, {}, account=None, until=until)
    return refund_answer(answer, context, intent)


def refund_answer(answer: Answer, context: Context, intent: str) -> RefundAnswer:
    """Read what became of one refund."""
    if not isinstance(answer, Response):
        return unanswered_charge(unanswered(answer))
    made = refund_in(answer, intent)
    if made is None:
        return _not_made(answer, context)
    money = context.payout.money
    if (made.amount, made.currency) != (money.amount, money.currency):
        return ServiceUnclear(because="its refund is about another amount")
    if made.status == GIVEN_BACK:
        return Refunded(reference=made.id)
    if made.status in NOT_GIVEN_BACK:
        code = context.hidden(made.reason or f"refund_{made.status}")
        return ServiceRefused(code=code)
    on_its_way = made.status in ON_ITS_WAY
    return ServiceUnclear(
        because=NOT_THROUGH if on_its_way else "the status of its refund is not known"
    )


def already_refunded(answer: Answer, context: Context, intent: str) -> RefundAnswer:
    """Read the refunds of an intent of which nothing is left to give back.

    Whoever has given it back, it is given back; what is on its way is waited for.
    """
    if not isinstance(answer, Response):
        return unanswered_charge(unanswered(answer))
    if answer.status != OK:
        said = translate.refusal(answer, context)
        # A no to the question is none to the refund.
        told = Unclear(because=UNLISTED) if isinstance(said, Declined) else said
        return unanswered_charge(heeding(told, answer))
    rows = (answer.read_object() or {}).get("data")
    found = [_read(row, intent) for row in rows] if isinstance(rows, list) else [None]
    listed = [each for each in found if each is not None]
    if len(listed) != len(found):
        return ServiceUnclear(because=UNLISTED)
    return _of_several(listed, context)


def _of_several(listed: list[StripeRefund], context: Context) -> RefundAnswer:
    money = context.payout.money
    ours = [each for each in listed if each.currency == money.currency]
    given = sum(each.amount for each in ours if each.status == GIVEN_BACK)
    coming = sum(each.amount for each in ours if each.status in ON_ITS_WAY)
    if given >= money.amount:
        return Refunded()
    if given + coming >= money.amount:
        return ServiceUnclear(because=NOT_THROUGH)
    return ServiceRefused(code=ALREADY)


def of_what_is_not_charged(found: StatusAnswer) -> RefundAnswer:
    """Return what becomes of a refund whose charge is not found as one that is paid."""
    if isinstance(found, Declined):
        return ServiceRefused(code=NOT_CHARGED, message=found.code)
    if isinstance(found, NotSent | Unclear):
        return unanswered_charge(found)
    return ServiceUnclear(because=NOT_FOUND_YET)


def refund_in(answer: Answer, intent: str) -> StripeRefund | None:
    """Return the refund that an answer shows, None where it is none of this intent."""
    if not isinstance(answer, Response) or answer.status not in SUCCESSES:
        return None
    return _read(answer.read_object(), intent)


def _read(body: object, intent: str) -> StripeRefund | None:
    """Read one refund; None where a field that matters is missing, or another's."""
    if not isinstance(body, dict) or body.get("object") != "refund":
        return None
    found, status = identifier_in(body, "id"), identifier_in(body, "status")
    if found is None or status is None or body.get("payment_intent") != intent:
        return None
    try:
        amount, currency = money_in(body, body.get("amount"))
    except UnreadableField:
        return None
    return StripeRefund(
        id=found,
        status=status,
        amount=amount,
        currency=currency,
        reason=code_in({"code": body.get("failure_reason")}),
    )


def _not_made(answer: Response, context: Context) -> RefundAnswer:
    """Return what an error of a refund means; a no only leads to a person."""
    said = translate.refusal(answer, context, of_any_code=True)
    if isinstance(said, Declined):
        return ServiceRefused(code=said.code, message=said.message)
    return unanswered_charge(heeding(said, answer))


def _says_already(answer: Answer) -> bool:
    if not isinstance(answer, Response):
        return False
    problem = translate.problem_in(answer.read_object())
    return problem is not None and problem.code == ALREADY
