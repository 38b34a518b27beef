"""The database's time, as this machine carries it forward."""

import asyncio
from datetime import timedelta

import pytest

from payment_service.storage.clock import DatabaseClock
from payment_service.storage.database import Database


@pytest.fixture
async def database(database_url):
    database = Database(database_url)
    await database.open()
    yield database
    await database.close()


async def test_it_must_be_calibrated_first(database):
    with pytest.raises(RuntimeError):
        DatabaseClock(database).now()


async def test_it_tells_the_databases_time(database):
    clock = DatabaseClock(database)
    await clock.calibrate()

    before = (await database.run("SELECT clock_timestamp()", {}))[0][0]
    told = clock.now()
    after = (await database.run("SELECT clock_timestamp()", {}))[0][0]

    slack = timedelta(seconds=1)
    assert before - slack < told < after + slack
    assert told.utcoffset() == timedelta(0)


async def test_it_goes_forward(database):
    clock = DatabaseClock(database)
    await clock.calibrate()

    times = [clock.now() for _ in range(100)]

    assert times == sorted(times)
    assert clock.elapsed() <= clock.elapsed()


class _Slow(Database):
    """A database whose answer is held up on its way back."""

    def __init__(self, database):
        self._database = database
        self.seconds = 0.0

    async def run(self, statement, parameters):
        rows = await self._database.run(statement, parameters)
        await asyncio.sleep(self.seconds)
        return rows


async def test_a_reading_that_took_long_does_not_replace_a_better_one(database):
    slow = _Slow(database)
    clock = DatabaseClock(slow)
    await clock.calibrate()
    slow.seconds = 1.0

    await clock.calibrate()

    truth = (await database.run("SELECT clock_timestamp()", {}))[0][0]
    assert abs(clock.now() - truth) < timedelta(milliseconds=300)
