"""A hundred thousand timers due in the same second, with new orders coming in."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Final, LiteralString

import psycopg

from ops.bench import results, seeding
from ops.bench.load import UNIT, Load
from ops.bench.rounds import percentile
from ops.bench.targets import Figure
from ops.bench.world import World, connected, serving, split, staged

NEW_PER_SECOND: Final = 20
WARM_UP: Final = 100
SECONDS_MAX: Final = 60
LOOK_SECONDS: Final = 0.5
GIVE_UP_SECONDS: Final = 300
ARMING_SECONDS_EACH: Final = 1 / 4_000
"""How long the rows and schedules may take to make before they fall due."""

LEFT: Final[LiteralString] = """
SELECT count(*) FROM order_tasks
WHERE waiting_for = 'webhook' AND wake_at <= %(due)s::timestamptz
"""


async def measure(world: World, *, timers: int, workers: int) -> None:
    """Let all of them fall due at once and watch until none is left."""
    async with staged(world) as stage, serving(stage, split(workers)):
        wire = await connected(stage)
        load = Load(wire, stage)
        await load.open()
        await load.closed(WARM_UP, WARM_UP)
        due = seeding.soon(20 + timers * ARMING_SECONDS_EACH)
        await asyncio.to_thread(
            seeding.rows, stage, timers, first=due, spread=timedelta(0)
        )
        await asyncio.to_thread(seeding.tidy, stage)
        arming = await connected(stage)
        await seeding.schedules(stage, arming)
        await arming.close()
        spare = (due - datetime.now(UTC)).total_seconds()
        await asyncio.sleep(max(0.0, spare))
        webhook = asyncio.create_task(
            load.paced(NEW_PER_SECOND * SECONDS_MAX // 2, NEW_PER_SECOND, UNIT)
        )
        seconds, left = await _handled(stage.database_url, due)
        timed = await webhook
        await wire.close()
    note = f"{workers} workers; armed {spare:.0f} s before they were due"
    figures = [
        Figure(
            f"{timers:,} timers handled within", seconds, "s", at_most=60, note=note
        ),
        Figure("timers that were left", left, "", at_most=0),
        Figure("new orders meanwhile, p50", percentile(timed.latencies, 0.5), "s"),
        Figure(
            "new orders meanwhile, p99",
            percentile(timed.latencies, 0.99),
            "s",
            at_most=1,
        ),
    ]
    results.keep("timers", figures, {}, mocks=world.mocks.made_by)


async def _handled(url: str, due: datetime) -> tuple[float, int]:
    began = time.monotonic()
    connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
    async with connection:
        while True:
            row = await (await connection.execute(LEFT, {"due": due})).fetchone()
            left = int(row[0]) if row else 0
            seconds = time.monotonic() - began
            if not left or seconds > GIVE_UP_SECONDS:
                return seconds, left
            await asyncio.sleep(LOOK_SECONDS)
