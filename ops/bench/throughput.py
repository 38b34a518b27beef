"""Throughput of the unit: the service, the bare loop and two rivals, in turns."""

import importlib.util
import os
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from ops.bench import peer_restate, results, scans
from ops.bench.contestant import Competing, competing
from ops.bench.load import UNIT, Load
from ops.bench.measure import Cost, Meter, between, pids_of
from ops.bench.mocks import REPOSITORY
from ops.bench.rounds import over, percentile
from ops.bench.targets import Figure
from ops.bench.world import World, connected, database, serving, split, staged

SERVICE_1: Final = "service, 1 worker"
SERVICE_2: Final = "service, 2 workers"
BARE: Final = "bare loop"
DBOS: Final = "DBOS"
RESTATE: Final = "Restate"
NO_DBOS: Final = (
    "DBOS is not installed (pip install dbos, or the group `bench`): skipped"
)
NO_RESTATE: Final = "Restate is not installed (make bench-tools, with Node): skipped"

WARM_UP: Final = 300
DBOS_SHARE: Final = 8
"""DBOS gets fewer orders, or a round of it would take as long as all others."""

TIMES_DBOS: Final = 10.0
TIMES_RESTATE: Final = 1.0
TIMES_BARE_MAX: Final = 1.2
SHARE_OF_BARE: Final = 0.7
COMMITS_MAX: Final = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One round of one contestant."""

    contestant: str
    in_flight: int
    orders: int
    seconds: float
    p50: float
    p99: float
    cost: Cost

    @property
    def rate(self) -> float:
        """Return orders a second."""
        return self.orders / self.seconds

    def as_json(self) -> dict[str, object]:
        """Return the sample for a results file."""
        return {
            "contestant": self.contestant,
            "in_flight": self.in_flight,
            "orders": self.orders,
            "rate": round(self.rate, 1),
            "p50_milliseconds": round(self.p50 * 1000, 2),
            "p99_milliseconds": round(self.p99 * 1000, 2),
            "cost": {n: round(v, 3) for n, v in self.cost.per(self.orders).items()},
            "sequential_scans": {n: s.count for n, s in self.cost.scans.items()},
        }


Round = Callable[[World, int, int], Coroutine[None, None, Sample]]


def sampled(
    name: str, in_flight: int, timed: tuple[float, Sequence[float]], cost: Cost
) -> Sample:
    """Return a round as a sample."""
    seconds, latencies = timed
    return Sample(
        contestant=name,
        in_flight=in_flight,
        orders=len(latencies),
        seconds=seconds,
        p50=percentile(latencies, 0.5),
        p99=percentile(latencies, 0.99),
        cost=cost,
    )


def service(workers: int) -> Round:
    """Return the round of the full service with so many workers."""

    async def run(world: World, orders: int, in_flight: int) -> Sample:
        async with (
            staged(world) as stage,
            serving(stage, split(workers)) as cluster,
        ):
            wire = await connected(stage)
            load = Load(wire, stage)
            await load.open()
            await load.closed(min(WARM_UP, orders), in_flight)
            meter = Meter(world, stage.database_url, pids_of(cluster))
            before = meter.read()
            timed = await load.closed(orders, in_flight, UNIT)
            cost = between(before, meter.read())
            await wire.close()
        name = SERVICE_1 if workers == 1 else SERVICE_2
        return sampled(name, in_flight, (timed.seconds, timed.latencies), cost)

    return run


async def bare(world: World, orders: int, in_flight: int) -> Sample:
    """Run a round of the bare loop."""
    async with AsyncExitStack() as stack:
        url = stack.enter_context(database(world, migrated=False))
        contestant = await competing(
            "ops.bench.bare",
            url,
            world.nats.url,
            world.mocks.url,
            *counts(orders, in_flight),
            env=environment(),
        )
        stack.push_async_callback(contestant.end)
        return await competed(BARE, world, url, contestant, in_flight)


async def dbos(world: World, orders: int, in_flight: int) -> Sample:
    """Run a round of DBOS, which is given fewer orders."""
    async with AsyncExitStack() as stack:
        url = stack.enter_context(database(world, migrated=False))
        contestant = await competing(
            "ops.bench.peer_dbos",
            url,
            world.mocks.url,
            *counts(max(orders // DBOS_SHARE, 1), in_flight),
            env=environment(),
        )
        stack.push_async_callback(contestant.end)
        return await competed(DBOS, world, url, contestant, in_flight)


async def restate(world: World, orders: int, in_flight: int) -> Sample:
    """Run a round of Restate: its server, its worker in Node, and our load."""
    async with AsyncExitStack() as stack:
        url = stack.enter_context(database(world, migrated=False))
        peer = stack.enter_context(peer_restate.running(world.mocks.url))
        contestant = await competing(
            "ops.bench.peer_restate",
            peer.url,
            *counts(orders, in_flight),
            env=environment(),
        )
        stack.push_async_callback(contestant.end)
        pids = {
            "worker": [peer.worker],
            "server": [peer.server],
            "load": [contestant.pid],
        }
        return await competed(RESTATE, world, url, contestant, in_flight, pids)


def counts(orders: int, in_flight: int) -> tuple[str, str, str]:
    """Return the last arguments of a contestant."""
    return str(orders), str(in_flight), str(min(WARM_UP, orders))


def environment() -> dict[str, str]:
    """Return the environment of a contestant's process."""
    return {**os.environ, "PYTHONPATH": str(REPOSITORY)}


