"""Saved orders: one step call in a hundred fails for a moment, tried again or not.

The services are the simulator's, with books of their own. A call that fails is answered
503, or its connection breaks: before anything was done, or after it was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final, LiteralString, NamedTuple

import psycopg

from ops.bench import results
from ops.bench.checkouts import ATTEMPTS, config_of, until
from ops.bench.load import Load
from ops.bench.mocks import HOST
from ops.bench.targets import Figure
from ops.bench.world import Stage, World, connected, serving, split, staged
from providers.config.services import LOADS, STEPS
from providers.testing.simulator import InjectedFault, SimulatedService, Simulator

SEED: Final = 1
KINDS: Final[Sequence[Mapping[str, object]]] = (
    {"kind": "error", "status": 503},
    {"kind": "down"},
    {"kind": "applied_drop"},
)

# With a person is what has a task that only a person can go on with.
ENDS: Final[LiteralString] = """
SELECT q.queue_id::text, q.state, EXISTS (SELECT FROM order_tasks t
    WHERE t.queue_id = q.queue_id AND t.state = 'MANUAL_CHECK')
FROM order_queues q
"""
RUNNING: Final = frozenset({"ACTIVE", "REVERSING"})
COMPLETED: Final = "COMPLETED"


class End(NamedTuple):
    """Where one order stands."""

    queue_id: str
    state: str
    with_a_person: bool

    @property
    def rests(self) -> bool:
        """True where nobody but a person goes on with it."""
        return self.with_a_person or self.state not in RUNNING


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of the checkouts of one run."""

    orders: int
    completed: int
    failed: int
    with_a_person: int
    calls_failed: int
    wrong: tuple[str, ...] = ()
    """Where the services' own books say something else."""

    @property
    def lost(self) -> int:
        """Return how many did not complete."""
        return self.orders - self.completed


def faults(share: float) -> list[InjectedFault]:
    """Return faults that strike such a share of the calls that do a step."""
    each = share / len(KINDS)
    return [
        InjectedFault.parse({**kind, "operation": "*.do", "probability": each})
        for kind in KINDS
    ]


async def measure(world: World, *, orders: int, in_flight: int, percent: int) -> None:
    """Measure both ways, with the same seed."""
    fail = faults(percent / 100)
    kept = await run(world, orders, in_flight, fail, attempts=ATTEMPTS)
    without = await run(world, orders, in_flight, fail, attempts=1)
    results.keep(
        "saved",
        figures(kept, without),
        {"with_retries": asdict(kept), "without_retries": asdict(without)},
        mocks="Python",
    )
    for problem in (*kept.wrong, *without.wrong):
        print(problem)


async def run(
    world: World,
    orders: int,
    in_flight: int,
    fail: Sequence[InjectedFault],
    *,
    attempts: int,
) -> Saved:
    """Run so many checkouts whose calls are made ``attempts`` times at most."""
    names = (*STEPS, *LOADS)
    simulator = Simulator([], services=[SimulatedService(name=n) for n in names])
    await simulator.start(HOST, 0)
    try:
        async with staged(world) as stage:
            urls = {name: simulator.base_url(name) for name in names}
            env = config_of(stage, urls, attempts=attempts)
            simulator.faults.set(*fail, seed=SEED)
            async with serving(stage, split(1), env=env):
                ends = await _at_rest(stage, orders, in_flight)
    finally:
        await simulator.stop()
    return _saved(simulator, ends)


def _saved(simulator: Simulator, ends: Sequence[End]) -> Saved:
    book = simulator.services.book
    ended = {end.queue_id: end.state for end in ends if not end.with_a_person}
    completed = sum(state == COMPLETED for state in ended.values())
    # What a person still has to look at may stand in the books as it likes.
    whole = len(ended) == len(ends)
    return Saved(
        orders=len(ends),
        completed=completed,
        failed=len(ended) - completed,
        with_a_person=len(ends) - len(ended),
        calls_failed=sum(simulator.faults.happened.values()),
        wrong=(*book.check(), *(book.against(ended) if whole else ())),
    )


async def _at_rest(stage: Stage, orders: int, in_flight: int) -> Sequence[End]:
    """Ask for checkouts, so many at a time, until each has ended or is a person's."""
    wire = await connected(stage)
    load = Load(wire, stage, kind="checkout")
    ends: Sequence[End] = ()
    for begun in range(0, orders, in_flight):
        for _ in range(min(in_flight, orders - begun)):
            load.publish(())
        ends = await _ended(stage, min(begun + in_flight, orders))
    await wire.close()
    return ends


async def _ended(stage: Stage, orders: int) -> Sequence[End]:
    def look() -> list[End] | None:
        with psycopg.connect(stage.database_url) as connection:
            ends = [End(*row) for row in connection.execute(ENDS)]
        rests = len(ends) == orders and all(end.rests for end in ends)
        return ends if rests else None

    return await until(look, f"not all of {orders} checkouts have ended")


def figures(kept: Saved, without: Saved) -> list[Figure]:
    """Return what became of the checkouts, with retries and without."""
    return [
        Figure("checkouts", kept.orders, ""),
        Figure(
            "retries on: completed",
            kept.completed,
            "",
            at_least=kept.orders,
            note=f"{kept.calls_failed} calls failed",
        ),
        Figure("retries on: lost", kept.lost, "", at_most=0),
        Figure(
            "retries off: completed",
            without.completed,
            "",
            note=f"{without.calls_failed} calls failed",
        ),
        Figure(
            "retries off: lost",
            without.lost,
            "",
            note=f"{without.failed} undone, {without.with_a_person} with a person",
        ),
        Figure(
            "books that disagree", len(kept.wrong) + len(without.wrong), "", at_most=0
        ),
    ]
