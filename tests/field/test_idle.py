"""Connections that die while nobody uses them: the next request does not notice."""

import asyncio
import time
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.chaos.proxy import HOST, Proxy
from tests.field.rigs import Agent, HAProxy
from tests.field.stage import QUIET, paid, posts, set_on_database
from tests.service.stage import staged

IDLE = "1s"
QUIET_SECONDS = 3.0
ANSWER_SECONDS_MAX = 5.0
# More at once than the pool has connections: all of them have been used.
BURST = 16


async def test_postgres_ends_idle_sessions(database_url, bus):
    set_on_database(database_url, idle_session_timeout=IDLE)
    async with staged(database_url, *bus, **QUIET) as stage:
        await _answers_after_a_quiet_while(stage)


async def test_haproxy_ends_idle_connections(database_url, bus):
    with (
        Agent(database_url, is_primary=True) as agent,
        HAProxy(agent, idle="2s") as haproxy,
    ):
        async with staged(haproxy.url, *bus, **QUIET) as stage:
            await _answers_after_a_quiet_while(stage)


async def test_pgbouncer_ends_idle_clients(pgbouncer, database_url, bus):
    pooler = pgbouncer(database_url, client_idle_timeout=1, default_pool_size=20)
    async with staged(pooler.url, *bus, **QUIET) as stage:
        await _answers_after_a_quiet_while(stage)


async def test_a_router_forgets_idle_connections_and_tells_nobody(database_url, bus):
    async with (
        _forgetful(database_url) as (proxy, url),
        staged(url, *bus, **QUIET) as stage,
    ):
        await _answers_after_a_quiet_while(stage, harm=proxy.forget)


async def _answers_after_a_quiet_while(stage, harm=lambda: None):
    first, taken = await posts(stage, BURST, "before")
    assert set(taken) == {202}
    await paid(stage, first)

    harm()
    await asyncio.sleep(QUIET_SECONDS)
    began = time.monotonic()
    then, taken = await posts(stage, BURST, "after")

    assert set(taken) == {202}
    assert time.monotonic() - began < ANSWER_SECONDS_MAX
    await paid(stage, then)


@asynccontextmanager
async def _forgetful(database_url):
    server = urlsplit(database_url)
    proxy = await Proxy((HOST, server.port or 0)).start()
    try:
        yield proxy, database_url.replace(f":{server.port}/", f":{proxy.port}/")
    finally:
        await proxy.close()
