"""Stores that restart, forget everything, or go silent, while orders are under way."""

import asyncio
import time

from ops.chaos.fleet import NATS
from ops.chaos.load import MIXED
from ops.chaos.proxy import SILENT
from tests.processes.stage import (
    SLACK_SECONDS,
    judged,
    layout,
    slowest,
    under_load,
    until_accepted,
)

GIVES_UP_SECONDS = 60.0
"""How long NATS may be silent before a process ends itself."""


async def test_all_come_to_rest_after_nats_has_lost_everything():
    wanted = layout(workers=2)
    async with under_load(wanted, orders=150, rate=30, ways=MIXED) as world:
        fleet, load, sending = world
        await until_accepted(load, 80)
        began = time.monotonic()
        await asyncio.to_thread(fleet.nats.wipe)
        down = time.monotonic() - began
        verdict = await judged(fleet, load, sending)

    sweep = wanted.seconds("SWEEP_INTERVAL") + wanted.seconds("SWEEP_GRACE")
    assert slowest(verdict, load) < down + sweep + SLACK_SECONDS


async def test_postgresql_stops_at_once_and_recovers():
    wanted = layout(workers=2)
    async with under_load(wanted, orders=100) as (fleet, load, sending):
        await until_accepted(load, 40)
        began = time.monotonic()
        await asyncio.to_thread(fleet.pair.primary.crash)
        await asyncio.to_thread(fleet.pair.primary.start)
        down = time.monotonic() - began
        verdict = await judged(fleet, load, sending)

        assert all(process.running for process in fleet.service.values())
    again = wanted.seconds("ACK_WAIT") + wanted.seconds("SWEEP_GRACE")
    assert slowest(verdict, load) < down + again + SLACK_SECONDS


async def test_a_process_ends_itself_where_nats_stays_silent():
    wanted = layout(workers=1, all_in_one=1, apis=0, relays=0, sweepers=0)
    async with under_load(wanted, orders=30) as (fleet, load, sending):
        deaf = fleet.add(
            "deaf-1", "worker", PAYMENT_NATS_URL=f"nats://{fleet.proxies[NATS].address}"
        )
        await deaf.start()
        fleet.proxies[NATS].poison(SILENT)
        began = time.monotonic()
        await judged(fleet, load, sending)

        code = await deaf.ends(1.5 * GIVES_UP_SECONDS)
        took = time.monotonic() - began
    assert code == 1
    assert took < 1.5 * GIVES_UP_SECONDS
    assert "NATS has been silent" in deaf_log(deaf)


def deaf_log(process):
    return process.program.log.read_text()
