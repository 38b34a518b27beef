"""PgBouncers that are in trouble with orders under way, which are paid in the end."""

import asyncio
import time

import pytest

from payment_service.storage import migrate
from tests.field.stage import QUIET, insists, paid, pays, post, posts
from tests.service.stage import staged

SHORT = 1
ROUNDS = 4
PAUSE_SECONDS = 1.5
# Long enough that a request does not live to see the end of it.
LONG_PAUSE_SECONDS = 8.0
FLOWS_SECONDS = 5.0
# Its default is 15 s: for so long it tries no server again that it could not reach.
TRIES_AGAIN = {"server_login_retry": 1}
ORDERS = 20


async def _pays_in_rounds(stage):
    for number in range(ROUNDS):
        await pays(stage, name=f"w{number}")
        await asyncio.sleep(SHORT)


@pytest.mark.parametrize(
    "settings",
    [
        {"server_lifetime": SHORT},
        {"server_idle_timeout": SHORT},
        {"server_reset_query": "DISCARD ALL", "server_reset_query_always": 1},
        {"pool_mode": "session", "default_pool_size": 40, "server_lifetime": SHORT},
        {"server_check_delay": 0},
        {"server_round_robin": 1},
    ],
    ids=" ".join,
)
async def test_its_own_housekeeping_is_not_noticed(
    pgbouncer, database_url, bus, settings
):
    pooler = pgbouncer(database_url, **settings)
    async with staged(pooler.url, *bus) as stage:
        await _pays_in_rounds(stage)


@pytest.mark.parametrize(
    "settings",
    [
        {"max_prepared_statements": 5},
        {"max_prepared_statements": 200, "server_reset_query_always": 1},
        {"track_extra_parameters": "search_path, IntervalStyle, statement_timeout"},
    ],
    ids=" ".join,
)
async def test_what_the_newer_one_does_of_its_own_is_not_noticed(
    newer_pgbouncer, database_url, bus, settings
):
    pooler = newer_pgbouncer(database_url, **settings)
    async with staged(pooler.url, *bus) as stage:
        await _pays_in_rounds(stage)


@pytest.mark.parametrize("command", ["RECONNECT", "RELOAD"])
async def test_what_is_said_on_its_console_is_not_noticed(
    pgbouncer, database_url, bus, command
):
    pooler = pgbouncer(database_url)
    async with staged(pooler.url, *bus) as stage:
        for number in range(ROUNDS):
            paying = asyncio.create_task(pays(stage, name=f"w{number}"))
            await asyncio.to_thread(pooler.admin, command)
            await paying


async def test_a_short_pause_is_waited_for(pgbouncer, database_url, bus):
    pooler = pgbouncer(database_url)
    async with staged(pooler.url, *bus) as stage:
        await pays(stage, name="before")
        await asyncio.to_thread(pooler.admin, "PAUSE")
        sent = asyncio.create_task(posts(stage, name="paused"))
        await asyncio.sleep(PAUSE_SECONDS)
        await asyncio.to_thread(pooler.admin, "RESUME")

        orders, taken = await sent
        assert set(taken) == {202}
        await paid(stage, orders)


@pytest.mark.parametrize("settings", [{}, {"query_wait_timeout": 1}])
async def test_after_a_long_pause_work_goes_on(pgbouncer, database_url, bus, settings):
    pooler = pgbouncer(database_url, **settings)
    async with staged(pooler.url, *bus) as stage:
        await pays(stage, name="before")
        await asyncio.to_thread(pooler.admin, "PAUSE")
        sent = asyncio.create_task(posts(stage, name="paused"))
        await asyncio.sleep(LONG_PAUSE_SECONDS)
        ready, _ = await _ready(stage)
        await asyncio.to_thread(pooler.admin, "RESUME")
        resumed = time.monotonic()

        orders, taken = await sent
        assert set(taken) <= {202, 503}
        assert ready == 503
        await insists(stage, "after")
        assert time.monotonic() - resumed < FLOWS_SECONDS
        await asyncio.gather(*(insists(stage, order) for order in orders))
        await paid(stage, [*orders, "after"])


@pytest.mark.parametrize("how", ["kill", "stop"])
async def test_it_ends_and_comes_back(pgbouncer, database_url, bus, how):
    pooler = pgbouncer(database_url)
    async with staged(pooler.url, *bus) as stage:
        orders = [f"w-{number}" for number in range(ORDERS)]
        sending = asyncio.gather(*(insists(stage, order) for order in orders))
        await asyncio.sleep(0.1)
        await asyncio.to_thread(getattr(pooler, how))
        assert (await _ready(stage))[0] == 503
        await asyncio.to_thread(pooler.start)
        back = time.monotonic()

        await insists(stage, "after")
        assert time.monotonic() - back < FLOWS_SECONDS
        await sending
        await paid(stage, [*orders, "after"])


async def test_the_server_behind_it_crashes_and_recovers(pgbouncer, cluster, bus):
    migrate.upgrade(cluster.url)
    pooler = pgbouncer(cluster.url, **TRIES_AGAIN)
    async with staged(pooler.url, *bus) as stage:
        orders = [f"w-{number}" for number in range(ORDERS)]
        sending = asyncio.gather(*(insists(stage, order) for order in orders))
        await asyncio.sleep(0.1)
        await asyncio.to_thread(cluster.crash)
        await asyncio.to_thread(cluster.start)
        back = time.monotonic()

        await insists(stage, "after")
        assert time.monotonic() - back < FLOWS_SECONDS
        await sending
        await paid(stage, [*orders, "after"])


async def test_the_server_behind_it_was_restarted_while_nobody_asked(
    pgbouncer, cluster, bus
):
    migrate.upgrade(cluster.url)
    pooler = pgbouncer(cluster.url, **TRIES_AGAIN)
    async with staged(pooler.url, *bus, **QUIET) as stage:
        await pays(stage, name="before")
        await asyncio.to_thread(cluster.restart)

        assert await post(stage, "after") == 202
        await paid(stage, ["after"])


async def test_one_that_takes_no_more_clients_is_lived_with(
    pgbouncer, database_url, bus
):
    pooler = pgbouncer(database_url, max_client_conn=6)
    async with staged(pooler.url, *bus) as stage:
        orders = [f"w-{number}" for number in range(ORDERS)]
        await asyncio.gather(*(insists(stage, order) for order in orders))
        await paid(stage, orders)


def test_one_that_takes_no_client_at_all_is_told_by_name(
    pgbouncer, database_url, command
):
    pooler = pgbouncer(database_url, max_client_conn=1)
    with pooler.console():
        for words in (["migrate"], ["run", "--roles", "api"], ["doctor"]):
            answer = command(*words, PAYMENT_DATABASE_URL=pooler.url)

            assert answer.code == 1, (words, answer)
            assert "max_client_conn" in answer.out + answer.err, (words, answer)


async def _ready(stage):
    async with stage.http.get(f"{stage.url}/readyz") as answer:
        return answer.status, await answer.text()
