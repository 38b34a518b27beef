"""Runs many seeds, on one core or on all, and adds up what happened in them."""

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final, Self

from tests.simulation.rates import DAY, setting
from tests.simulation.simulation import Report, Simulation, simulate

CHUNK: Final = 50
SHOWN_MAX: Final = 5
LONG_DAYS: Final = 100
LONG_ORDERS: Final = 20
YEAR_MICROS: Final = 365.25 * 86_400 * 1_000_000


@dataclass(slots=True, kw_only=True)
class Tally:
    """What some seeds came to."""

    seeds: int = 0
    events: int = 0
    virtual: int = 0
    seconds: float = 0.0
    seen: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    failed: list[int] = field(default_factory=list)
    stories: list[str] = field(default_factory=list)

    def take(self, report: Report) -> None:
        """Add one seed."""
        self.seeds += 1
        self.events += report.events
        self.virtual += report.virtual
        self.seconds += report.seconds
        self.seen.update(report.seen)
        self.faults.update(report.faults)
        if report.offences:
            self.failed.append(report.seed)
            self.stories.append(str(report))

    def add(self, other: Self) -> None:
        """Add other seeds."""
        self.seeds += other.seeds
        self.events += other.events
        self.virtual += other.virtual
        self.seconds += other.seconds
        self.seen.update(other.seen)
        self.faults.update(other.faults)
        self.failed += other.failed
        self.stories = (self.stories + other.stories)[:SHOWN_MAX]

    @property
    def years(self) -> float:
        return self.virtual / YEAR_MICROS


def tally(seeds: Sequence[int]) -> Tally:
    """Run seeds in this process."""
    done = Tally()
    for seed in seeds:
        done.take(simulate(seed))
    return done


def campaign(seeds: range, *, jobs: int = 0) -> Iterator[Tally]:
    """Run seeds on all cores; yield each chunk as it is done."""
    chunks = [seeds[n : n + CHUNK] for n in range(0, len(seeds), CHUNK)]
    jobs = jobs or os.cpu_count() or 1
    if jobs == 1:
        yield from map(tally, chunks)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(tally, chunks)


def long_run(seed: int) -> tuple[Report, float]:
    """Play a hundred virtual days of twenty orders; give the CPU seconds, too."""
    drawn = setting(Random(f"{seed}:shape"))
    shape = replace(drawn, faulty=LONG_DAYS * DAY, orders=LONG_ORDERS)
    began = time.process_time()
    report = Simulation(seed, shape=shape).run()
    return report, time.process_time() - began
