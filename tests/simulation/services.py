"""The services of a checkout's steps: slow, down, unheard, and of their own mind."""

from collections import Counter
from datetime import timedelta
from random import Random
from typing import Any, Final

from fsm.domain.orders import Order
from fsm.engine.backoff import Backoff
from fsm.engine.words import Kind
from fsm.service.policy import Default, ServicePolicy
from handlers.checkout.load import PLAN
from handlers.ports.services import (
    AskAnswer,
    DoAnswer,
    Fetched,
    LoadAnswer,
    LoadCall,
    ServiceCall,
    ServiceNotSent,
    ServiceRefused,
    ServiceUnclear,
    UndoAnswer,
)
from handlers.resolve import Ruling
from payment_service.playground.memory.services import (
    MemoryService,
    MemoryServices,
    StepFate,
)
from tests.simulation.environment import Ground
from tests.simulation.fault_injection import Door
from tests.simulation.line import Line, Unheard
from tests.simulation.rates import MINUTE, SECOND
from tests.world.checkouts import STEPS

UNHEARD: Final = Unheard(
    not_sent=ServiceNotSent(because="connection refused"),
    unsure=ServiceUnclear(because="timed out"),
    failed=ServiceUnclear(because="answered 502"),
)
LOADS: Final = tuple(fetch.name for fetch in PLAN)
LATEST: Final = 5 * MINUTE
CHECKS: Final = frozenset({"fraud", "merchant"})
"""The steps that leave nothing to be undone: a default may hold for them."""


class SimService(MemoryService):
    """A service behind a bad line; how often it says no is drawn from the seed."""

    def __init__(self, ground: Ground, door: Door, name: str) -> None:
        random = Random(f"{ground.seed}:service {name}")
        super().__init__(name, policy=policy_of(random, name))
        self.ground = ground
        self.flying: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.line = Line(ground, door, "service", name, UNHEARD)
        self.line.timeout = random.choice((1, 3, 10)) * SECOND
        self.line.latest = lambda: LATEST
        self.line.landed = self._landed
        self._says_no = 0.3 * random.random() ** 2
        self._keeps = 0.3 * random.random() ** 2

    async def do(self, call: ServiceCall) -> DoAnswer:
        return await self._call("do", call)  # type: ignore[no-any-return]

    async def undo(self, call: ServiceCall) -> UndoAnswer:
        return await self._call("undo", call)  # type: ignore[no-any-return]

    async def ask(self, call: ServiceCall) -> AskAnswer:
        return await self._call("ask", call)  # type: ignore[no-any-return]

    async def load(self, call: LoadCall) -> LoadAnswer:
        answer: LoadAnswer = await self.line.call("load", call.queue_id, self._loaded)
        return answer

    async def _call(self, what: str, call: ServiceCall) -> Any:
        act = {"do": self._done, "undo": self._undone, "ask": self._asked}[what]
        self.flying[call.task_id] += 1
        return await self.line.call(what, call.task_id, lambda: act(call))

    def _landed(self, call: str, about: str) -> None:
        if call != "load":
            self.flying[about] -= 1

    def _loaded(self) -> LoadAnswer:
        if self.ground.draw() < self._says_no / 2:
            self.ground.seen["service: a load is refused"] += 1
            return ServiceRefused(code="gone")
        return Fetched(content={"by": self.name})

    def _done(self, call: ServiceCall) -> DoAnswer:
        known = call.task_id in self.books
        self.refuses = not known and self.ground.draw() < self._says_no
        answer = super()._done(call)
        fate = self.books[call.task_id]
        self.ground.seen[f"service: {'repeated' if known else 'do'}, {fate.value}"] += 1
        self.done[call.task_id] += not known and fate is StepFate.DONE
        return answer

    def _undone(self, call: ServiceCall) -> UndoAnswer:
        self.keeps = self.ground.draw() < self._keeps
        answer = super()._undone(call)
        self.ground.seen[f"service: undo, {self.books[call.task_id].value}"] += 1
        return answer

    def _asked(self, call: ServiceCall) -> AskAnswer:
        if self.ground.chance(self.ground.dials.provider_shy):
            self.ground.struck("service: is still at it", self.name)
            self.pending = 1
        return super()._asked(call)

    def found_out(self, task_id: str, *, leave: bool) -> Ruling | None:
        """Return what a person says of a step, once the books are put right by hand.

        What was done and can be undone they leave as it is, or undo; what was never
        done is kept from being done. None while a call may be under way.
        """
        if self.flying[task_id] > 0:
            return None
        fate = self.books.get(task_id)
        stands = fate is StepFate.KEPT or (fate is StepFate.DONE and leave)
        if fate is StepFate.DONE and not stands:
            self.books[task_id] = StepFate.UNDONE
        elif fate in {None, StepFate.REFUSED}:
            self.books[task_id] = StepFate.BARRED
        return Ruling.POSITIVE if stands else Ruling.NEGATIVE


def services_of(ground: Ground, door: Door) -> MemoryServices:
    """Draw the services of a seed: of all steps, and of some things to be loaded."""
    if not ground.setting.checkouts:
        return MemoryServices()
    random = Random(f"{ground.seed}:services")
    loads = [name for name in LOADS if random.random() < 0.3]
    paid = {"payment"} if ground.setting.charging else set[str]()
    names = (*(step for step in STEPS if step not in paid), *loads)
    return MemoryServices(*(SimService(ground, door, name) for name in names))


def policy_of(random: Random, name: str) -> ServicePolicy:
    """Draw how a service may be treated."""
    default = Default(after=timedelta(seconds=random.choice((10, 600))))
    may_default = name in CHECKS and random.random() < 0.3
    return ServicePolicy(
        asks=random.random() < 0.7,
        retry=Backoff(
            first=timedelta(seconds=random.choice((1, 5))),
            factor=2.0,
            longest=timedelta(minutes=5),
        ),
        attempts=random.choice((2, 4, 10)),
        deadline=random.choice((None, None, timedelta(minutes=30))),
        default=default if may_default else None,
    )


def checkouts_of(orders: Any) -> list[Order]:
    """Return those of some orders that are checkouts."""
    return [order for order in orders if order.queue.kind is Kind.CHECKOUT]
