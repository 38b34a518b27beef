"""A world on twins and the same one on PostgreSQL; at its end the money must add up."""

import pytest

from tests.world.stores import url_of, world_on


@pytest.fixture(params=["memory", "postgres"])
async def world(request):
    """Give a service with all its neighbours, and judge it when the test is over."""
    async with world_on(url_of(request)) as world:
        yield world
        await world.rest()
        assert await world.offences() == []
