"""`python -m tests.fuzz webhooks|bus`: inventions, and not one that does harm."""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

import uvloop

from tests.fuzz.bus import fuzzed
from tests.fuzz.oracle import Violation
from tests.fuzz.webhooks import Fuzz, prepared

REQUESTS: Final = 200_000
MESSAGES: Final = 20_000
CALLS: Final = 5_000
REPORTED_EVERY: Final = 100_000


def main(argv: Sequence[str] | None = None) -> int:
    """Run; return 1 where an answer was wrong, or too little was seen to say so."""
    wanted = _parser().parse_args(argv)
    if wanted.command == "bus":
        return _bus(wanted.messages, wanted.calls, wanted.seed)
    if wanted.processes > 1:
        return _together(wanted.requests, wanted.processes, wanted.seed)
    fuzz = prepared(wanted.seed)
    print(f"seed {fuzz.seed}", flush=True)
    try:
        uvloop.run(fuzz.run(wanted.requests, _tell))
    except Violation as wrong:
        print(f"VIOLATION {wrong}", file=sys.stderr)
        return 1
    print(summary(fuzz, wanted.requests))
    if idle := fuzz.oracle.idle():
        print(f"never taken: {', '.join(idle)}; seed {fuzz.seed}", file=sys.stderr)
        return 1
    return 0


def _together(requests: int, processes: int, seed: int | None) -> int:
    """Run so many processes side by side, each with a seed and a share of its own."""
    first = int.from_bytes(os.urandom(4)) if seed is None else seed
    command = [sys.executable, "-m", "tests.fuzz", "webhooks", "--requests"]
    shares = [(requests + n) // processes for n in range(processes)]
    running = [
        subprocess.Popen([*command, str(share), "--seed", str(first + n)])
        for n, share in enumerate(shares)
    ]
    return max(each.wait() for each in running)


def _bus(messages: int, calls: int, seed: int | None) -> int:
    told = uvloop.run(fuzzed(messages, calls=calls, seed=seed, say=_say))
    print(told)
    for wrong in told.wrong:
        print(f"VIOLATION {wrong}", file=sys.stderr)
    return 1 if told.wrong else 0


def _say(text: str) -> None:
    print(text, flush=True)


def summary(fuzz: Fuzz, requests: int) -> str:
    """Say how fast it went, and what was answered."""
    oracle = fuzz.oracle
    statuses = ", ".join(f"{n} {oracle.statuses[n]}" for n in sorted(oracle.statuses))
    taken = ", ".join(f"{name} {oracle.taken[name]}" for name in oracle.routes)
    return (
        f"{requests} requests in {fuzz.seconds:.1f} s, "
        f"{requests / fuzz.seconds:.0f} a second\n"
        f"answers: {statuses}\ntaken: {taken}"
    )


def _tell(done: int) -> None:
    if done % REPORTED_EVERY == 0:
        print(f"{done} requests", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    hooks = commands.add_parser("webhooks", help="the door for webhooks")
    hooks.add_argument("--requests", type=int, default=REQUESTS)
    hooks.add_argument("--processes", type=int, default=1)
    hooks.add_argument("--seed", type=int, default=None)
    messages = commands.add_parser("bus", help="all that can be published")
    messages.add_argument("--messages", type=int, default=MESSAGES)
    messages.add_argument("--calls", type=int, default=CALLS)
    messages.add_argument("--seed", type=int, default=None)
    return parser


if __name__ == "__main__":
    sys.exit(main())
