"""The service works here as it does in production: as a role that owns nothing."""

import pytest

from tests.service.stage import staged


@pytest.fixture
async def stage(granted, nats_server, subject_prefix):
    async with staged(granted.service, nats_server.url, subject_prefix) as running:
        yield running
