"""Connections that cannot write leave; what was not done is done on another one."""

import asyncio
import time
from contextlib import asynccontextmanager

import psycopg
import psycopg.conninfo
import pytest
from psycopg import sql
from sqlalchemy import insert, text

from fsm.domain.errors import StoreUnavailable
from fsm.payout.words import Trigger
from payment_service.storage import database as storage
from payment_service.storage.database import Database
from payment_service.storage.store import PostgresStore
from payment_service.storage.tables import PROVIDER_CONTROLS
from tests.chaos.proxy import Proxy, Toxic
from tests.storage.builders import a_message, a_new_order, a_webhook, a_work

NOBODY = "0195f1de-0000-7000-8000-000000000000"
PID = "SELECT pg_backend_pid()"
SECONDS_MAX = 20


@asynccontextmanager
async def opened(url, **options):
    database = Database(url, **options)
    try:
        await database.open()
        yield database
    finally:
        await database.close()


@pytest.fixture
async def database(database_url):
    async with opened(database_url) as database:
        yield database


async def pid(database):
    return (await database.run(PID, {}))[0][0]


async def until(condition):
    async with asyncio.timeout(SECONDS_MAX):
        while not condition():  # noqa: ASYNC110 - PostgreSQL tells nobody
            await asyncio.sleep(0.01)


def is_gone(connection, of):
    asked = connection.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [of])
    return asked.fetchone() is None


async def test_a_connection_that_ended_while_idle_is_not_handed_out(
    database, connection
):
    idle = await pid(database)
    connection.execute("SELECT pg_terminate_backend(%s)", [idle])
    await until(lambda: is_gone(connection, idle))

    await PostgresStore(database).post(a_message(NOBODY))

    assert await pid(database) != idle


async def test_the_first_order_after_a_quiet_while_is_taken(database_url, connection):
    name = connection.info.dbname
    connection.execute(f"ALTER DATABASE {name} SET idle_session_timeout = '100ms'")
    async with opened(database_url) as database:
        idle = await pid(database)
        await until(lambda: is_gone(connection, idle))

        taken = await PostgresStore(database).submit(a_new_order())

    assert taken.status == "accepted"


async def test_a_connection_that_refuses_a_write_leaves_with_all_made_before(database):
    store = PostgresStore(database)
    old: set[int] = set()
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(_made_read_only(database, old))
    assert len(old) == 2

    await store.post(a_message(NOBODY))

    assert {await pid(database), await pid(database)}.isdisjoint(old)


async def _made_read_only(database, pids):
    rows = await database.run(
        "SELECT pg_backend_pid(), pg_sleep(0.2), "
        "set_config('default_transaction_read_only', 'on', false)",
        {},
    )
    pids.add(rows[0][0])


async def test_questions_do_not_go_to_a_server_that_refused_a_write(database):
    async with database.connection() as connection:
        await connection.execute(
            text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        )
        old = (await connection.execute(text(PID))).scalar()
    with pytest.raises(StoreUnavailable, match="read-only"):
        await _pause(database, "acme")

    async with database.connection() as connection:
        assert (await connection.execute(text(PID))).scalar() != old
    await _pause(database, "acme")


async def _pause(database, *names):
    async with database.connection() as connection:
        for name in names:
            row = {"provider": name, "state": "paused", "reason": "", "changed_by": ""}
            await connection.execute(
                insert(PROVIDER_CONTROLS).values(**row, changed_at=text("now()"))
            )


async def test_a_change_that_fails_midway_is_not_made_at_all(database):
    with pytest.raises(Exception, match="pk_provider_controls"):
        await _pause(database, "acme", "acme")

    assert await database.run("SELECT provider FROM provider_controls", {}) == []


async def test_readiness_asks_whether_a_write_is_taken(
    database_url, connection, monkeypatch
):
    monkeypatch.setattr(storage, "WRITTEN_FOR_SECONDS", 0)
    name = connection.info.dbname
    async with opened(database_url) as database:
        await database.require_write()
        assert await database.run("SELECT seq FROM outbox", {}) == []

        connection.execute(
            f"ALTER DATABASE {name} SET default_transaction_read_only = on"
        )
        await _made_read_only(database, set())
        with pytest.raises(StoreUnavailable, match="read-only"):
            await database.require_write()
        with pytest.raises(StoreUnavailable, match="default_transaction_read_only"):
            await database.require_write()

        connection.execute(f"ALTER DATABASE {name} RESET ALL")
        await database.require_write()


