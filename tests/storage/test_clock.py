"""The database's time, as this machine carries it forward."""

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
