"""Processes that die, sleep or are asked to go, while orders are under way."""

import asyncio
import random
import time

from ops.chaos.load import QUICK, Way
from tests.processes.stage import (
    SLACK_SECONDS,
    judged,
    layout,
    redelivered,
    slowest,
    under_load,
    until_accepted,
)

WEBHOOKS = (*QUICK, Way("accept_then_succeed", 2, 3), Way("accept_then_fail", 2, 3))


async def test_no_order_waits_longer_than_ack_wait_for_a_worker_that_was_killed():
    wanted = layout(workers=3)
    chance = random.Random(7)
    async with under_load(wanted, orders=120, rate=12) as (fleet, load, sending):
        killed = 0
        while not sending.done():
            await until_accepted(load, min(len(load.answered) + 8, 120))
            worker = chance.choice(fleet.of_role("worker"))
            killed += worker.kill()
            await worker.start()
        verdict = await judged(fleet, load, sending)

    assert killed >= 3
    # A second kill may hit an order that has just been taken over.
    assert slowest(verdict, load) < 2 * (wanted.seconds("ACK_WAIT") + 1)


async def test_one_kill_delays_no_order_by_more_than_ack_wait_and_a_second():
    wanted = layout(workers=3)
    async with under_load(wanted, orders=80, rate=25) as (fleet, load, sending):
        await until_accepted(load, 40)
        assert fleet.of_role("worker")[0].kill()
        verdict = await judged(fleet, load, sending)

    assert slowest(verdict, load) < wanted.seconds("ACK_WAIT") + 1


async def test_a_worker_that_slept_past_its_claims_harms_nothing():
    wanted = layout(workers=2)
    ack_wait = wanted.seconds("ACK_WAIT")
    async with under_load(wanted, orders=100, ways=WEBHOOKS) as (fleet, load, sending):
        await until_accepted(load, 30)
        zombie = fleet.of_role("worker")[0]
        zombie.pause()
        await asyncio.sleep(1.5 * ack_wait)
        zombie.resume()
        verdict = await judged(fleet, load, sending)

        assert zombie.running
    assert slowest(verdict, load) < 1.5 * ack_wait + ack_wait + SLACK_SECONDS


async def test_a_worker_that_is_asked_to_go_leaves_nothing_to_wait_for():
    async with under_load(layout(workers=2), orders=100) as (fleet, load, sending):
        await until_accepted(load, 30)
        leaver, other = fleet.of_role("worker")
        began = time.monotonic()
        code = await leaver.stop()
        took = time.monotonic() - began
        verdict = await judged(fleet, load, sending)

        # What arrived as it left was handed back at once, and nothing was unfinished.
        handed_back = redelivered(other)
    assert code == 0
    assert took < 10
    assert len(handed_back) <= 5
    assert slowest(verdict, load) < SLACK_SECONDS
