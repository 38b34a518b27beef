"""Workers that are killed, sleep too long or are asked to go, with orders under way."""

import asyncio
import random
import time

from tests.processes.stage import SLACK_SECONDS, redelivered, seconds, staged


async def test_a_killed_worker_delays_no_order_by_more_than_ack_wait_and_a_second():
    chance = random.Random(7)
    async with staged(workers=3) as stage:
        workers = stage.fleet.of_role("worker")
        async with stage.sending(orders=60) as one_kill:
            await stage.accepted(30)
            assert workers[0].kill()
            await stage.accepted(10)
            await workers[0].start()

        killed = 0
        async with stage.sending(orders=200) as kills:
            while not kills.all_accepted.is_set():
                worker = chance.choice(workers)
                killed += worker.kill()
                await worker.start()

        await stage.judged()
    assert killed >= 3
    limit = seconds(stage, "ACK_WAIT") + 1
    assert one_kill.late_seconds < limit
    # The next kill may hit an order that has just been taken over.
    assert kills.late_seconds < 2 * limit


async def test_a_worker_may_sleep_past_its_claims_and_leave_when_it_is_asked_to():
    async with staged(workers=2) as stage:
        sleeper, other = stage.fleet.of_role("worker")
        ack_wait = seconds(stage, "ACK_WAIT")
        async with stage.sending(orders=80) as sleep:
            await stage.accepted(30)
            sleeper.pause()
            await asyncio.sleep(1.5 * ack_wait)
            sleeper.resume()
        assert sleeper.running

        before = len(redelivered(other))
        async with stage.sending(orders=50) as leave:
            await stage.accepted(25)
            began = time.monotonic()
            assert await sleeper.stop() == 0
            stopped_after = time.monotonic() - began
        # What came as it left was handed back at once; nothing was left unfinished.
        handed_back = len(redelivered(other)) - before

        await stage.judged()
    assert sleep.late_seconds < 1.5 * ack_wait + ack_wait + SLACK_SECONDS
    assert leave.late_seconds < SLACK_SECONDS
    assert handed_back <= 5
    assert stopped_after < 10
