import pytest

from tests.service.stage import staged


@pytest.fixture
async def stage(database_url, nats_server, subject_prefix):
    async with staged(database_url, nats_server.url, subject_prefix) as running:
        yield running
