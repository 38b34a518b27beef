"""`python -m ops.bench <command>`: every measurement, and the report made of them."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Final

import uvloop

from ops.bench import latency, world
from ops.bench.mocks import MISSING, nginx_program

INTERRUPTED: Final = 130
Measure = Callable[[world.World, argparse.Namespace], Coroutine[None, None, None]]


async def _latency(here: world.World, wanted: argparse.Namespace) -> None:
    await latency.measure(here, wanted.orders)


MEASURES: Final[dict[str, Measure]] = {"latency": _latency}


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
    return parser


if __name__ == "__main__":
    sys.exit(main())
