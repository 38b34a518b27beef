"""The adapter `rest` for charges: collects and refunds in the default wire form.

Contract, section 5. Nothing tells of a charge but the answers to calls: its webhooks
are not heard yet, so none is asked for.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import Final, TypeVar

from fsm.domain.reading import identifier_in, says_error
from handlers.ports.payments import (
    Charge,
    ChargeAnswer,
    ChargeStatus,
    RefundAnswer,
    Refunded,
)
from handlers.ports.services import ServiceRefused, ServiceUnclear
from providers.answering import Answer, unanswered
from providers.charging import (
    charge_answer,
    charge_status,
    payout_of,
    unanswered_charge,
)
from providers.config import ProviderTable
from providers.config.charging import charge_policy
from providers.http.outbound import Outbound, Response
from providers.port import Declined, NotFound, Payout, Succeeded, Unclear
from providers.rest import translate
from providers.rest.auth import fixed_headers
from providers.rest.client import RestClient
from providers.rest.parsed import DECLINED, DEFINITE, NOT_DEFINITE, SUCCESSES
from providers.retry_after import heeding

CHARGES: Final = "charges"
REFUNDED: Final = "refunded"
TAKEN: Final = "accepted"
BESIDE_AN_ERROR: Final = "it says yes, and an error beside it"
NOT_THROUGH: Final = "it has taken the refund, and is still at it"

Said = TypeVar("Said")


class RestCharges:
    """Implements ``PaymentProvider`` in the default wire form.

    :raises ValueError: its table cannot be asked what it charged.
    """

    def __init__(
        self, table: ProviderTable, outbound: Outbound, *, base_url: str
    ) -> None:
        self.name: Final = table.name
        self.policy: Final = charge_policy(table)
        self.timeout: Final = table.timeout
        self._rejection_codes = frozenset(table.rejection_codes)
        tls = table.tls.context() if table.tls else None
        self._client = RestClient(
            outbound.lane(table.max_in_flight, tls=tls),
            base_url=base_url,
            headers=fixed_headers(table),
            timeout=table.timeout,
            place=CHARGES,
        )

    async def charge(self, charge: Charge) -> ChargeAnswer:
        """Ask for the money under the key ``charge.key``."""
        answer = await self._client.create(charge.key, charge_request(charge))
        return answer_to_charge(answer, charge, self._rejection_codes)

    async def charge_status(self, charge: Charge) -> ChargeStatus:
        """Ask what became of it, by our reference."""
        answer = await self._client.status(charge.reference)
        return answer_to_question(answer, charge)

    async def refund(self, charge: Charge) -> RefundAnswer:
        """Have all of it given back, under the key ``charge.key``."""
        answer = await self._client.refund(
            charge.reference, refund_request(charge), key=charge.key
        )
        return refund_answer(answer, charge)


def charge_request(charge: Charge) -> dict[str, object]:
    """Return the body of a charge: the same one, however often it is made."""
    return {
        "reference": charge.reference,
        "amount": charge.money.amount,
        "currency": charge.money.currency,
        "payment_method": dict(charge.payment_method),
        "order_id": charge.order_id,
        "merchant_id": charge.merchant_id,
        "customer_id": charge.customer_id,
    }


def refund_request(charge: Charge) -> dict[str, object]:
    """Return the body of a refund."""
    return {
        "reference": charge.reference,
        "amount": charge.money.amount,
        "currency": charge.money.currency,
    }


def answer_to_charge(
    answer: Answer, charge: Charge, rejection_codes: Collection[str] = ()
) -> ChargeAnswer:
    """Read the answer to a charge, as carefully as that to a create."""
    said = translate.create_answer(answer, payout_of(charge), rejection_codes)
    return charge_answer(heeding(_undisputed(said, answer), answer))


def answer_to_question(answer: Answer, charge: Charge) -> ChargeStatus:
    """Read what became of a charge."""
    payout = payout_of(charge)
    said = translate.status_answer(answer, payout)
    if isinstance(said, NotFound) and isinstance(answer, Response):
        said = _of_its_own(said, answer, payout)
    return charge_status(heeding(_undisputed(said, answer), answer))


def _of_its_own(said: NotFound, answer: Response, payout: Payout) -> NotFound | Unclear:
    """Return that it knows no such charge, where it is the provider that says so.

    A page is that of whoever stands before it, and absence may let the next one charge.
    """
    doubt = translate.parsed(answer, payout).doubt
    if doubt is None or not answer.body.strip():
        return said
    return Unclear(because=doubt, evidence=said.evidence)


def _undisputed(said: Said, answer: Answer) -> Said | Unclear:
    """Return what was said, unless it is a yes beside an error, which is neither."""
    if not isinstance(said, Succeeded) or not _says_error(answer):
        return said
    return Unclear(because=BESIDE_AN_ERROR, evidence=said.evidence)


def _says_error(answer: Answer) -> bool:
    return isinstance(answer, Response) and says_error(answer.read_object() or {})


def refund_answer(answer: Answer, charge: Charge) -> RefundAnswer:
    """Read the answer to a refund: only the word ``refunded``, of our money, is one.

    A charge that is shown as it was says ``succeeded``, and nothing of a refund.
    """
    if not isinstance(answer, Response):
        return unanswered_charge(unanswered(answer))
    # What a refund is called is another name than that of its charge.
    payout = replace(payout_of(charge), provider_reference=None)
    said = translate.parsed(answer, payout)
    if said.doubt is None and answer.status in SUCCESSES and said.word == REFUNDED:
        if (other := said.other()) is None and not says_error(said.body):
            return Refunded(reference=identifier_in(said.body, "provider_reference"))
        odd = f"its refund is about another {other}" if other else BESIDE_AN_ERROR
        return ServiceUnclear(because=odd)
    is_no = answer.status in DEFINITE and said.word == DECLINED
    no = said.declined() if said.doubt is None and is_no else None
    if isinstance(no, Declined):
        return ServiceRefused(code=no.code, message=no.message)
    taken = answer.status in SUCCESSES and said.word == TAKEN
    because = NOT_THROUGH if taken else said.doubt or NOT_DEFINITE
    return unanswered_charge(heeding(said.unclear(because), answer))
