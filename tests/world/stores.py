"""A world on rows in memory, or on PostgreSQL, as a test's parameter says."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from handlers.ports.store import Unsent
from payment_service.playground.memory.clock import VirtualClock
from tests.world.judged import World
from tests.world.postgres_rows import PostgresRows


def url_of(request: pytest.FixtureRequest) -> str | None:
    """Return the database of a fixture's parameter; None of one that is ``memory``."""
    if request.param == "memory":
        return None
    url: str = request.getfixturevalue("database_url")
    return url


@asynccontextmanager
async def world_on(url: str | None) -> AsyncIterator[World]:
    """Give a world on this database, or on rows in memory where there is none."""
    if url is None:
        world = World()
    else:
        clock, committed = VirtualClock(), list[Unsent]()
        rows = PostgresRows(url, clock, on_committed=committed.extend)
        await rows.open()
        world = World(clock=clock, rows=rows)
        world.committed = committed
    try:
        yield world
    finally:
        await world.rows.close()
