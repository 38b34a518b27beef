"""A payment provider asked as a step's service is: do charges, undo refunds.

A charge's key is its task's id, that of its refund is made of it: whoever makes either
call again makes the same one.
"""

from collections.abc import Mapping
from typing import Any, Final

from fsm.charge.policy import ChargePolicy
from fsm.domain.money import Money
from handlers.ports.payments import (
    Charge,
    Charged,
    PaymentProvider,
    Refunded,
)
from handlers.ports.services import (
    AskAnswer,
    DoAnswer,
    LoadAnswer,
    LoadCall,
    ServiceCall,
    ServiceDone,
    ServiceUnclear,
    ServiceUndone,
    UndoAnswer,
)

REFERENCE: Final = "reference"
"""Under which name a charge's result keeps what its provider calls it."""
OTHER_MONEY: Final = "it says that it has charged another amount"


def charge_key(task_id: str) -> str:
    """Return the key of a task's charge."""
    return task_id


def refund_key(task_id: str) -> str:
    """Return the key of the refund of a task's charge."""
    return f"{task_id}:refund"


class Charging:
    """Implements ``StepService`` by a payment provider."""

    def __init__(self, provider: PaymentProvider) -> None:
        self._provider = provider

    @property
    def name(self) -> str:
        """The provider's name."""
        return self._provider.name

    @property
    def policy(self) -> ChargePolicy:
        """How the provider may be treated."""
        return self._provider.policy

    async def do(self, call: ServiceCall) -> DoAnswer:
        """Have the order's money collected."""
        charge = _charge_of(call, charge_key(call.task_id))
        answer = await self._provider.charge(charge)
        return _done(answer, charge) if isinstance(answer, Charged) else answer

    async def undo(self, call: ServiceCall) -> UndoAnswer:
        """Have all of it refunded."""
        charge = _charge_of(call, refund_key(call.task_id))
        answer = await self._provider.refund(charge)
        return ServiceUndone() if isinstance(answer, Refunded) else answer

    async def ask(self, call: ServiceCall) -> AskAnswer:
        """Ask what became of the charge."""
        charge = _charge_of(call, charge_key(call.task_id))
        answer = await self._provider.charge_status(charge)
        return _done(answer, charge) if isinstance(answer, Charged) else answer

    async def load(self, call: LoadCall) -> LoadAnswer:
        """Load nothing: a payment provider has nothing that steps need."""
        return ServiceUnclear(because=f"{self.name} loads no {call.name}")


def _charge_of(call: ServiceCall, key: str) -> Charge:
    order: Mapping[str, Any] = call.order
    return Charge(
        reference=call.task_id,
        key=key,
        money=Money(order["amount"], order["currency"]),
        order_id=order["order_id"],
        merchant_id=order["merchant_id"],
        customer_id=order["customer_id"],
        payment_method=order.get("payment_method", {}),
        provider_reference=_named_by_its_provider(call),
    )


def _named_by_its_provider(call: ServiceCall) -> str | None:
    named = call.result.get(REFERENCE)
    return named if isinstance(named, str) else None


def _done(charged: Charged, charge: Charge) -> ServiceDone | ServiceUnclear:
    """Return what a yes means: about another amount it proves nothing."""
    said = (charged.amount, charged.currency)
    asked = (charge.money.amount, charge.money.currency)
    if any(a is not None and a != b for a, b in zip(said, asked, strict=True)):
        return ServiceUnclear(because=OTHER_MONEY, disputed=True)
    return ServiceDone(
        result={} if charged.reference is None else {REFERENCE: charged.reference}
    )
