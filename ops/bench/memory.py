"""How much memory a worker takes with a thousand steps in flight."""

import asyncio
from typing import Final

from ops.bench import results
from ops.bench.holding import Holding
from ops.bench.load import Load
from ops.bench.measure import resident_bytes
from ops.bench.targets import Figure
from ops.bench.world import World, connected, serving, split, staged, with_provider

AT_MOST_MB: Final = 200
MEGA: Final = 1024 * 1024
HELD: Final = "held"
HOLD_SECONDS: Final = 6.0
LOOK_SECONDS: Final = 0.1


async def measure(world: World, *, steps: int) -> None:
    """Have a provider hold every answer back until all the steps wait for theirs."""
    holding = Holding(HOLD_SECONDS)
    async with holding.serving() as url:
        with_provider(world, HELD, url)
        async with staged(world) as stage, serving(stage, split(1)) as cluster:
            wire = await connected(stage)
            load = Load(wire, stage)
            await load.open()
            pid = cluster.first("worker").pid
            idle = resident_bytes(pid)
            run = asyncio.create_task(load.closed(steps, steps, (HELD,)))
            most = idle
            while not run.done():
                most = max(most, resident_bytes(pid))
                await asyncio.sleep(LOOK_SECONDS)
            await run
            await wire.close()
    figures = [
        Figure("worker that has just started", idle / MEGA, "MB"),
        Figure(
            f"worker with {holding.most:,} steps in flight",
            most / MEGA,
            "MB",
            at_most=AT_MOST_MB,
        ),
    ]
    results.keep("memory", figures, {"held": holding.most}, mocks="Python")
