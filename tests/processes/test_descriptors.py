"""A worker that may open nothing more: its providers are well, and so it says."""

import asyncio

import psycopg

from ops.chaos.fleet import PROVIDERS
from ops.chaos.load import SWIFT
from tests.processes.stage import log_of, staged

# Longer than all attempts of the configuration take together.
HELD_SECONDS = 14.0
PASSED_OVER = """
SELECT count(*) FROM order_tasks
WHERE code = 'not_sent' OR state = 'MANUAL_CHECK'
"""


async def test_no_provider_is_passed_over_by_a_worker_without_descriptors():
    async with staged(workers=1, ways=SWIFT, proxied=[PROVIDERS]) as stage:
        worker = stage.fleet.service["worker-1"]
        async with stage.sending():
            await stage.accepted(20)
            with worker.without_descriptors():
                stage.fleet.proxies[PROVIDERS].reset_all()
                await asyncio.sleep(HELD_SECONDS)
                harmed = await _count(stage)
            await stage.accepted(20)

        assert "Too many open files" in log_of(worker) + await _trail(stage)
        assert harmed == 0
        await stage.judged()


async def _count(stage):
    async with await psycopg.AsyncConnection.connect(stage.fleet.database_url) as one:
        rows = await (await one.execute(PASSED_OVER)).fetchall()
    return rows[0][0]


async def _trail(stage):
    """Return what the audit trail says of creates that were not sent."""
    query = (
        "SELECT detail::text FROM order_task_events WHERE trigger = 'provider.not_sent'"
    )
    async with await psycopg.AsyncConnection.connect(stage.fleet.database_url) as one:
        return str(await (await one.execute(query)).fetchall())