async def competed(
    name: str,
    world: World,
    url: str,
    contestant: Competing,
    in_flight: int,
    pids: Mapping[str, Sequence[int]] | None = None,
) -> Sample:
    """Have a contestant warm up and go, and return what came out."""
    await contestant.warm()
    meter = Meter(world, url, pids or {"worker": [contestant.pid]})
    before = meter.read()
    timed = await contestant.go()
    return sampled(name, in_flight, timed, between(before, meter.read()))


def contestants(only: Sequence[str] = ()) -> dict[str, Round]:
    """Return who competes, in the order of their turns."""
    every: dict[str, Round] = {
        SERVICE_1: service(1),
        BARE: bare,
        SERVICE_2: service(2),
    }
    if importlib.util.find_spec("dbos") is not None:
        every[DBOS] = dbos
    else:
        print(NO_DBOS)
    if peer_restate.installed():
        every[RESTATE] = restate
    else:
        print(NO_RESTATE)
    return {name: run for name, run in every.items() if not only or name in only}


async def measure(
    world: World, *, orders: int, in_flight: int, rounds: int, only: Sequence[str] = ()
) -> None:
    """Measure all contestants in turns and keep the medians."""
    samples = await _in_turns(world, orders, in_flight, rounds, only)
    results.keep(
        "throughput",
        [*figures(samples), *await scans.measure(world, in_flight)],
        {"samples": [sample.as_json() for sample in samples]},
        mocks=world.mocks.made_by,
    )


async def measure_one_at_a_time(world: World, *, orders: int, rounds: int) -> None:
    """Measure how long the unit takes each contestant, and keep the medians."""
    samples = await _in_turns(world, orders, 1, rounds, (SERVICE_1, BARE, RESTATE))
    results.keep(
        "beside",
        durations(samples),
        {"samples": [sample.as_json() for sample in samples]},
        mocks=world.mocks.made_by,
    )


async def _in_turns(
    world: World, orders: int, in_flight: int, rounds: int, only: Sequence[str]
) -> list[Sample]:
    samples: list[Sample] = []
    for n in range(rounds):
        for name, run in contestants(only).items():
            sample = await run(world, orders, in_flight)
            samples.append(sample)
            print(
                f"round {n + 1}/{rounds} {name:20} {sample.rate:8.1f}/s "
                f"p50 {sample.p50 * 1000:7.1f} ms, p99 {sample.p99 * 1000:7.1f} ms",
                flush=True,
            )
    return samples


def _by_name(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    found: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        found[sample.contestant].append(sample)
    return found


def durations(samples: Sequence[Sample]) -> list[Figure]:
    """Return how long one order takes each, and the service beside the others."""
    by_name = _by_name(samples)
    p50 = {name: over([s.p50 for s in each]).median for name, each in by_name.items()}
    p99 = {name: over([s.p99 for s in each]).median for name, each in by_name.items()}
    found = [
        Figure(
            f"{name}, p50", p50[name] * 1000, "ms", note=f"p99 {p99[name] * 1000:.1f}"
        )
        for name in p50
    ]
    bounds = ((BARE, TIMES_BARE_MAX), (RESTATE, TIMES_RESTATE))
    return found + [
        Figure(
            f"{SERVICE_1} ÷ {other}, p50", p50[SERVICE_1] / p50[other], "", at_most=most
        )
        for other, most in bounds
        if {SERVICE_1, other} <= p50.keys()
    ]


def figures(samples: Sequence[Sample]) -> list[Figure]:
    """Return medians and ratios, each with its target."""
    by_name = _by_name(samples)
    rates = {name: over([s.rate for s in found]) for name, found in by_name.items()}
    found = [
        Figure(name, r.median, "/s", note=f"spread {r.spread:.0%}")
        for name, r in rates.items()
    ]
    for name in (SERVICE_1, SERVICE_2):
        if name in rates:
            found += _against(name, {n: r.median for n, r in rates.items()})
    for name, each in by_name.items():
        found += _costs(name, each)
    return found


def _against(name: str, rates: dict[str, float]) -> list[Figure]:
    bounds = (
        (BARE, SHARE_OF_BARE),
        (DBOS, TIMES_DBOS),
        (RESTATE, TIMES_RESTATE),
    )
    return [
        Figure(f"{name} ÷ {other}", rates[name] / rates[other], "", at_least=bound)
        for other, bound in bounds
        if other in rates
    ]


def _costs(name: str, samples: Sequence[Sample]) -> list[Figure]:
    per = [sample.cost.per(sample.orders) for sample in samples]

    def middle(key: str) -> float:
        return over([cost.get(key, 0.0) for cost in per]).median

    processes = sorted(key for key in per[0] if key.startswith("cpu_milliseconds_"))
    return [
        Figure(
            f"{name}: commits each",
            middle("commits"),
            "",
            at_most=COMMITS_MAX if name.startswith("service") else None,
            note=f"{middle('writing_commits'):.2f} of them wrote",
        ),
        Figure(f"{name}: WAL each", middle("wal_bytes") / 1024, "KiB"),
        Figure(
            f"{name}: CPU each",
            middle("cpu_milliseconds"),
            "ms",
            note=", ".join(
                f"{key.rpartition('_')[2]} {middle(key):.2f}" for key in processes
            ),
        ),
    ]
