"""Core and the providers: slow, down, unheard, and now and then breaking their word."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any, Final, TypeVar

from fsm.domain.money import Money
from fsm.domain.orders import Order
from fsm.engine.backoff import Backoff
from fsm.engine.rows import Task
from fsm.payout.policy import AskedBy, ProviderPolicy
from handlers.ports.core import BalanceCall, Confirmed, Operation, Refused
from handlers.ports.provider import (
    CancelAnswer,
    Cancelled,
    CreateAnswer,
    NotFound,
    NotSent,
    Payout,
    StatusAnswer,
    TooLate,
    Unclear,
)
from handlers.resolve import Ruling
from payment_service.playground.memory.core import MemoryCore
from payment_service.playground.memory.providers import (
    Conduct,
    Does,
    MemoryProvider,
    PayoutFate,
    Tells,
)
from tests.simulation.environment import Ground
from tests.simulation.fault_injection import Door
from tests.simulation.line import Line, Unheard
from tests.simulation.partners import SimMembers
from tests.simulation.rates import SECOND

Result = TypeVar("Result")
UNHEARD: Final = Unheard(
    not_sent=NotSent(because="connection refused"),
    unsure=Unclear(because="timed out"),
    failed=Unclear(because="answered 502"),
)
KEY_MARGIN: Final = 5 * 60 * SECOND
"""So much longer than configured providers remember a key: who configures leaves it."""


class SimCore(MemoryCore):
    """Refuses some calls until a person has seen to it."""

    def __init__(self, ground: Ground, door: Door) -> None:
        super().__init__(ground.clock, door)
        self.ground = ground
        self.refused: set[str] = set()
        self._sims = SimMembers(ground, self.complaints, self.refused)
        self.members = self._sims
        self._no: dict[tuple[str, Operation], bool] = {}

    def mend(self, task_id: str) -> None:
        """Have a person see to what core refused about a task."""
        for operation in (Operation.COMMIT, Operation.ROLLBACK, Operation.RETURN):
            self._no[task_id, operation] = False

    def found_out(self, order: Order, task: Task) -> Ruling:
        """Have core's people put a membership right, and say how it is."""
        return self._sims.found_out(order, task)

    def settled_by_hand(self, task_id: str, operation: Operation) -> None:
        """Have core's people move what is still held as it has to be."""
        if task_id in self.frozen:
            self.mended(task_id, operation)

    def _move(self, operation: Operation, call: BalanceCall) -> Confirmed | Refused:
        key = (call.task_id, operation)
        if key not in self._no:
            known = call.task_id in self.holds and operation is Operation.FREEZE
            says_no = self.ground.chance(self.ground.dials.core_says_no)
            self._no[key] = says_no and not known
        if self._no[key]:
            self.refused.add(call.task_id)
            self.ground.struck(f"core says no: {operation}", call.task_id)
            return Refused("refused", "core refuses")
        return super()._move(operation, call)


