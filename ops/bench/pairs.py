"""What a change costs: the unit of two trees in pairs of rounds, in turns.

Each tree has its servers, its interpreter and its sources, and a service that stays up.
A round of either is cut into slices, and a pair takes them in turns, so that what else
the machine does falls on both. Compared is the CPU of a pair, not its rate: by the mean
of the logarithms of the ratios, for which twice as dear and half as dear are as far
from no change.
"""

import asyncio
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, stdev
from typing import Final

from ops.bench import results
from ops.bench.mocks import REPOSITORY
from ops.bench.rounds import over
from ops.bench.targets import Figure
from ops.bench.turn_taker import READY

Cost = Mapping[str, float]
"""What an order cost, by what it was spent on, as `ops.bench.measure` names it."""

PAIRS_MIN: Final = 3
SLICES: Final = 4
"""How many turns a round of a tree is cut into."""
COST_MAX_PERCENT: Final = 3.0
"""What the other work of a change may add to the CPU of an order."""

T_95: Final = {
    2: 4.30,
    3: 3.18,
    4: 2.78,
    5: 2.57,
    7: 2.36,
    9: 2.26,
    11: 2.20,
    15: 2.13,
    19: 2.09,
    24: 2.06,
    30: 2.04,
    39: 2.02,
    59: 2.00,
    99: 1.98,
}
"""Student's t for a two-sided interval of 95 %, by degrees of freedom."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree that is measured: its process, which takes a turn for each line."""

    process: asyncio.subprocess.Process

    async def turn(self, orders: int, in_flight: int) -> Cost:
        """Send so many orders; return what each cost."""
        if self.process.stdin is None:
            raise RuntimeError("a tree's process has no input")
        wanted = json.dumps({"orders": orders, "in_flight": in_flight})
        self.process.stdin.write(f"{wanted}\n".encode())
        cost: Cost = json.loads(await self.line())
        return cost

    async def line(self) -> str:
        """Return its next line."""
        if self.process.stdout is None:
            raise RuntimeError("a tree's process has no output")
        line = await self.process.stdout.readline()
        if not line:
            raise RuntimeError("a tree's process has ended; see its errors above")
        return line.decode().strip()

    async def end(self) -> None:
        """Let it stop its servers and go."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        await self.process.wait()


async def opened(folder: Path) -> Tree:
    """Start a tree's process; ready on return."""
    tree = Tree(
        await asyncio.create_subprocess_exec(
            str(_python_of(folder)),
            "-P",
            str(REPOSITORY / "ops" / "bench" / "turn_taker.py"),
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    )
    while await tree.line() != READY:
        pass
    return tree


def _python_of(folder: Path) -> Path:
    own = folder / ".venv" / "bin" / "python"
    return own if own.exists() else Path(sys.executable)


async def measure(*, against: Path, orders: int, in_flight: int, pairs: int) -> None:
    """Measure this tree beside another checkout, which has a `.venv` of its own.

    ``orders`` are those of a round. What a tree is given first is not counted: the
    interpreter has not seen its code often enough.
    """
    if pairs < PAIRS_MIN:
        raise ValueError(f"--pairs: at least {PAIRS_MIN}, or there is no interval")
    share = max(orders // SLICES, 1)
    async with AsyncExitStack() as stack:
        trees = [await opened(f.resolve()) for f in (against, REPOSITORY)]
        for tree in trees:
            stack.push_async_callback(tree.end)
            await tree.turn(share, in_flight)
        taken: list[tuple[Cost, Cost]] = []
        for n in range(pairs):
            told: tuple[list[Cost], list[Cost]] = ([], [])
            for which in turns(n):
                told[which].append(await trees[which].turn(share, in_flight))
            pair = (averaged(told[0]), averaged(told[1]))
            taken.append(pair)
            was, now = map(_cpu, pair)
            print(f"pair {n + 1}/{pairs} {was:.3f} -> {now:.3f} ms", flush=True)
    results.keep(
        "pairs",
        figures(taken),
        {"pairs": [{"before": was, "after": now} for was, now in taken]},
        mocks="each tree's own",
    )


def turns(pair: int) -> Iterator[int]:
    """Give which of two trees is next: neither is always first, nor always last."""
    for n in range(pair, pair + SLICES):
        first = n % 2
        yield first
        yield 1 - first


def averaged(slices: Sequence[Cost]) -> Cost:
    """Return the cost of a round, of slices of equally many orders."""
    return {name: mean(cost[name] for cost in slices) for name in slices[0]}


def figures(
    pairs: Sequence[tuple[Cost, Cost]],
) -> list[Figure]:
    """Return the CPU of an order before and after, and the interval of the change."""
    ratios = [_cpu(now) / _cpu(was) for was, now in pairs]
    logs = [math.log(ratio) for ratio in ratios]
    low, high = map(_percent, interval(logs))
    return [
        Figure("CPU each, before", over([_cpu(was) for was, _ in pairs]).median, "ms"),
        Figure("CPU each, now", over([_cpu(now) for _, now in pairs]).median, "ms"),
        Figure("change", _percent(mean(logs)), "%", note=f"{len(pairs)} pairs"),
        Figure("change, 95 % interval, lower end", low, "%"),
        Figure("change, 95 % interval, upper end", high, "%", at_most=COST_MAX_PERCENT),
        Figure("change, median of the pairs", 100 * (median(ratios) - 1), "%"),
        Figure("pairs scatter by", _percent(stdev(logs)), "%"),
        *_by_process(pairs),
    ]


def _percent(log: float) -> float:
    """Return how much more it is, of the logarithm of how many times as much."""
    return 100 * math.expm1(log)


def _by_process(
    pairs: Sequence[tuple[Cost, Cost]],
) -> list[Figure]:
    names = sorted(
        {n for was, _ in pairs for n in was if n.startswith("cpu_milliseconds_")}
    )
    return [
        Figure(
            f"{name.rpartition('_')[2]}: change",
            mean(now.get(name, 0.0) - was[name] for was, now in pairs),
            "ms",
            note=f"from {mean(was[name] for was, _ in pairs):.3f} ms",
        )
        for name in names
    ]


def _cpu(cost: Cost) -> float:
    return cost["cpu_milliseconds"]


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % interval of the mean of three values or more."""
    freedom = len(values) - 1
    # The next smaller entry's t is larger: the interval errs on the wide side.
    t = T_95[max(known for known in T_95 if known <= freedom)]
    half = t * stdev(values) / math.sqrt(len(values))
    return mean(values) - half, mean(values) + half
