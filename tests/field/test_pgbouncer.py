"""The service behind PgBouncer, whose clients share a few connections."""

import pytest

from tests.field.stage import pays
from tests.service.stage import staged


@pytest.mark.parametrize("pool_mode", ["transaction", "session"])
async def test_withdrawals_go_through(pgbouncer, database_url, bus, pool_mode):
    pooler = pgbouncer(database_url, pool_mode=pool_mode, default_pool_size=20)
    async with staged(pooler.url, *bus) as stage:
        await pays(stage)
