"""Every crash point of every scenario, on real PostgreSQL and real NATS.

``python -m tests.crashes`` visits all of them, ``--points 300 --seed 7`` a sample, and
``--scenario NAME --point store.record:3 --form done_died`` a single one.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from payment_service.observability import logs
from payment_service.playground.memory.effects import FailureForm
from tests.crashes.campaign import (
    LANES,
    Ends,
    Seen,
    Tally,
    Visit,
    campaign,
    ends_on_twins,
    places,
    visits,
)
from tests.crashes.door import FORMS, Crash, Point
from tests.crashes.life import Place
from tests.handlers.test_crash_points import SCENARIOS

TOLD_EVERY = 100
CONSOLE = Console(width=110, highlight=False, markup=False)


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    logs.configure("critical")
    names = given.scenario or [*SCENARIOS]
    ends = {name: ends_on_twins(name) for name in names}
    return asyncio.run(_main(given, ends))


async def _main(given: argparse.Namespace, ends: Mapping[str, Ends]) -> int:
    began, names = time.monotonic(), [*ends]
    async with places(given.lanes) as all_places:
        if given.point is not None:
            crash = Crash(given.point, FailureForm[given.form.upper()])
            wanted = [Visit(name, crash) for name in names]
            done = await campaign(all_places, wanted, ends, _tell_one)
            return _show({n: Tally(1, [s]) for n, s in _by_name(done)}, began, 1)
        dry = await campaign(all_places, [*map(Visit, names)], ends, _quiet)
        tallies = {s.visit.scenario: Tally(len(s.points), [s]) for s in dry}
        if not given.dry:
            await _visit_all(all_places, dry, tallies, ends, given)
    return _show({n: tallies[n] for n in names}, began, given.lanes)


def _by_name(done: Sequence[Seen]) -> list[tuple[str, Seen]]:
    return [(seen.visit.scenario, seen) for seen in done]


async def _visit_all(
    all_places: Sequence[Place],
    dry: Sequence[Seen],
    tallies: Mapping[str, Tally],
    ends: Mapping[str, Ends],
    given: argparse.Namespace,
) -> None:
    wanted = visits(dry, points=given.points, seed=given.seed)
    CONSOLE.print(f"{len(wanted)} visits, seed {given.seed}")
    began, count = time.monotonic(), 0

    def tell(seen: Seen) -> None:
        nonlocal count
        count += 1
        tallies[seen.visit.scenario].seen.append(seen)
        if seen.offences:
            _tell_one(seen)
        if count % TOLD_EVERY == 0:
            seconds = time.monotonic() - began
            CONSOLE.print(f"{count} of {len(wanted)} after {seconds:.0f} s")

    await campaign(all_places, wanted, ends, tell)


def _quiet(seen: Seen) -> None:
    if seen.offences:
        _tell_one(seen)


def _tell_one(seen: Seen) -> None:
    for offence in seen.offences:
        CONSOLE.print(f"FAILED {offence}")
    word = "FAILED" if seen.offences else "kept"
    CONSOLE.print(
        f"  {word}, {seen.deaths} deaths: {seen.visit.replay}", soft_wrap=True
    )


def _show(tallies: Mapping[str, Tally], began: float, lanes: int) -> int:
    table = Table()
    table.add_column("scenario")
    for column in ("points", "visited", "died", "not met", "s", "longest s", "failed"):
        table.add_column(column, justify="right")
    for name, tally in tallies.items():
        table.add_row(name, *_row(tally))
    whole = Tally(
        sum(tally.points for tally in tallies.values()),
        [seen for tally in tallies.values() for seen in tally.seen],
    )
    table.add_section()
    table.add_row("all", *_row(whole))
    CONSOLE.print(table)
    seconds = time.monotonic() - began
    CONSOLE.print(
        f"{len(tallies)} scenarios, {whole.points} points in {len(FORMS)} forms: "
        f"{whole.struck} visited, {len(whole.failed)} failed, in {seconds:.0f} s "
        f"on {lanes} lanes"
    )
    for seen in (*whole.failed, *whole.missed):
        word = "FAILED" if seen.offences else "not met"
        CONSOLE.print(f"{word}: {seen.visit.replay}", soft_wrap=True)
    return int(bool(whole.failed))


def _row(tally: Tally) -> tuple[str, ...]:
    counts = (tally.points, tally.struck, tally.deaths, len(tally.missed))
    return (
        *map(str, counts),
        f"{tally.seconds:.0f}",
        f"{tally.longest:.1f}",
        str(len(tally.failed)),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.crashes")
    parser.add_argument("--points", type=int, help="so many of them, drawn by the seed")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--lanes", type=int, default=LANES, help="so many at a time")
    parser.add_argument("--scenario", action="append", choices=[*SCENARIOS])
    parser.add_argument("--point", type=Point.parse, help="such as store.record:3")
    forms = [form.name.lower() for form in FORMS]
    parser.add_argument("--form", choices=forms, default=forms[0])
    parser.add_argument("--dry", action="store_true", help="only without a fault")
    return parser


if __name__ == "__main__":
    sys.exit(main())
