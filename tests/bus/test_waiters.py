"""Whoever waits for an order is woken by its last event."""

import asyncio

import orjson
import pytest

from payment_service.bus import OrderWaiters, TooManyWaiters
from tests.bus.stage import SOON, a_message, soon


def an_event(kind="completed", **fields):
    body = orjson.dumps({"order_id": "w-1", "queue_id": "q-1", **fields})
    return a_message(f"order.event.withdrawal.{kind}", body)


@pytest.fixture
async def waiters(wire, names, streams):
    del streams
    waiters = OrderWaiters(wire, names, waiters_max=2)
    await waiters.start()
    yield waiters
    await waiters.stop()


@pytest.mark.parametrize("kind", ["completed", "failed", "cancelled"])
@pytest.mark.parametrize("key", ["w-1", "q-1"])
async def test_the_end_wakes(waiters, publisher, kind, key):
    async with waiters.expect([key]) as event:
        await publisher.publish([an_event(kind)])

        await soon(event.wait())


async def test_nothing_else_wakes(wire, waiters, publisher):
    async with waiters.expect(["w-1"]) as event:
        await publisher.publish(
            [
                an_event("accepted"),
                an_event(order_id="w-2"),
                a_message("order.event.withdrawal.completed", b"{"),
                a_message("order.event.withdrawal.completed", b"[]"),
            ]
        )
        await wire.round_trip(SOON)

        assert not event.is_set()


async def test_there_is_an_end_to_waiting_rooms(waiters):
    async with waiters.expect(["a"]), waiters.expect(["a", "b"]):
        with pytest.raises(TooManyWaiters):
            async with waiters.expect(["c"]):
                pass

    async with waiters.expect(["c"]):
        pass


async def test_nobody_is_remembered_after_leaving(waiters):
    async with waiters.expect(["a", "b"]):
        assert len(waiters._waiting) == 2

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), waiters.expect(["a"]) as event:
            await event.wait()

    assert not waiters._waiting
    assert waiters._count == 0
