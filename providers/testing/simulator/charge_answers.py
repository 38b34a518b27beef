"""What the callers of simulated charges ask, and what they read as the answer."""

from typing import Final

from aiohttp import web

from providers.testing.simulator.charge_book import BookedCharge, ReceivedCharge
from providers.testing.simulator.script import PayoutState
from providers.testing.simulator.wire import (
    BadCallError,
    Json,
    amount_in,
    currency_in,
    reply,
    text_in,
)

NO: Final = frozenset({PayoutState.DECLINED, PayoutState.FAILED})


def charge_from(request: web.BaseRequest, provider: str, body: Json) -> ReceivedCharge:
    """Read a charge.

    :raises BadCallError: the contract is broken.
    """
    method = body.get("payment_method")
    if not isinstance(method, dict):
        raise BadCallError("payment_method is not an object")
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        raise BadCallError("there is no Idempotency-Key", code="no_key")
    return ReceivedCharge(
        provider=provider,
        reference=text_in(body, "reference"),
        key=key,
        amount=amount_in(body),
        currency=currency_in(body),
        token=text_in(method, "token", ""),
        order_id=text_in(body, "order_id"),
        merchant_id=text_in(body, "merchant_id"),
        customer_id=text_in(body, "customer_id"),
    )


def charge_answer(charge: BookedCharge) -> web.Response:
    """Answer a charge, or its repeat, by what was true when it was taken."""
    script = charge.script
    if script.state in NO and not script.says:
        return declined(script.code, script.message, status=script.decline_status)
    word = script.says or script.state
    return reply({"status": word, **told_of(charge, charge.charge_id)}, status=201)


def status_of_charge(charge: BookedCharge) -> Json:
    """Say what became of a charge."""
    word = "refunded" if charge.refunded_by else str(charge.state)
    answer = {"status": charge.script.says or word, **told_of(charge, charge.charge_id)}
    if charge.state in NO:
        answer["code"] = charge.script.code
    return answer


def told_of(charge: BookedCharge, named: str) -> Json:
    """Return what is said of its money, true or not; ``named`` is its own id."""
    script = charge.script
    return {
        "provider_reference": named,
        "amount": charge.asked.amount + script.misreport_amount,
        "currency": script.misreport_currency or charge.asked.currency,
    }


def declined(code: str, message: str, *, status: int = 422) -> web.Response:
    """Answer with a definite no."""
    declined = {"status": "declined", "code": code, "message": message}
    return reply(declined, status=status)


def question(provider: str, reference: str) -> ReceivedCharge:
    """Return which charge a call is about that says nothing else."""
    return ReceivedCharge(
        provider=provider,
        reference=reference,
        key="",
        amount=0,
        currency="",
        token="",
    )
