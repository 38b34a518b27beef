"""So many at work at once, and those that wait for the outside are not counted."""

import asyncio

from handlers.pace import limited, releases_slot


class Gauge:
    def __init__(self):
        self.now = self.most = 0

    def __enter__(self):
        self.now += 1
        self.most = max(self.most, self.now)

    def __exit__(self, *_):
        self.now -= 1


async def test_only_so_many_are_at_work():
    gauge = Gauge()

    async def work(item):
        with gauge:
            await asyncio.sleep(0)
        return item

    paced = limited(work, 3)

    assert await asyncio.gather(*(paced(n) for n in range(20))) == list(range(20))
    assert gauge.most == 3


async def test_whoever_waits_for_the_outside_gives_up_its_place():
    outside, inside = Gauge(), Gauge()
    answered, all_outside = asyncio.Event(), asyncio.Event()

    @releases_slot
    async def call():
        with outside:
            if outside.now == 10:
                all_outside.set()
            await answered.wait()

    async def work(_):
        with inside:
            pass
        await call()
        with inside:
            await asyncio.sleep(0)

    paced = limited(work, 2)
    tasks = [asyncio.create_task(paced(n)) for n in range(10)]
    async with asyncio.timeout(60):
        await all_outside.wait()
        answered.set()
        await asyncio.gather(*tasks)

    assert inside.most <= 2


async def test_without_a_pace_a_call_is_just_made():
    @releases_slot
    async def call(what, *, more):
        return what, more

    assert await call(1, more=2) == (1, 2)


async def test_a_call_that_fails_takes_its_place_again():
    @releases_slot
    async def call():
        raise OSError("gone")

    async def work(_):
        try:
            await call()
        except OSError:
            return "failed"

    paced = limited(work, 1)

    assert [await paced(n) for n in range(3)] == ["failed"] * 3
