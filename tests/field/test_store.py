"""All that a store promises, through a pooler in transaction mode."""

import pytest

from payment_service.playground.memory.clock import VirtualClock
from tests.storage.test_store import *  # noqa: F403 - each of its promises
from tests.world.postgres_rows import PostgresRows


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def committed():
    return []


@pytest.fixture(params=["auto", "off"])
async def rows(request, pgbouncer, database_url, clock, committed):
    """Give the ports behind a pooler, with and without prepared statements."""
    rows = PostgresRows(
        database_url,
        clock,
        on_committed=committed.extend,
        through=pgbouncer(database_url).url,
        prepare=request.param,
    )
    await rows.open()
    yield rows
    await rows.close()


@pytest.fixture
def store(rows):
    return rows.store
