"""One seed: a service, its neighbours, a faulty phase, a healing, and a verdict."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from fsm.charge.lifecycle import CHARGE
from fsm.domain.messages import Message
from fsm.domain.orders import Order
from fsm.engine import decide, lifecycle
from fsm.engine.lifecycle import Lifecycle
from fsm.engine.words import Kind
from fsm.partner.lifecycle import LINK, UNLINK
from fsm.payout.hearing import PayoutHearing
from fsm.payout.table import OTHERWISE, TABLE
from fsm.service import lifecycle as service
from handlers.ports.bus import Delivery
from handlers.ports.outcomes import Done, Outcome, Park, Retry
from handlers.ports.store import StepWrite
from payment_service.playground.memory.clock import same_ids
from payment_service.playground.memory.providers import MemoryProviders
from tests.simulation.actors import People
from tests.simulation.bus import SimBus
from tests.simulation.chaos import Chaos
from tests.simulation.counterparties import SimCore, SimProvider, policy_of
from tests.simulation.environment import Ground, moment
from tests.simulation.fault_injection import Door
from tests.simulation.fleet import GRACE_MICROS, LEFT, Fleet
from tests.simulation.oracle import Judge
from tests.simulation.partners import is_link, partners_of
from tests.simulation.payments import SimPayment, payments_of
from tests.simulation.rates import (
    DAY,
    PROVIDERS,
    Dials,
    Setting,
    dials,
    gated,
    setting,
    with_charges,
    with_checkouts,
    with_links,
)
from tests.simulation.services import services_of
from tests.simulation.store import SimStore, micros_of
from tests.simulation.webhook_delivery import WebhookDelivery

REST_WITHIN: Final = 45 * DAY
"""So long after the healing the slowest cascade of providers and people may take."""

TURNS_MAX: Final = 200_000
"""Thirty times as many as a world takes that comes to rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one seed came to."""

    seed: int
    offences: list[str]
    fingerprint: str
    events: int
    virtual: int
    seconds: float
    seen: Counter[str]
    faults: Counter[str]
    last: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        replay = f"python -m tests.simulation --seed {self.seed} --trace"
        wrong = "\n".join(f"  {offence}" for offence in self.offences)
        return (
            f"seed {self.seed}: {len(self.offences)} offences\n{wrong}\n"
            f"replay: {replay}\nthe last {len(self.last)} events:\n"
            + "\n".join(self.last)
        )


class Simulation:
    """A world that is drawn from its seed alone."""

    def __init__(
        self,
        seed: int,
        *,
        turned: Dials | None = None,
        shape: Setting | None = None,
        trace: bool = False,
    ) -> None:
        random = Random(f"{seed}:shape")
        drawn, wanted = setting(random), dials(random)
        wanted, drawn = gated(Random(f"{seed}:gates"), wanted, drawn)
        if shape is None:
            drawn = with_charges(seed, with_checkouts(seed, drawn))
            wanted, shape = with_links(seed, wanted, drawn)
        self.ground = Ground(seed, shape, turned or wanted, trace=trace)
        self.door = Door(self.ground)
        self.store = SimStore(self.ground, self.door)
        self.bus = SimBus(self.ground, self.door)
        self.core = SimCore(self.ground, self.door)
        self.providers = self._providers(random)
        self.fleet = Fleet(
            self.ground,
            self.door,
            self.store,
            self.bus,
            self.core,
            self.providers,
            services_of(self.ground, self.door),
            payments_of(self.ground, self.door),
            partners_of(self.ground, self.door),
        )
        self.people = People(self.ground, self.fleet)
        self.webhook_delivery = WebhookDelivery(self.ground, self.fleet)
        self.judge = Judge(self.ground, self.fleet, self.people, self.webhook_delivery)
        self.chaos = Chaos(self.ground, self.door, self.fleet, self.people)
        self._connect()

    def _providers(self, random: Random) -> MemoryProviders:
        names = PROVIDERS
        return MemoryProviders(
            *(
                SimProvider(self.ground, self.door, name, policy_of(random))
                for name in names[: self.ground.setting.providers]
            )
        )

    def _connect(self) -> None:
        self.store.on_step = self._stepped
        self.store.on_submitted = lambda o: self._soon(o.created_at)
        self.store.on_kept = lambda: self._soon(self.ground.clock.now())
        self.store.on_posted = self._posted
        self.bus.on_handled = self._handled
        self.chaos.on_forgotten = self.judge.forgot
        for provider in self.providers.every():
            if isinstance(provider, SimProvider):
                provider.on_taken = self.webhook_delivery.taken
                provider.on_paid = self.judge.paid_by
                provider.on_cancelled = self.webhook_delivery.cancelled
        for payment in self.fleet.payments.every():
            if isinstance(payment, SimPayment):
                payment.on_charged = self.judge.charged_by

    def _stepped(self, order: Order, work: StepWrite) -> None:
        self.judge.committed(order, work)
        self.chaos.after_commit()
        queue = work.step.queue
        if queue is not None and queue.after.wake_at is not None:
            self._soon(queue.after.wake_at)
        for change in work.step.changes:
            if change.after.wake_at is not None:
                self._soon(change.after.wake_at)

    def _posted(self, messages: Sequence[Message]) -> None:
        self.judge.posted(messages)
        self.fleet.wants_relay(self.ground.clock.micros + LEFT + 1)

    def _soon(self, wake_at: Any) -> None:
        """Let the sweeper look once a row that wakes then is overdue."""
        micros = micros_of(self.ground, wake_at) + GRACE_MICROS + 1
        self.fleet.wants_sweep(micros)

    def _handled(self, delivery: Delivery, outcome: Outcome) -> None:
        seen = self.ground.seen
        match outcome:
            case Done(what=what):
                word = what
            case Retry(because=because):
                word = because if because in REASONS else "retry"
            case Park(reason=reason):
                word = f"parked, {reason.value}"
        seen[f"outcome {word}"] += 1
        self.ground.note(f"outcome {word}", delivery.identity)
        self.judge.handled(delivery, outcome)

    def run(self, *, turns_max: int = TURNS_MAX) -> Report:
        """Play the seed to its end and judge it; after so many turns it never rests."""
        began = time.perf_counter()
        ground = self.ground
        with same_ids(ground.seed), _counted(ground.seen):
            for number in range(ground.setting.workers):
                self.fleet.start(ground.setting.old_version if number == 0 else "")
            for number in range(ground.setting.orders):
                self.people.order(number, Kind.WITHDRAWAL)
            for number in range(ground.setting.checkouts):
                self.people.order(number, Kind.CHECKOUT)
            for number in range(ground.setting.links):
                self.people.order(number, Kind.PARTNER_LINK)
            self.chaos.plan()
            ground.loop.at(ground.setting.faulty, self._heal)
            rested = ground.loop.run(
                until=ground.setting.faulty + REST_WITHIN, turns_max=turns_max
            )
            offences = self.judge.verdict(rested=rested)
            ground.loop.end()
        return Report(
            seed=ground.seed,
            offences=offences,
            fingerprint=f"{ground.hash:08x}-{ground.events}",
            events=ground.events,
            virtual=ground.clock.micros,
            seconds=time.perf_counter() - began,
            seen=ground.seen,
            faults=ground.faults,
            last=[f"{moment(at)}  {what}  {about}" for at, what, about in ground.last],
        )

    def _heal(self) -> None:
        self.ground.heal()
        self.chaos.heal()
        self.fleet.heal()
        self.webhook_delivery.tell_what_was_lost()


REASONS: Final = frozenset({"the timer rang early"})
LIFECYCLES: Final[dict[str, Lifecycle[Any]]] = {
    **service.LIFECYCLES,
    CHARGE.name: CHARGE,
}
"""What the steps of a saga go by: of services, and of payment providers."""
ROWS: Final = {
    id(row): f"row {n:02} {row.trigger} {row.source}>{row.dest} {row.when or ''}"
    for n, row in enumerate(TABLE)
}
STEP_ROWS: Final = {
    (name, row): f"{name} {n:02} {row.trigger} {row.source}>{row.dest} {row.when or ''}"
    for name, each in LIFECYCLES.items()
    for n, row in enumerate(each.table)
}
"""The rows of a saga's steps: some are the same in several tables."""
LINK_ROWS: Final = {
    (each.name, row): (
        f"{each.name} {n:02} {row.trigger} {row.source}>{row.dest} {row.when or ''}"
    )
    for each in (LINK, UNLINK)
    for n, row in enumerate(each.table)
}
"""The rows of a link and of its removal."""
CELLS: Final = {
    (trigger, state): f"rest {trigger} in {state}: {answer}"
    for (trigger, state), answer in OTHERWISE.items()
}


