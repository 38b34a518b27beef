"""`python -m ops.bench <command>`: every measurement, and the report made of them."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import uvloop

from ops.bench import (
    bulkhead,
    checkouts,
    executor,
    flames,
    growth,
    latency,
    links,
    memory,
    pairs,
    report,
    saved,
    starting,
    statements,
    sweep,
    throughput,
    timers,
    wal,
    webhooks,
    world,
)
from ops.bench.mocks import MISSING, nginx_program

REPORT: Final = "report"
PAIRS: Final = "pairs"
EXECUTOR: Final = "executor"
WRONG: Final = 1
INTERRUPTED: Final = 130
Measure = Callable[[world.World, argparse.Namespace], Coroutine[None, None, None]]


async def _wal(here: world.World, wanted: argparse.Namespace) -> None:
    await wal.measure(
        here, orders=wanted.orders, in_flight=wanted.in_flight, rounds=wanted.rounds
    )


async def _latency(here: world.World, wanted: argparse.Namespace) -> None:
    await latency.measure(here, wanted.orders)


async def _throughput(here: world.World, wanted: argparse.Namespace) -> None:
    await throughput.measure(
        here,
        orders=wanted.orders,
        in_flight=wanted.in_flight,
        rounds=wanted.rounds,
        only=wanted.only,
    )


async def _beside(here: world.World, wanted: argparse.Namespace) -> None:
    await throughput.measure_one_at_a_time(
        here, orders=wanted.orders, rounds=wanted.rounds
    )


async def _sweep(here: world.World, wanted: argparse.Namespace) -> None:
    await sweep.measure(here, most=wanted.most)


async def _growth(here: world.World, wanted: argparse.Namespace) -> None:
    await growth.measure(
        here,
        waiting=wanted.waiting,
        orders=wanted.orders,
        in_flight=wanted.in_flight,
        rounds=wanted.rounds,
    )


async def _timers(here: world.World, wanted: argparse.Namespace) -> None:
    await timers.measure(here, timers=wanted.timers, workers=wanted.workers)


async def _webhooks(here: world.World, wanted: argparse.Namespace) -> None:
    await webhooks.measure(
        here, webhooks=wanted.webhooks, connections=wanted.connections
    )


async def _start(here: world.World, wanted: argparse.Namespace) -> None:
    await starting.measure(here, starts=wanted.starts)


async def _memory(here: world.World, wanted: argparse.Namespace) -> None:
    await memory.measure(here, steps=wanted.steps)


async def _bulkhead(here: world.World, wanted: argparse.Namespace) -> None:
    await bulkhead.measure(
        here,
        orders=wanted.orders,
        in_flight=wanted.in_flight,
        away=wanted.away,
        rounds=wanted.rounds,
    )


async def _checkouts(here: world.World, wanted: argparse.Namespace) -> None:
    await checkouts.measure(
        here,
        orders=wanted.orders,
        delay=wanted.delay,
        many=wanted.many,
        in_flight=wanted.in_flight,
        rounds=wanted.rounds,
    )


async def _links(here: world.World, wanted: argparse.Namespace) -> None:
    await links.measure(
        here,
        orders=wanted.orders,
        many=wanted.many,
        in_flight=wanted.in_flight,
        rounds=wanted.rounds,
    )


async def _saved(here: world.World, wanted: argparse.Namespace) -> None:
    await saved.measure(
        here,
        orders=wanted.orders,
        in_flight=wanted.in_flight,
        percent=wanted.percent,
    )


async def _profile(here: world.World, wanted: argparse.Namespace) -> None:
    await flames.measure(here, seconds=wanted.seconds, in_flight=wanted.in_flight)


@dataclass(frozen=True, slots=True)
class Command:
    """A measurement, what it is for, and its numbers with their defaults."""

    measure: Measure
    help: str
    numbers: Mapping[str, int]
    postgres: Mapping[str, str] = field(default_factory=dict)


COMMANDS: Final = {
    "throughput": Command(
        _throughput,
        "the unit: the service, the bare loop and the rivals in turns",
        {"orders": 4000, "in-flight": 200, "rounds": 5},
    ),
    "beside": Command(
        _beside,
        "the unit one at a time: the service, the bare loop and Restate in turns",
        {"orders": 500, "rounds": 3},
    ),
    "wal": Command(
        _wal,
        "what the unit writes ahead, by table and kind of record",
        {"orders": 2000, "in-flight": 200, "rounds": 1},
        wal.POSTGRES,
    ),
    "sweep": Command(
        _sweep, "the unit with more and more orders in flight; the plots", {"most": 256}
    ),
    "latency": Command(
        _latency,
        "one withdrawal at a time",
        {"orders": 1000},
        latency.POSTGRES,
    ),
    "growth": Command(
        _growth,
        "the unit beside a million orders that wait",
        {"waiting": 1_000_000, "orders": 3000, "in-flight": 200, "rounds": 3},
    ),
    "timers": Command(
        _timers, "timers due in the same second", {"timers": 100_000, "workers": 2}
    ),
    "webhooks": Command(
        _webhooks,
        "webhooks into one API process",
        {"webhooks": 10_000, "connections": 32},
    ),
    "start": Command(_start, "seconds until ready", {"starts": 5}),
    "memory": Command(_memory, "a worker with many steps in flight", {"steps": 1000}),
    "bulkhead": Command(
        _bulkhead,
        "four providers, while a fifth hangs or answers",
        {"orders": 4000, "in-flight": 100, "away": 20, "rounds": 3},
    ),
    "checkouts": Command(
        _checkouts,
        "a checkout: its time, its statements, and many of them beside DBOS",
        {"orders": 50, "delay": 50, "many": 2000, "in-flight": 200, "rounds": 3},
        statements.POSTGRES,
    ),
    "links": Command(
        _links,
        "a partner link from request to result, beside the bare loop",
        {"orders": 500, "many": 3000, "in-flight": 200, "rounds": 3},
    ),
    "saved": Command(
        _saved,
        "checkouts of which one step call in a hundred fails, tried again or not",
        {"orders": 2000, "in-flight": 200, "percent": 1},
    ),
    "profile": Command(
        _profile, "where a worker's time goes", {"seconds": 15, "in-flight": 200}
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 130 where it was interrupted."""
    wanted = _parser().parse_args(argv)
    if wanted.command == REPORT:
        return _report(wanted.write or ())
    if wanted.command == PAIRS:
        return _pairs(wanted)
    if wanted.command == EXECUTOR:
        return _executor(wanted)
    if nginx_program() is None:
        print(MISSING, file=sys.stderr)
    try:
        command = COMMANDS[wanted.command]
        with world.opened(**command.postgres) as here:
            uvloop.run(_interruptible(command.measure(here, wanted)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("Interrupted; everything is stopped.", file=sys.stderr)
        return INTERRUPTED
    return 0


def _pairs(wanted: argparse.Namespace) -> int:
    compared = pairs.measure(
        against=wanted.against,
        orders=wanted.orders,
        in_flight=wanted.in_flight,
        pairs=wanted.pairs,
    )
    return _alone(compared)


def _executor(wanted: argparse.Namespace) -> int:
    return _alone(executor.measure(delay=wanted.delay, rounds=wanted.rounds))


def _alone(work: Coroutine[None, None, None]) -> int:
    """Measure what needs no servers."""
    try:
        uvloop.run(_interruptible(work))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED
    return 0


def _report(pages: Sequence[Path]) -> int:
    if not pages:
        print(report.section(), end="")
    without = [page for page in pages if not report.write(page)]
    for page in without:
        print(f"{page} has no {report.BEGIN} … {report.END}", file=sys.stderr)
    return WRONG if without else 0


async def _interruptible(work: Coroutine[None, None, None]) -> None:
    task = asyncio.current_task()
    if task is not None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await work


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ops.bench", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, command in COMMANDS.items():
        one = commands.add_parser(name, help=command.help)
        for number, default in command.numbers.items():
            one.add_argument(f"--{number}", type=int, default=default)
        if name == "throughput":
            one.add_argument("--only", action="append", default=[])
    turns = commands.add_parser(PAIRS, help="what a change costs: two trees in turns")
    turns.add_argument("--against", type=Path, required=True, metavar="CHECKOUT")
    for number, default in {"orders": 2000, "in-flight": 200, "pairs": 20}.items():
        turns.add_argument(f"--{number}", type=int, default=default)
    plan = commands.add_parser(EXECUTOR, help="fetches at once, and one after another")
    for number, default in {"delay": 50, "rounds": 20}.items():
        plan.add_argument(f"--{number}", type=int, default=default)
    page = commands.add_parser(REPORT, help="the pages about speed, of the results")
    page.add_argument("--write", type=Path, metavar="PAGE", action="append")
    return parser


if __name__ == "__main__":
    sys.exit(main())
