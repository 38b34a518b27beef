"""How long `payment-service run` takes until it is ready, on a migrated database."""

import time
from typing import Final

from ops.bench import results
from ops.bench.rounds import over
from ops.bench.targets import Figure
from ops.bench.world import Role, Stage, World, ready, staged, start, stop

EVERYTHING: Final = Role("all-in-one", "api,worker,relay,sweeper")
WORKER: Final = Role("worker", "worker")
SECONDS_MAX: Final = 2.0


async def measure(world: World, *, starts: int) -> None:
    """Start it again and again, the first time without its streams."""
    async with staged(world) as stage:
        first = await _seconds(stage, EVERYTHING)
        again = over([await _seconds(stage, EVERYTHING) for _ in range(starts)])
        worker = over([await _seconds(stage, WORKER) for _ in range(starts)])
    figures = [
        Figure("all roles, making the streams", first, "s", at_most=SECONDS_MAX),
        Figure(
            "all roles",
            again.median,
            "s",
            at_most=SECONDS_MAX,
            note=f"longest {again.highest:.2f} s",
        ),
        Figure("worker alone", worker.median, "s", at_most=SECONDS_MAX),
    ]
    results.keep("start", figures, {}, mocks=world.mocks.made_by)


async def _seconds(stage: Stage, role: Role) -> float:
    began = time.monotonic()
    running = start(stage, role)
    try:
        await ready(running)
        return time.monotonic() - began
    finally:
        await stop(running)
