"""Replays one seed with every event, or runs any number of them on all cores.

``python -m tests.simulation --seed 7 --trace`` and
``python -m tests.simulation --seeds 100000 --jobs 4``; ``--every 3`` plays only seeds
that have checkouts beside their withdrawals; ``--speed`` measures one core, and
``--choose 5000`` writes down which of so many ``make test`` is to play.
"""

import argparse
import json
import statistics
import sys
import time

from tests.simulation.campaign import (
    LONG_DAYS,
    LONG_ORDERS,
    Tally,
    campaign,
    long_run,
    tally,
)
from tests.simulation.expected import missing
from tests.simulation.sample import PLACE, choose, happened
from tests.simulation.simulation import simulate

ENOUGH_FOR_ALL = 2_000
SPEED_SEEDS = 30


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seed", type=int, help="replay this one")
    parser.add_argument("--trace", action="store_true", help="print every event of it")
    parser.add_argument("--seeds", type=int, default=2_000, help="run so many")
    parser.add_argument("--first", type=int, default=0, help="from this one on")
    parser.add_argument("--every", type=int, default=1, help="3: those with checkouts")
    parser.add_argument("--jobs", type=int, default=0, help="0: one for each core")
    parser.add_argument("--counts", action="store_true", help="print every counter")
    parser.add_argument("--speed", action="store_true", help="measure 100 days")
    parser.add_argument("--choose", type=int, help="those that `make test` plays")
    given = parser.parse_args(arguments)
    if given.choose is not None:
        return _choose(range(given.choose))
    if given.speed:
        return _measure(range(given.first, given.first + SPEED_SEEDS))
    if given.seed is not None:
        return _replay(given.seed, trace=given.trace)
    until = given.first + given.seeds * given.every
    seeds = range(given.first, until, given.every)
    return _run(seeds, jobs=given.jobs, counts=given.counts)


def _choose(seeds: range) -> int:
    shown = {seed: happened(tally([seed])) for seed in seeds}
    PLACE.write_text(json.dumps(choose(shown)) + "\n")
    return 0


def _replay(seed: int, *, trace: bool) -> int:
    report = simulate(seed, trace=trace)
    if trace or report.offences:
        _say(str(report))
    _say(f"seed {seed}: {len(report.offences)} offences, {report.fingerprint}")
    return int(bool(report.offences))


def _measure(seeds: range) -> int:
    """Say how long a long run takes on one core."""
    long_run(seeds[0])  # what is done once in a process does not count
    runs = [long_run(seed) for seed in seeds]
    reports = [report for report, _ in runs]
    _say(
        f"{LONG_DAYS} virtual days of {LONG_ORDERS} orders, {len(seeds)} seeds, "
        f"{sum(len(report.offences) for report in reports)} offences"
    )
    for what, seconds in (
        ("CPU", [spent for _, spent in runs]),
        ("wall clock", [report.seconds for report in reports]),
    ):
        middle, most = statistics.median(seconds) * 1000, max(seconds) * 1000
        _say(f"  {what:10} median {middle:4.0f} ms, max {most:4.0f} ms")
    return int(any(report.offences for report in reports))


def _run(seeds: range, *, jobs: int, counts: bool) -> int:
    began = time.perf_counter()
    total = Tally()
    for done in campaign(seeds, jobs=jobs):
        total.add(done)
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{total.seeds} seeds, {len(total.failed)} failed")
    seconds = time.perf_counter() - began
    for story in total.stories:
        _say(story)
    _show(total, seconds, counts=counts)
    never = missing(total) if total.seeds >= ENOUGH_FOR_ALL else []
    for what in never:
        _say(f"never happened: {what}")
    return int(bool(total.failed or never))


def _show(total: Tally, seconds: float, *, counts: bool) -> None:
    _say(
        f"{total.seeds} seeds in {seconds:.1f} s, {total.seeds / seconds:.1f} "
        f"a second; {total.years:.1f} virtual years, {total.events} events"
    )
    injected = sum(total.faults.values())
    _say(f"{injected} faults injected, {injected / seconds:.0f} a second:")
    for kind, count in sorted(total.faults.items()):
        _say(f"  {kind:50} {count:>9} {count / seconds:>10.1f}/s")
    if counts:
        for kind, count in sorted(total.seen.items()):
            _say(f"  {kind:75} {count:>9}")
    _say(f"{len(total.failed)} seeds failed: {total.failed[:20]}")


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - what it is for


if __name__ == "__main__":
    sys.exit(main())
