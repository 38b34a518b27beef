"""The loops of a process end when they are told to."""

import asyncio
from contextlib import suppress

from payment_service.wiring.roles import cancel_all


async def test_a_loop_that_misses_its_cancellation_ends_all_the_same():
    begun = asyncio.Event()

    async def loop():
        # As `asyncio.wait_for` of Python 3.11 does where the answer has just come.
        with suppress(asyncio.CancelledError):
            begun.set()
            await asyncio.sleep(3600)
        await asyncio.Event().wait()

    task = asyncio.create_task(loop())
    await begun.wait()

    async with asyncio.timeout(60):
        await cancel_all([task])

    assert task.cancelled()
