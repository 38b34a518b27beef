"""Payment providers in memory: books of their own, and faults on demand.

The books are the truth: what is charged there is charged. A call that is repeated with
its key finds what the first has done; a refund under another key gives the money back
once more, and is no less real for that.
"""

from collections import Counter
from enum import Enum
from typing import Final, TypeVar

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
    ServiceNotSent,
    ServicePending,
    ServiceRefused,
    ServiceUnclear,
)
from payment_service.playground.memory.effects import Effects
from payment_service.playground.memory.services import AWAY, LACKING, UNHEARD

Answer = TypeVar("Answer")


class ChargeFate(Enum):
    """What a provider has written down of a charge; KEPT cannot be refunded."""

    CHARGED = "charged"
    KEPT = "charged for good"
    REFUSED = "refused"
    REFUNDED = "refunded"


PAID: Final = frozenset({ChargeFate.CHARGED, ChargeFate.KEPT})


class MemoryPayment:
    """Implements ``handlers.ports.payments.PaymentProvider``.

    ``refuses`` and ``keeps`` say no to a charge, or to a refund. ``away``, ``lacking``,
    ``silent`` and ``pending`` are as with a service in memory; the calls are
    ``charge``, ``charge_status`` and ``refund``. ``late`` charges are given up
    unanswered, and arrive once a ``charge_status`` was answered; ``lost`` ones never
    do. ``says`` is the amount that it says it has charged. ``balance`` is what it
    holds, ``wrong`` what it was asked and is absurd.
    """

    def __init__(
        self,
        name: str,
        *,
        policy: ChargePolicy | None = None,
        effects: Effects | None = None,
    ) -> None:
        self.name = name
        self.policy = policy or ChargePolicy()
        self.refuses = False
        self.keeps = False
        self.away: Counter[str] = Counter()
        self.lacking: Counter[str] = Counter()
        self.silent: Counter[str] = Counter()
        self.pending = 0
        self.late = 0
        self.lost = 0
        self.says: int | None = None
        self.books: dict[str, ChargeFate] = {}
        self.refunds: dict[str, str] = {}
        self.balance = 0
        self.wrong: list[str] = []
        self.calls: list[tuple[str, Charge]] = []
        self._effects = effects or Effects()
        self._floating: list[Charge] = []

    async def charge(self, charge: Charge) -> ChargeAnswer:
        kept_away = self._kept_away("charge")
        if kept_away is not None:
            return kept_away
        if self.lost:
            self.lost -= 1
            return ServiceUnclear(because="timed out")
        if self.late:
            self.late -= 1
            self._floating.append(charge)
            return ServiceUnclear(because="timed out")
        answer = await self._effects.do(
            f"{self.name}.charge", lambda: self._charged(charge), _unheard
        )
        return self._heard("charge", answer)

    async def charge_status(self, charge: Charge) -> ChargeStatus:
        kept_away = self._kept_away("charge_status")
        if kept_away is not None:
            return kept_away
        answer = await self._effects.do(
            f"{self.name}.charge_status", lambda: self._asked(charge), _unheard
        )
        self.lands()
        return self._heard("charge_status", answer)

    async def refund(self, charge: Charge) -> RefundAnswer:
        kept_away = self._kept_away("refund")
        if kept_away is not None:
            return kept_away
        answer = await self._effects.do(
            f"{self.name}.refund", lambda: self._refunded(charge), _unheard
        )
        return self._heard("refund", answer)

    def lands(self) -> None:
        """Let every charge that is still on its way arrive, each of them twice."""
        floating, self._floating = self._floating, []
        for charge in (*floating, *floating):
            self._charged(charge)

    def stands(self, task_id: str) -> bool:
        """Tell whether a charge is made by the books, and not refunded."""
        return self.books.get(task_id) in PAID

    def _kept_away(self, what: str) -> ServiceNotSent | None:
        for counts, answer in ((self.away, AWAY), (self.lacking, LACKING)):
            if counts[what]:
                counts[what] -= 1
                return answer
        return None

    def _heard(self, what: str, answer: Answer) -> Answer | ServiceUnclear:
        if self.silent[what]:
            self.silent[what] -= 1
            return ServiceUnclear(because=UNHEARD)
        return answer

    def _charged(self, charge: Charge) -> Charged | ServiceRefused:
        self.calls.append(("charge", charge))
        if charge.reference not in self.books:
            fate = ChargeFate.REFUSED if self.refuses else ChargeFate.CHARGED
            self.books[charge.reference] = fate
            if fate is ChargeFate.CHARGED:
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


def _unheard(done: bool) -> ServiceUnclear:
    return ServiceUnclear(because=f"timed out, done: {done}")


class MemoryPayments:
    """Implements ``handlers.ports.payments.PaymentProviders``."""

    def __init__(self, *providers: MemoryPayment) -> None:
        self._by_name = {provider.name: provider for provider in providers}

    def __getitem__(self, name: str) -> MemoryPayment:
        return self._by_name[name]

    def get(self, name: str) -> MemoryPayment | None:
        return self._by_name.get(name)

    def every(self) -> list[MemoryPayment]:
        return list(self._by_name.values())

    def add(self, provider: MemoryPayment) -> None:
        self._by_name[provider.name] = provider

    def drop(self, name: str) -> None:
        """Take a provider out of the configuration."""
        del self._by_name[name]