async def test_readiness_does_not_wait_for_ever(database, connection, monkeypatch):
    monkeypatch.setattr(storage, "WRITE_SECONDS_MAX", 0.2)
    with connection.transaction():
        connection.execute("LOCK TABLE outbox IN EXCLUSIVE MODE")

        with pytest.raises(StoreUnavailable, match="has not confirmed a write"):
            await database.require_write()

    await database.require_write()


async def test_who_holds_a_row_for_too_long_is_named(database, connection):
    store = PostgresStore(database)
    new = a_new_order()
    await store.submit(new)
    order = await store.load(new.order.queue_id)
    with connection.transaction():
        connection.execute("SELECT FROM order_tasks FOR UPDATE")

        with pytest.raises(
            StoreUnavailable, match=rf"pid {connection.info.backend_pid} "
        ):
            await store.record(a_work(order, Trigger.FREEZE_CONFIRMED))

    await store.record(a_work(order, Trigger.FREEZE_CONFIRMED))


async def test_those_who_need_a_connection_wait_for_one(database_url):
    async with opened(database_url, connections_max=1) as database:
        pids = await asyncio.gather(*(pid(database) for _ in range(20)))

    assert len(set(pids)) == 1


async def test_who_is_cancelled_while_waiting_harms_nobody(database_url):
    async with opened(database_url, connections_max=1) as database:
        slow = asyncio.create_task(database.run("SELECT pg_sleep(0.2)", {}))
        await asyncio.sleep(0)
        waiting = [asyncio.create_task(pid(database)) for _ in range(3)]
        await asyncio.sleep(0.05)
        waiting[0].cancel()
        await slow

        assert len(set(await asyncio.gather(*waiting[1:]))) == 1


async def test_why_no_connection_can_be_made_is_told_at_once(database_url):
    wrong = database_url.replace(database_url.rpartition("/")[2], "not_there")
    began = time.monotonic()

    with pytest.raises(StoreUnavailable, match=r"not_there.*does not exist"):
        await Database(wrong).open()

    assert time.monotonic() - began < SECONDS_MAX


@pytest.fixture
async def between(database_url):
    """Give a store behind a proxy, and the proxy."""
    told = psycopg.conninfo.conninfo_to_dict(database_url)
    proxy = await Proxy((str(told["host"]), int(str(told["port"])))).start()
    credentials = f"{told['user']}:{told['password']}"
    url = f"postgresql://{credentials}@{proxy.address}/{told['dbname']}"
    async with opened(url) as database:
        yield PostgresStore(database), proxy
    await proxy.close()


async def answer_lost(proxy, rows, work):
    """Have ``work`` commit, and its answer lost with the connection."""
    before = rows()
    proxy.poison(Toxic(silent_down=True))
    working = asyncio.create_task(work)
    await until(lambda: rows() > before)
    proxy.reset_all()
    await proxy.heal()
    return await working


@pytest.fixture
def count(connection):
    def counted(table):
        asked = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
        return connection.execute(asked).fetchone()[0]

    return counted


async def test_an_order_whose_answer_was_lost_is_accepted_once(between, count):
    store, proxy = between
    # What is prepared already is done in one round trip.
    await store.submit(a_new_order(order_id="w-before"))
    work = store.submit(a_new_order())

    taken = await answer_lost(proxy, lambda: count("order_queues"), work)

    assert taken.status == "accepted"
    assert count("order_queues") == 2


async def test_a_webhook_whose_answer_was_lost_is_kept_once(between, count):
    store, proxy = between
    await store.store_webhooks(a_webhook(NOBODY, "e-before"))
    work = store.store_webhooks(a_webhook(NOBODY))

    await answer_lost(proxy, lambda: count("webhook_inbox"), work)

    assert count("webhook_inbox") == count("outbox") == 2


async def test_what_posts_is_not_repeated_where_it_may_have_been_done(between, count):
    store, proxy = between
    await store.post(a_message("before"))
    work = store.post(a_message("after"))

    with pytest.raises(StoreUnavailable):
        await answer_lost(proxy, lambda: count("outbox"), work)

    assert count("outbox") == 2
