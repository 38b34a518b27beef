"""A world on twins and the same one on PostgreSQL; at its end the money must add up."""

import pytest

from handlers.ports.store import Unsent
from payment_service.playground.memory.clock import VirtualClock
from tests.world.judged import World
from tests.world.postgres_rows import PostgresRows


@pytest.fixture(params=["memory", "postgres"])
async def world(request):
    """Give a service with all its neighbours, and judge it when the test is over."""
    if request.param == "memory":
        world = World()
    else:
        url = request.getfixturevalue("database_url")
        clock, committed = VirtualClock(), list[Unsent]()
        rows = PostgresRows(url, clock, on_committed=committed.extend)
        await rows.open()
        world = World(clock=clock, rows=rows)
        world.committed = committed
    yield world
    await world.rest()
    offences = await world.offences()
    await world.rows.close()
    assert offences == []
