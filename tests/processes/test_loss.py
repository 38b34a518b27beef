"""Stores that forget everything or crash, with orders under way."""

import asyncio
import time

import pytest

from payment_service.playground.embedded.postgres import FAST
from tests.chaos.bounds import wipe
from tests.chaos.fleet import Layout
from tests.chaos.load import SWIFT
from tests.playground.embedded.processes import memory_folder
from tests.processes.stage import seconds, staged

pytestmark = pytest.mark.waits

UNDER_WAY = 100
SWEEP = {"PAYMENT_SWEEP_INTERVAL": "500ms", "PAYMENT_SWEEP_GRACE": "2s"}


async def test_nothing_is_lost_with_all_of_nats_or_in_a_crash_of_postgresql():
    async with staged(workers=2, rate=30.0, ways=SWIFT) as stage:
        async with stage.sending() as wiped:
            await stage.accepted(80)
            wiped_for = await _timed(stage.fleet.nats.wipe)
            await stage.accepted(20)

        async with stage.sending() as crashed:
            await stage.accepted(30)
            crashed_for = await _timed(_crash, stage.fleet.pair.primary)
            await stage.accepted(20)

        assert all(process.running for process in stage.fleet.service.values())
        await stage.judged()
        grace = seconds(stage, "SWEEP_GRACE")
        sweep = seconds(stage, "SWEEP_INTERVAL") + grace
        assert wiped.late_seconds < wiped_for + sweep + wiped.slack_seconds
        again = seconds(stage, "ACK_WAIT") + grace
        assert crashed.late_seconds < crashed_for + again + crashed.slack_seconds


async def test_a_hundred_orders_rest_in_time_once_all_of_nats_is_lost():
    layout = Layout(
        workers=2, proxied=(), postgres=FAST, settings=SWEEP, within=memory_folder()
    )

    measured = await wipe(
        layout, orders=UNDER_WAY, attempts=1, rate=60.0, seed=7, say=print
    )

    assert measured.wrong == []
    assert measured.bounds[0].under_way >= UNDER_WAY


async def _timed(work, *arguments):
    began = time.monotonic()
    await asyncio.to_thread(work, *arguments)
    return time.monotonic() - began


def _crash(postgres):
    postgres.crash()
    postgres.start()
