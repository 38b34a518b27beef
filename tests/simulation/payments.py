"""The payment providers of checkouts: slow, down, unheard, and of their own mind."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any, Final

from fsm.charge.policy import ChargePolicy
from fsm.engine.backoff import Backoff
from fsm.engine.rows import Task
from handlers.ports.payments import (
    Charge,
    ChargeAnswer,
    Charged,
    ChargeStatus,
    PaidBy,
    RefundAnswer,
)
from handlers.ports.services import ServiceNotKnown, ServiceRefused
from handlers.resolve import Ruling
from payment_service.playground.memory.payments import (
    ChargeFate,
    MemoryPayment,
    MemoryPayments,
)
from tests.simulation.environment import Ground
from tests.simulation.fault_injection import Door
from tests.simulation.line import Line
from tests.simulation.rates import MINUTE, PROVIDERS, SECOND
from tests.simulation.services import UNHEARD

LATEST: Final = 5 * MINUTE
SHY_MAX: Final = LATEST // 3
"""How long a provider may not find what it has just charged."""
QUIET: Final = 20 * MINUTE
"""After so long without a call a person believes that nothing is under way."""
KEY_MARGIN: Final = 2 * LATEST
"""So much longer than configured a key lives: who configures leaves it."""
REFUND_BY_HAND: Final = "by hand"


class SimPayment(MemoryPayment):
    """A payment provider behind a bad line; its manners are drawn from the seed.

    ``on_charged`` hears of each charge that is made. It may refuse what repeats a
    charge, and charges once more who repeats one after its key: that is a wrong.
    """

    def __init__(self, ground: Ground, door: Door, name: str) -> None:
        random = Random(f"{ground.seed}:payment {name}")
        super().__init__(name, policy=policy_of(random))
        self.ground = ground
        self.flying: Counter[str] = Counter()
        self.touched: dict[str, int] = {}
        self.misnamed: set[str] = set()
        self.on_charged: Callable[[SimPayment, str], None] = lambda *_: None
        self.line = Line(ground, door, "payment", name, UNHEARD)
        self.line.timeout = random.choice((1, 3, 10)) * SECOND
        self.line.latest = lambda: LATEST
        self.line.landed = self._landed
        self._first: dict[str, int] = {}
        self._says_no = 0.5 * random.random()
        self._keeps = 0.3 * random.random() ** 2
        self._refuses_repeats = random.random() < 0.3

    async def charge(self, charge: Charge) -> ChargeAnswer:
        return await self._call("charge", charge)  # type: ignore[no-any-return]

    async def charge_status(self, charge: Charge) -> ChargeStatus:
        return await self._call("charge_status", charge)  # type: ignore[no-any-return]

    async def refund(self, charge: Charge) -> RefundAnswer:
        return await self._call("refund", charge)  # type: ignore[no-any-return]

    async def _call(self, what: str, charge: Charge) -> Any:
        acts: dict[str, Callable[[Charge], Any]] = {
            "charge": self._charged,
            "charge_status": self._asked,
            "refund": self._refunded,
        }
        act = acts[what]
        self.flying[charge.reference] += 1
        return await self.line.call(what, charge.reference, lambda: act(charge))

    def _landed(self, call: str, about: str) -> None:
        self.flying[about] -= 1
        if call == "charge":
            self.touched[about] = self.ground.clock.micros

    def _charged(self, charge: Charge) -> Charged | ServiceRefused:
        reference, ground = charge.reference, self.ground
        known = reference in self.books
        if known:
            self._heeds_its_key(charge)
        self.refuses = not known and ground.draw() < self._says_no
        if not known and ground.chance(ground.dials.another_amount):
            ground.struck("another amount in an answer", self.name)
            self.misnamed.add(reference)
        answer = super()._charged(charge)
        fate = self.books[reference]
        ground.seen[f"payment: {'repeated' if known else 'charge'}, {fate.value}"] += 1
        if not known and fate is ChargeFate.CHARGED:
            ground.note(f"{self.name} CHARGES", reference)
            self.on_charged(self, reference)
        if known and isinstance(answer, Charged) and self._refuses_repeats:
            ground.seen["payment: a no to a repeat"] += 1
            return ServiceRefused(code="duplicate")
        return answer

    def _heeds_its_key(self, charge: Charge) -> None:
        """Charge once more what is repeated after its key's time."""
        first = self._first.setdefault(charge.reference, 0)
        lives = self.policy.key_lifetime // timedelta(microseconds=1) + KEY_MARGIN
        over = self.ground.clock.micros >= first + lives
        if over and self.books[charge.reference] is not ChargeFate.REFUSED:
            self.wrong.append(f"{charge.reference} is charged again, after its key")

    def _asked(self, charge: Charge) -> ChargeStatus:
        ground = self.ground
        if ground.chance(ground.dials.provider_shy):
            age = ground.clock.micros - self.touched.get(charge.reference, 0)
            if age < SHY_MAX and ground.draw() < 0.5:
                ground.struck("payment: does not find it yet", self.name)
                return ServiceNotKnown()
            ground.struck("payment: is still at it", self.name)
            self.pending = 1
        return super()._asked(charge)

    def _refunded(self, charge: Charge) -> RefundAnswer:
        self.keeps = self.ground.draw() < self._keeps
        answer = super()._refunded(charge)
        fate = self.books.get(charge.reference)
        self.ground.seen[f"payment: refund, {fate.value if fate else fate}"] += 1
        return answer

    def _said(self, charge: Charge) -> Charged | ServiceRefused:
        self._first.setdefault(charge.reference, self.ground.clock.micros)
        self.says = 1 if charge.reference in self.misnamed else None
        return super()._said(charge)

    def found_out(self, task: Task) -> Ruling | None:
        """Return what a person says of a charge, or of its refund; None: it may move.

        What could not be refunded they refund by hand, or let stand.
        """
        reference = task.task_id
        quiet = self.ground.clock.micros - self.touched.get(reference, 0)
        if self.flying[reference] > 0 or quiet < QUIET:
            return None
        refunds = task.verdict is not None and reference[-1] in "01234567"
        if self.books.get(reference) is ChargeFate.CHARGED and refunds:
            self.refunds[f"{reference}:{REFUND_BY_HAND}"] = reference
            self.balance -= self.collected[reference]
            self.books[reference] = ChargeFate.REFUNDED
        return Ruling.POSITIVE if self.stands(reference) else Ruling.NEGATIVE

    def tells_of(self, task: Task) -> bool:
        """Tell whether who asks it again hears that the task's charge is made."""
        return self.stands(task.task_id) and task.task_id not in self.misnamed


def payments_of(ground: Ground, door: Door) -> MemoryPayments:
    """Return the payment providers of a seed: some that pay out, too."""
    names = PROVIDERS[: ground.setting.charging]
    return MemoryPayments(*(SimPayment(ground, door, name) for name in names))


def paid_by(payments: MemoryPayments) -> PaidBy:
    """Return the setting of who collects, in order; empty where services do."""
    names = tuple(each.name for each in payments.every())
    return {"payment": names} if names else {}


def policy_of(random: Random) -> ChargePolicy:
    """Draw how a payment provider may be treated."""
    return ChargePolicy(
        retry=Backoff(
            first=timedelta(seconds=random.choice((1, 5))),
            factor=2.0,
            longest=timedelta(minutes=5),
        ),
        attempts=random.choice((2, 4, 10)),
        deadline=random.choice((None, None, timedelta(minutes=30))),
        key_lifetime=timedelta(minutes=random.choice((0, 10, 60, 1440))),
        absent_after=random.choice((None, timedelta(minutes=10), timedelta(hours=1))),
    )
