"""Callers that are ready at the same time share a statement, and nothing else."""

import asyncio

import pytest

from fsm.domain.errors import BrokenInvariant, StoreUnavailable
from payment_service.storage.grouped import Grouped


class Statement:
    """Doubles numbers; keeps the batches it was given, and can be held up."""

    def __init__(self, error=None, guilty=()):
        self.batches = []
        self.running = 0
        self.most = 0
        self.go = asyncio.Event()
        self.go.set()
        self._error = error
        self._guilty = guilty

    async def __call__(self, items):
        self.batches.append(list(items))
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.go.wait()
        finally:
            self.running -= 1
        if any(item in self._guilty for item in items):
            raise self._error
        return [ValueError(item) if item < 0 else item * 2 for item in items]


async def callers(grouped, items):
    """Start callers, and return them once their statements are under way."""
    started = [asyncio.ensure_future(grouped(item)) for item in items]
    for _ in range(3):
        await asyncio.sleep(0)
    return started


async def test_each_caller_gets_its_own_result():
    grouped = Grouped(Statement(), lanes=1)

    assert await asyncio.gather(*map(grouped, range(10))) == [2 * n for n in range(10)]


async def test_callers_that_wait_share_one_statement():
    statement = Statement()

    await asyncio.gather(*map(Grouped(statement, lanes=1), range(10)))

    assert len(statement.batches) == 1


async def test_a_batch_has_a_largest_size():
    statement = Statement()

    await asyncio.gather(*map(Grouped(statement, lanes=1, size_max=4), range(10)))

    assert [len(batch) for batch in statement.batches] == [4, 4, 2]


async def test_there_are_never_more_statements_than_lanes():
    statement = Statement()
    statement.go.clear()
    started = await callers(Grouped(statement, lanes=2, size_max=1), range(6))
    statement.go.set()

    await asyncio.gather(*started)

    assert statement.most == 2


async def test_an_error_in_a_place_is_raised_to_that_caller_alone():
    results = await asyncio.gather(
        *map(Grouped(Statement(), lanes=1), [1, -1, 2]), return_exceptions=True
    )

    assert [type(result) for result in results] == [int, ValueError, int]


async def test_only_the_guilty_item_of_a_batch_fails():
    statement = Statement(BrokenInvariant("ck"), guilty={3})

    results = await asyncio.gather(
        *map(Grouped(statement, lanes=1), range(5)), return_exceptions=True
    )

    assert [type(r) for r in results] == [int, int, int, BrokenInvariant, int]
    assert statement.batches[1:] == [[0], [1], [2], [3], [4]]


async def test_a_fault_is_everybodys():
    statement = Statement(StoreUnavailable("gone"), guilty={3})

    results = await asyncio.gather(
        *map(Grouped(statement, lanes=1), range(5)), return_exceptions=True
    )

    assert {type(r) for r in results} == {StoreUnavailable}


async def test_after_a_fault_the_next_callers_are_served():
    grouped = Grouped(Statement(StoreUnavailable("gone"), guilty={3}), lanes=1)
    with pytest.raises(StoreUnavailable):
        await grouped(3)

    assert await grouped(1) == 2


@pytest.mark.parametrize("lanes", [1, 2, 3])
async def test_a_caller_that_comes_back_at_once_is_served(lanes):
    grouped = Grouped(Statement(), lanes=lanes, size_max=1)

    async def comes_back(item):
        return [await grouped(item) for _ in range(5)]

    async with asyncio.timeout(60):
        results = await asyncio.gather(*map(comes_back, range(lanes)))

    assert results == [[2 * n] * 5 for n in range(lanes)]


async def test_a_fault_in_one_of_many_done_alone_leaves_nobody_waiting():
    class Worsening(Statement):
        async def __call__(self, items):
            if self.batches and items == [1]:
                raise StoreUnavailable("gone in the middle")
            return await super().__call__(items)

    statement = Worsening(BrokenInvariant("ck"), guilty={0})
    async with asyncio.timeout(60):
        results = await asyncio.gather(
            *map(Grouped(statement, lanes=1), range(3)), return_exceptions=True
        )

    assert isinstance(results[0], BrokenInvariant)
    assert isinstance(results[1], StoreUnavailable)


async def test_items_of_one_key_never_meet():
    statement = Statement()
    grouped = Grouped(statement, lanes=1, key=lambda item: item % 2)

    await asyncio.gather(*map(grouped, range(6)))

    assert all(len({n % 2 for n in batch}) == len(batch) for batch in statement.batches)


async def test_items_of_one_key_keep_their_order():
    statement = Statement()
    grouped = Grouped(statement, lanes=1, key=lambda item: item % 2)

    await asyncio.gather(*map(grouped, range(6)))

    assert [n for batch in statement.batches for n in batch] == [0, 1, 2, 3, 4, 5]


async def test_a_cancelled_caller_does_not_cancel_its_neighbours():
    statement = Statement()
    statement.go.clear()
    first, second = await callers(Grouped(statement, lanes=1), [1, 2])
    first.cancel()
    statement.go.set()

    assert await second == 4
    assert first.cancelled()
