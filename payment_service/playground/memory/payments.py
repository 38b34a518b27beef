"""Payment providers in memory: books of their own, and faults on demand.

The books are the truth: what is charged there is charged. A call that is repeated with
its key finds what the first has done; a refund under another key gives the money back
once more, and is no less real for that.
"""

from enum import Enum
from typing import Final

from fsm.charge.policy import ChargePolicy
from handlers.ports.payments import (
    Charge,
    ChargeAnswer,
    Charged,
    ChargeStatus,
    RefundAnswer,
    Refunded,
)
from handlers.ports.services import (
    ServiceNotKnown,
    ServicePending,
    ServiceRefused,
)
from payment_service.playground.memory.counterparts import ByName, MemoryCounterpart
from payment_service.playground.memory.effects import Effects


class ChargeFate(Enum):
    """What a provider has written down of a charge; KEPT cannot be refunded."""

    CHARGED = "charged"
    KEPT = "charged for good"
    REFUSED = "refused"
    REFUNDED = "refunded"


PAID: Final = frozenset({ChargeFate.CHARGED, ChargeFate.KEPT})


class MemoryPayment(MemoryCounterpart[Charge]):
    """Implements ``handlers.ports.payments.PaymentProvider``.

    The calls are ``charge``, ``charge_status`` and ``refund``. ``refuses`` and
    ``keeps`` say no to a charge, or to a refund; ``pending`` is as with a service in
    memory. ``says`` is the amount that it says it has charged. ``collected`` is what it
    has charged for each reference, ``balance`` what it holds, ``wrong`` what it was
    asked and is absurd.
    """

    def __init__(
        self,
        name: str,
        *,
        policy: ChargePolicy | None = None,
        effects: Effects | None = None,
    ) -> None:
        super().__init__(name, lands_after="charge_status", effects=effects)
        self.policy = policy or ChargePolicy()
        self.refuses = False
        self.keeps = False
        self.pending = 0
        self.says: int | None = None
        self.books: dict[str, ChargeFate] = {}
        self.refunds: dict[str, str] = {}
        self.collected: dict[str, int] = {}
        self.balance = 0
        self.wrong: list[str] = []
        self.calls: list[tuple[str, Charge]] = []

    async def charge(self, charge: Charge) -> ChargeAnswer:
        return await self._called(
            "charge", lambda: self._charged(charge), floats=charge
        )

    async def charge_status(self, charge: Charge) -> ChargeStatus:
        return await self._called("charge_status", lambda: self._asked(charge))

    async def refund(self, charge: Charge) -> RefundAnswer:
        return await self._called("refund", lambda: self._refunded(charge))

    def stands(self, task_id: str) -> bool:
        """Tell whether a charge is made by the books, and not refunded."""
        return self.books.get(task_id) in PAID

    def _arrives(self, call: Charge) -> ChargeAnswer:
        return self._charged(call)

    def _charged(self, charge: Charge) -> Charged | ServiceRefused:
        self.calls.append(("charge", charge))
        if charge.reference not in self.books:
            fate = ChargeFate.REFUSED if self.refuses else ChargeFate.CHARGED
            self.books[charge.reference] = fate
            if fate is ChargeFate.CHARGED:
                self.collected[charge.reference] = charge.money.amount
                self.balance += charge.money.amount
        return self._said(charge)

    def _asked(self, charge: Charge) -> ChargeStatus:
        self.calls.append(("charge_status", charge))
        if self.pending:
            self.pending -= 1
            return ServicePending()
        if charge.reference not in self.books:
            return ServiceNotKnown()
        return self._said(charge)

    def _refunded(self, charge: Charge) -> RefundAnswer:
        self.calls.append(("refund", charge))
        fate = self.books.get(charge.reference)
        if fate not in {*PAID, ChargeFate.REFUNDED}:
            self.wrong.append(f"{charge.reference} is to be refunded, and is {fate}")
            return ServiceRefused(code="not_charged")
        if self.keeps and fate is ChargeFate.CHARGED:
            fate = self.books[charge.reference] = ChargeFate.KEPT
        if fate is ChargeFate.KEPT:
            return ServiceRefused(code="too_late", message="it was disputed")
        if charge.key not in self.refunds:
            self.refunds[charge.key] = charge.reference
            self.balance -= charge.money.amount
            self.books[charge.reference] = ChargeFate.REFUNDED
        return Refunded(reference=f"re_{charge.key}")

    def _said(self, charge: Charge) -> Charged | ServiceRefused:
        fate = self.books[charge.reference]
        if fate is ChargeFate.REFUSED:
            return ServiceRefused(code="card_declined", message=f"{self.name} says no")
        amount = self.says or charge.money.amount
        return Charged(
            reference=f"ch_{charge.reference}",
            amount=amount,
            currency=charge.money.currency,
        )


class MemoryPayments(ByName[MemoryPayment]):
    """Implements ``handlers.ports.payments.PaymentProviders``."""
