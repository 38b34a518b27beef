"""A database that goes silent: nobody waits for ever, the next call gets through."""

import asyncio

import psycopg
import psycopg.conninfo
import pytest

from fsm.domain.errors import StoreUnavailable
from payment_service.storage import pool, session
from payment_service.storage.database import Database
from tests.chaos.proxy import SILENT, Proxy

# Until what never comes is given up: no promise, for a busy machine takes its time.
SOON = 50


@pytest.fixture
async def proxy(database_url):
    told = psycopg.conninfo.conninfo_to_dict(database_url)
    proxy = await Proxy((str(told["host"]), int(str(told["port"])))).start()
    yield proxy
    await proxy.close()


@pytest.fixture
async def database(database_url, proxy, monkeypatch):
    monkeypatch.setattr(session, "ANSWER_SECONDS_MAX", 0.3)
    told = psycopg.conninfo.conninfo_to_dict(database_url)
    credentials = f"{told['user']}:{told['password']}"
    database = Database(f"postgresql://{credentials}@{proxy.address}/{told['dbname']}")
    await database.open()
    yield database
    await database.close()


async def test_a_silent_connection_is_given_up_and_its_neighbours_with_it(
    database, proxy
):
    assert await database.run("SELECT 1", {}) == [(1,)]
    proxy.poison(SILENT)

    # Whoever gave up nothing would wait for ever.
    async with asyncio.timeout(SOON):
        with pytest.raises(StoreUnavailable):
            await database.run("SELECT 1", {})

    await proxy.heal()
    assert await database.run("SELECT 1", {}) == [(1,)]


async def test_one_that_went_silent_while_it_was_idle_is_not_lent(
    database, proxy, monkeypatch
):
    monkeypatch.setattr(pool, "TRUSTED_SECONDS", 0)
    monkeypatch.setattr(session, "PING_SECONDS_MAX", 0.2)
    assert await database.run("SELECT 1", {}) == [(1,)]
    async with database.connection() as connection:
        await connection.exec_driver_sql("SELECT 1")

    proxy.forget()

    assert await database.run("SELECT 2", {}) == [(2,)]
    async with database.connection() as connection:
        await connection.exec_driver_sql("SELECT 2")


async def test_a_burst_waits_once_whatever_has_gone_silent(
    database, proxy, monkeypatch
):
    monkeypatch.setattr(pool, "TRUSTED_SECONDS", 0)
    monkeypatch.setattr(session, "PING_SECONDS_MAX", 0.5)
    monkeypatch.setattr(session, "ANSWER_SECONDS_MAX", 60)
    slow = (database.run("SELECT pg_sleep(0.1)", {}) for _ in range(10))
    await asyncio.gather(*slow)
    proxy.forget()

    first = asyncio.create_task(database.run("SELECT 1", {}))
    await asyncio.sleep(0)
    monkeypatch.setattr(session, "PING_SECONDS_MAX", 60)
    others = [database.run("SELECT 1", {}) for _ in range(20)]

    async with asyncio.timeout(SOON):
        assert await asyncio.gather(first, *others) == [[(1,)]] * 21


def test_a_server_that_falls_silent_at_the_start_is_told(database_url, monkeypatch):
    monkeypatch.setattr(session, "ANSWER_SECONDS_MAX", 0.3)
    with session.connect_plainly(session.Door(database_url)) as connection:
        monkeypatch.setattr(session, "_LOOK", "SELECT pg_sleep(60)")

        with pytest.raises(psycopg.OperationalError, match="has not answered"):
            session.connect_plainly(session.Door(database_url))

        with (
            pytest.raises(psycopg.OperationalError, match="has not answered"),
            connection.in_time(),
        ):
            connection.execute("SELECT pg_sleep(60)")