@contextmanager
def _counted(seen: Counter[str]) -> Iterator[None]:
    """Count the table's rows that fire and the answers given where none does."""
    machines: Any = vars(lifecycle)
    decisions: Any = vars(decide)
    hearing: Any = PayoutHearing
    real, at_rest = machines["advance"], decisions["_at_rest"]
    early = PayoutHearing.is_early

    def advance(ways: Any, guards: Any, facts: Any, trigger: Any) -> Any:
        row = real(ways, guards, facts, trigger)
        if row is not None:
            key = (facts.task.lifecycle, row)
            step = STEP_ROWS.get(key) or LINK_ROWS.get(key)
            seen[step or ROWS.get(id(row), "a row of no table")] += 1
        return row

    def rests(queue: Any, task: Any, event: Any, *given: Any) -> Any:
        if task.lifecycle in LIFECYCLES or is_link(task):
            seen[f"{task.lifecycle} at rest {event.trigger} in {task.state}"] += 1
        else:
            seen[CELLS[event.trigger, task.state]] += 1
        return at_rest(queue, task, event, *given)

    def is_early(self: Any, task: Any, event: Any) -> Any:
        found = early(self, task, event)
        if found:
            seen["webhook first"] += 1
        return found

    machines.update(advance=advance)
    decisions.update(_at_rest=rests)
    hearing.is_early = is_early
    try:
        yield
    finally:
        machines.update(advance=real)
        decisions.update(_at_rest=at_rest)
        hearing.is_early = early


def simulate(seed: int, *, trace: bool = False, turns_max: int = TURNS_MAX) -> Report:
    """Run one seed."""
    return Simulation(seed, trace=trace).run(turns_max=turns_max)