class SimProvider(MemoryProvider):
    """A provider behind a bad line; ``on_taken`` hears of each payout it has taken."""

    def __init__(
        self, ground: Ground, door: Door, name: str, plan: ProviderPolicy
    ) -> None:
        super().__init__(name, clock=ground.clock, plan=plan, effects=door)
        random = Random(f"{ground.seed}:{name}")
        self.ground = ground
        self.timeout = timedelta(seconds=random.choice((1, 3, 10)))
        self.line = Line(ground, door, "provider", name, UNHEARD)
        self.line.timeout = int(self.timeout.total_seconds()) * SECOND
        self.line.latest = self._latest
        self.line.landed = self._landed
        self.flying: Counter[str] = Counter()
        self.touched: dict[str, int] = {}
        self.lies: dict[str, str] = {}
        self.misnamed: set[str] = set()
        self.renamed: set[str] = set()
        self.on_taken: Callable[[SimProvider, str], None] = lambda *_: None
        self.on_cancelled: Callable[[SimProvider, str], None] = lambda *_: None
        self.on_paid: Callable[[SimProvider, str], None] = lambda *_: None
        self._first: dict[str, int] = {}
        self._weights = [random.random() ** 2 for _ in range(4)]
        self._weights[0] += 0.1

    async def create(self, payout: Payout) -> CreateAnswer:
        self.flying[payout.reference] += 1
        answer: CreateAnswer = await self.line.call(
            "create", payout.reference, lambda: self._created(payout)
        )
        return answer

    async def status(self, payout: Payout) -> StatusAnswer:
        answer: StatusAnswer = await self.line.call(
            "status", payout.reference, lambda: self._found(payout)
        )
        return answer

    async def cancel(self, payout: Payout) -> CancelAnswer:
        answer: CancelAnswer = await self.line.call(
            "cancel", payout.reference, lambda: self._cancelled(payout)
        )
        return answer

    def _landed(self, call: str, about: str) -> None:
        if call == "create":
            self.flying[about] -= 1
            self.touched[about] = self.ground.clock.micros

    def _latest(self) -> int:
        """Return how long a request may be on its way: less than the grace."""
        grace = int(self.policy.not_found_grace.total_seconds()) * SECOND
        return grace // 2

    def _conduct(self) -> Conduct:
        does = self.ground.random.choices(list(Does), self._weights)[0]
        if does is Does.IGNORES:
            return Conduct(does=does, tells=Tells.NOTHING)
        says = None
        if self.ground.chance(self.ground.dials.another_amount):
            self.ground.struck("another amount in an answer", self.name)
            says = 1
        return Conduct(does=does, says=says)

    def _created(self, payout: Payout) -> CreateAnswer:
        reference = payout.reference
        first = self._first.setdefault(reference, self.ground.clock.micros)
        lives = int(self.policy.key_lifetime.total_seconds()) * SECOND + KEY_MARGIN
        if self.ground.clock.micros >= first + lives:
            self._known.pop(reference, None)
        known = reference in self._known
        answer = super()._created(payout)
        if known and self.policy.idempotent_create:
            self.ground.seen["a repeated create found the first"] += 1
        elif reference in self._known:
            if self._known[reference].says is not None:
                self.misnamed.add(reference)
            self.on_taken(self, reference)
        return answer

    def _cancelled(self, payout: Payout) -> CancelAnswer:
        if (
            self.fate(payout.reference) is PayoutFate.PENDING
            and self.ground.draw() < 0.3
        ):
            self._note("cancel", payout)
            return TooLate()
        answer = super()._cancelled(payout)
        if isinstance(answer, Cancelled):
            self.on_cancelled(self, payout.reference)
        return answer

    def _found(self, payout: Payout) -> StatusAnswer:
        age = self.ground.clock.micros - self.touched.get(payout.reference, 0)
        young = age < self._latest() // 3
        if young and self.ground.chance(self.ground.dials.provider_shy):
            self.ground.struck("provider: does not find it yet", self.name)
            self._note("status", payout)
            return NotFound()
        return super()._found(payout)

    def _pay(self, reference: str, money: Money, destination: Any) -> None:
        super()._pay(reference, money, destination)
        self.ground.note(f"{self.name} PAYS", reference)
        self.on_paid(self, reference)

    def money_of(self, reference: str) -> Money:
        return self._known[reference].payout.money

    def has_paid(self, reference: str) -> bool:
        return any(line.reference == reference for line in self.book)


def policy_of(random: Random) -> ProviderPolicy:
    """Draw what a provider can do."""
    sla = random.choice((10, 60, 900, 3600, 86_400, None))
    made = ProviderPolicy(
        idempotent_create=random.random() < 0.5,
        key_lifetime=timedelta(hours=random.choice((1, 24))),
        not_found_definite=random.random() < 0.5,
        not_found_grace=timedelta(seconds=random.choice((30, 120, 600))),
        sla=None if sla is None else timedelta(seconds=sla),
        polls=random.random() < 0.7,
        poll=Backoff(
            first=timedelta(seconds=30), factor=2.0, longest=timedelta(minutes=5)
        ),
        poll_deadline=timedelta(minutes=random.choice((5, 30))),
        recheck=Backoff(
            first=timedelta(seconds=random.choice((1, 5, 30))),
            factor=2.0,
            longest=timedelta(minutes=5),
        ),
        recheck_attempts=random.choice((1, 2, 4, 8)),
    )
    # Not drawn, so that known seeds stay what they were.
    return replace(
        made, settles_returns=made.recheck_attempts == 4, asked_by=_asked_by(made)
    )


def _asked_by(plan: ProviderPolicy) -> AskedBy:
    """Of who repeats safely, some are not asked for the status, or by their own id."""
    if not plan.idempotent_create or plan.not_found_definite:
        return AskedBy.OURS
    return AskedBy.THEIRS if plan.polls else AskedBy.NOTHING
