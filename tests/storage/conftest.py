"""One set of rows in memory and one in PostgreSQL, for one suite."""

import psycopg
import pytest

from tests.twins.clock import VirtualClock
from tests.twins.rows import MemoryRows, PostgresRows


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def committed():
    """Return where the rows of the outbox are handed to after each commit."""
    return []


@pytest.fixture(params=["memory", "postgres"])
async def rows(request, clock, committed):
    """Give the ports over one empty set of rows."""
    if request.param == "memory":
        yield MemoryRows(clock, on_committed=committed.extend)
        return
    url = request.getfixturevalue("database_url")
    rows = PostgresRows(url, clock, on_committed=committed.extend)
    await rows.open()
    yield rows
    await rows.close()


@pytest.fixture
async def postgres(database_url, clock, committed):
    """Give the ports over PostgreSQL, for what only it can show."""
    rows = PostgresRows(database_url, clock, on_committed=committed.extend)
    await rows.open()
    yield rows
    await rows.close()


@pytest.fixture
def store(rows):
    return rows.store


@pytest.fixture
def connection(database_url):
    """Give a second connection to the test's database."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection
