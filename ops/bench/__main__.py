"""`python -m ops.bench <command>`: every measurement, and the report made of them."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Final

import uvloop

from ops.bench import flames, latency, throughput, world
from ops.bench.mocks import MISSING, nginx_program

INTERRUPTED: Final = 130
Measure = Callable[[world.World, argparse.Namespace], Coroutine[None, None, None]]


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


async def _profile(here: world.World, wanted: argparse.Namespace) -> None:
    await flames.measure(here, seconds=wanted.seconds, in_flight=wanted.in_flight)


MEASURES: Final[dict[str, Measure]] = {
    "latency": _latency,
    "throughput": _throughput,
    "profile": _profile,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 130 where it was interrupted."""
    wanted = _parser().parse_args(argv)
    if nginx_program() is None:
        print(MISSING, file=sys.stderr)
    try:
        with world.opened() as here:
            uvloop.run(_interruptible(MEASURES[wanted.command](here, wanted)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("Interrupted; everything is stopped.", file=sys.stderr)
        return INTERRUPTED
    return 0


async def _interruptible(work: Coroutine[None, None, None]) -> None:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await work


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ops.bench", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("latency", help="one withdrawal at a time")
    one.add_argument("--orders", type=int, default=500)
    many = commands.add_parser("throughput", help="all contestants in turns")
    many.add_argument("--orders", type=int, default=3000)
    many.add_argument("--in-flight", type=int, default=200)
    many.add_argument("--rounds", type=int, default=3)
    many.add_argument("--only", action="append", default=[])
    flame = commands.add_parser("profile", help="where a worker's time goes")
    flame.add_argument("--seconds", type=int, default=15)
    flame.add_argument("--in-flight", type=int, default=200)
    return parser


if __name__ == "__main__":
    sys.exit(main())
