"""Workers that are killed, sleep too long or are asked to go, with orders under way."""

import asyncio
import time

import pytest

from tests.processes.stage import redelivered, seconds, staged

pytestmark = pytest.mark.waits


async def test_a_worker_that_is_asked_to_go_leaves_nothing_to_wait_for():
    async with staged(workers=2) as stage:
        leaver, other = stage.fleet.of_role("worker")
        async with stage.sending() as leave:
            await stage.accepted(30)
            began = time.monotonic()
            assert await leaver.stop() == 0
            stopped_after = time.monotonic() - began
            await stage.accepted(20)

        await stage.judged()
        assert leave.late_seconds < leave.slack_seconds
        # What came as it left was handed back at once; nothing was left unfinished.
        assert len(redelivered(other)) <= 5
        assert stopped_after < 10


async def test_a_killed_worker_delays_no_order_by_more_than_ack_wait_and_a_second():
    async with staged(workers=3) as stage:
        workers = stage.fleet.of_role("worker")
        async with stage.sending() as one_kill:
            await stage.accepted(30)
            assert workers[0].kill()
            await stage.accepted(30)
        await workers[0].start()

        async with stage.sending() as kills:
            for worker in workers:
                await stage.accepted(10)
                assert worker.kill()
                await worker.start()

        await stage.judged()
        limit = seconds(stage, "ACK_WAIT") + 1
        assert one_kill.late_seconds < limit + one_kill.busy_seconds
        # The next kill may hit an order that has just been taken over.
        assert kills.late_seconds < 2 * limit + kills.busy_seconds


async def test_a_worker_may_sleep_past_its_claims():
    async with staged(workers=2) as stage:
        sleeper = stage.fleet.of_role("worker")[0]
        ack_wait = seconds(stage, "ACK_WAIT")
        async with stage.sending() as sleep:
            await stage.accepted(30)
            sleeper.pause()
            await asyncio.sleep(1.5 * ack_wait)
            sleeper.resume()
            await stage.accepted(10)

        assert sleeper.running
        await stage.judged()
        assert sleep.late_seconds < 1.5 * ack_wait + ack_wait + sleep.slack_seconds
