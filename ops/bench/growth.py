"""What a million orders that wait cost the others, in throughput and in memory."""

import time
from datetime import timedelta
from typing import Final

from ops.bench import explain, results, seeding
from ops.bench.load import UNIT, Load
from ops.bench.measure import resident_bytes
from ops.bench.rounds import over
from ops.bench.targets import Figure
from ops.bench.world import (
    Cluster,
    Stage,
    World,
    connected,
    serving,
    split,
    staged,
)

FALLS_AT_MOST_PERCENT: Final = 10
GROWS_AT_MOST_MB: Final = 20
MEGA: Final = 1024 * 1024
FAR: Final = 6 * 3600.0
SPREAD: Final = timedelta(hours=24)
WARM_UP: Final = 500


async def measure(
    world: World, *, waiting: int, orders: int, in_flight: int, rounds: int
) -> None:
    """Measure the unit with an empty database, and beside so many that wait."""
    async with staged(world) as stage, serving(stage, split(1)) as cluster:
        wire = await connected(stage)
        load = Load(wire, stage)
        await load.open()
        await load.closed(min(WARM_UP, orders), in_flight)
        before = [await _rate(load, orders, in_flight) for _ in range(rounds)]
        memory_before = _memory(cluster)
        nats_before = resident_bytes(world.nats.pid)
        seconds = await _fill(stage, waiting)
        await load.closed(min(WARM_UP, orders), in_flight)
        after = [await _rate(load, orders, in_flight) for _ in range(rounds)]
        memory_after = _memory(cluster)
        nats_after = resident_bytes(world.nats.pid)
        plans = explain.sequential(stage.database_url)
        await wire.close()
    was, now = over(before).median, over(after).median
    figures = [
        Figure(
            "unit, nobody waiting", was, "/s", note=f"spread {over(before).spread:.0%}"
        ),
        Figure(
            f"unit, {waiting:,} waiting",
            now,
            "/s",
            note=f"spread {over(after).spread:.0%}",
        ),
        Figure(
            "throughput falls by",
            100 * (1 - now / was),
            "%",
            at_most=FALLS_AT_MOST_PERCENT,
        ),
        Figure(
            "worker's memory grows by",
            (memory_after - memory_before) / MEGA,
            "MB",
            at_most=GROWS_AT_MOST_MB,
            note=f"to {memory_after / MEGA:.0f} MB",
        ),
        Figure(
            "nats-server's memory grows by",
            (nats_after - nats_before) / MEGA,
            "MB",
            note="the index of the schedules",
        ),
        explain.figure(plans),
    ]
    details: dict[str, object] = {
        "before": before,
        "after": after,
        "seconds_to_fill": seconds,
        "sequential_plans": plans,
    }
    results.keep("growth", figures, details, mocks=world.mocks.made_by)


async def _fill(stage: Stage, waiting: int) -> float:
    began = time.monotonic()
    seeding.rows(stage, waiting, first=seeding.soon(FAR), spread=SPREAD)
    seeding.tidy(stage)
    # A connection of its own: the load's would count the acknowledgements' backlog.
    wire = await connected(stage)
    await seeding.schedules(stage, wire)
    await wire.close()
    seconds = time.monotonic() - began
    print(f"{waiting:,} orders made to wait in {seconds:.0f} s", flush=True)
    return seconds


def _memory(cluster: Cluster) -> int:
    return resident_bytes(cluster.first("worker").pid)


async def _rate(load: Load, orders: int, in_flight: int) -> float:
    return (await load.closed(orders, in_flight, UNIT)).rate
