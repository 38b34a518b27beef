"""Runs chaos: `python -m tests.chaos run`, `… fault NAME`, `… recovery`, `… list`."""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from typing import Final

from tests.chaos.bounds import IDEMPOTENT, Measured, recovery, wipe
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.fleet import Layout
from tests.chaos.play import Played, Script, play
from tests.chaos.report import report_of

INTERRUPTED: Final = 130


def main() -> int:
    """Return 0 if every promise was kept, 1 if one was broken."""
    options = _parsed()
    if options.command == "list":
        for each in FAULTS.values():
            print(f"{each.name:24}{each.what}")
        return 0
    if options.command in {"recovery", "wipe"}:
        measured = asyncio.run(_measured(options))
        print(measured)
        return 1 if measured.wrong else 0
    chosen = [FAULTS[name] for name in options.faults] or [*FAULTS.values()]
    script = _script(chosen, options)
    try:
        played = asyncio.run(_played(script))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("Interrupted; everything is stopped.", file=sys.stderr)
        return INTERRUPTED
    report = report_of(played)
    print(json.dumps(report.as_json(), indent=2) if options.json else report.as_text())
    return 1 if report.wrong else 0


async def _played(script: Script) -> Played:
    _end_on_sigterm()
    return await play(script, _say)


async def _measured(options: argparse.Namespace) -> Measured:
    _end_on_sigterm()
    layout = Layout(workers=3, apis=1, proxied=())
    if options.command == "recovery":
        return await recovery(layout, rate=options.rate, seed=options.seed, say=_say)
    return await wipe(
        layout,
        orders=options.orders,
        attempts=options.attempts,
        rate=options.rate,
        seed=options.seed,
        say=_say,
    )


def _end_on_sigterm() -> None:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _script(faults: Sequence[Fault], options: argparse.Namespace) -> Script:
    standby = any(fault.standby for fault in faults)
    return Script(
        faults=faults,
        seconds=options.seconds,
        seed=options.seed,
        rate=options.rate,
        layout=Layout(workers=3, apis=2, standby=standby, checkouts=True),
    )


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.chaos", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="name every fault")
    run = commands.add_parser("run", help="mixed faults")
    run.set_defaults(faults=[])
    one = commands.add_parser("fault", help="only these faults, by turns")
    one.add_argument("faults", nargs="+", choices=[*FAULTS], metavar="NAME")
    for command, seconds in ((run, 300.0), (one, 40.0)):
        command.add_argument("--seconds", type=float, default=seconds)
        command.add_argument("--seed", type=int, default=7)
        command.add_argument("--rate", type=float, default=12.0, help="orders a second")
        command.add_argument("--json", action="store_true")
    kills = commands.add_parser("recovery", help="kill each of three workers; how late")
    kills.set_defaults(rate=20.0)
    wiped = commands.add_parser("wipe", help="NATS loses everything; how late")
    wiped.set_defaults(rate=90.0)
    wiped.add_argument("--orders", type=int, default=1_000, help="orders under way")
    wiped.add_argument("--attempts", type=int, default=len(IDEMPOTENT))
    for command in (kills, wiped):
        command.add_argument("--rate", type=float, help="orders a second")
        command.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
