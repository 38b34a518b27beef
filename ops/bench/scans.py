"""Which tables a worker reads from end to end, by the counters and by the plans."""

import asyncio
from typing import Final

from ops.bench import explain
from ops.bench.load import UNIT, Load
from ops.bench.measure import Meter, between
from ops.bench.targets import Figure
from ops.bench.world import Role, World, connected, serving, staged

WORKER: Final = Role("worker-1", "worker")
ORDERS: Final = 300
STATISTICS_LAG_SECONDS: Final = 1.5
"""PostgreSQL's processes report what they did at most once a second."""


async def measure(world: World, in_flight: int) -> list[Figure]:
    """Run a worker alone, without the gauges, which count all rows that wait."""
    async with staged(world) as stage, serving(stage, (WORKER,)):
        wire = await connected(stage)
        load = Load(wire, stage)
        await load.open()
        await load.closed(ORDERS, in_flight, UNIT)
        await asyncio.sleep(STATISTICS_LAG_SECONDS)
        meter = Meter(world, stage.database_url, {})
        before = meter.read()
        await load.closed(ORDERS, in_flight, UNIT)
        await asyncio.sleep(STATISTICS_LAG_SECONDS)
        # One more, so that every connection has something to report.
        await load.closed(in_flight, in_flight, UNIT)
        scans = between(before, meter.read()).scans
        plans = explain.sequential(stage.database_url)
        await wire.close()
    read = {name: found for name, found in scans.items() if found.rows}
    note = ", ".join(
        f"{n} {s.count} times, {s.rows} rows" for n, s in sorted(read.items())
    )
    return [
        Figure("tables a worker reads whole", len(read), "", at_most=0, note=note),
        explain.figure(plans),
    ]
