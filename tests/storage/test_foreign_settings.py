"""Whatever is set on the database or its user: orders go through, or it is told."""

import secrets
from datetime import timedelta

import psycopg
import pytest
from psycopg import sql

from fsm.domain.audit_keys import UNKEYED
from fsm.payout.words import Trigger
from handlers.ports.reads import Search
from payment_service.storage import migrate
from payment_service.storage.database import Database
from payment_service.storage.fitness import Unfit
from payment_service.storage.gauges import standing
from payment_service.storage.operator_store import PostgresOperatorStore
from payment_service.storage.reads import PostgresReads
from payment_service.storage.session import OURS, Door, connect_plainly
from payment_service.storage.store import PostgresStore
from payment_service.storage.sweeps import PostgresSweeps
from tests.storage.builders import a_letter, a_new_order, a_webhook, a_work

NASTY = {
    "array_nulls": "off",
    "backslash_quote": "off",
    "bytea_output": "escape",
    "client_encoding": "LATIN1",
    "constraint_exclusion": "off",
    "cursor_tuple_fraction": "0.01",
    "datestyle": "German, DMY",
    "default_table_access_method": "heap",
    "default_transaction_deferrable": "on",
    "default_transaction_isolation": "serializable",
    "enable_indexscan": "off",
    "enable_nestloop": "off",
    "escape_string_warning": "on",
    "exit_on_error": "on",
    "extra_float_digits": "-15",
    "from_collapse_limit": "1",
    "idle_in_transaction_session_timeout": "3s",
    "intervalstyle": "sql_standard",
    "jit": "on",
    "jit_above_cost": "0",
    "lock_timeout": "3s",
    "plan_cache_mode": "force_generic_plan",
    "quote_all_identifiers": "on",
    "row_security": "off",
    "standard_conforming_strings": "off",
    "statement_timeout": "3s",
    "synchronous_commit": "off",
    "timezone": "Asia/Kathmandu",
    "transform_null_equals": "on",
    "xmloption": "document",
}

LIMITS = """
SELECT current_setting('transaction_isolation'), current_setting('TimeZone'),
    current_setting('synchronous_commit'), current_setting('statement_timeout'),
    current_setting('lock_timeout'),
    current_setting('idle_in_transaction_session_timeout')
"""
AS_WANTED = ("read committed", "UTC", "on", "10s", "4s", "15s")
SOON = timedelta(minutes=-1)


def alter(connection, what, name, setting, value):
    connection.execute(
        sql.SQL("ALTER {} {} SET {} = {}").format(
            sql.SQL(what), sql.Identifier(name), sql.Identifier(setting), value
        )
    )


async def goes_through(url):
    """Take an order and a webhook as far as the rows go, and look at it all."""
    database = Database(url, connections_max=2)
    await database.open()
    try:
        await database.require_write()
        store, reads = PostgresStore(database), PostgresReads(database)
        new = a_new_order(order_id="Łukasz-Ωмега-ﷺ")
        assert (await store.submit(new)).status == "accepted"
        order = await store.load(new.order.queue_id)
        assert order is not None
        assert order == new.order
        await store.record(a_work(order, Trigger.FREEZE_CONFIRMED))
        task_id = order.queue.tasks[0].task_id
        assert await store.store_webhooks(a_webhook(task_id))
        (kept,) = await store.pending_webhooks(task_id)
        assert kept.webhook == a_webhook(task_id)
        trail = await reads.events(order.queue_id)
        assert [each.line for each in trail][: len(new.lines)] == list(new.lines)
        await store.dead_letter(a_letter(), [])
        (letter,) = (await reads.dead_letters(limit=9, cursor=None)).items
        assert letter == a_letter()
        (found,) = (await reads.search(Search(limit=9))).items
        assert found.queue_id == order.queue_id
        assert await PostgresSweeps(database).unsent(older_than=SOON, limit=9)
        assert (await standing(database)).dlq_size == 1
        await PostgresOperatorStore(database, UNKEYED).make_partitions()
        assert await database.run(LIMITS, {}) == [AS_WANTED]
    finally:
        await database.close()


@pytest.fixture
def superuser_url(database_url, connection):
    """Give the address of the same database as another user, who may do everything."""
    name = f"user_{secrets.token_hex(6)}"
    user = sql.Identifier(name)
    connection.execute(
        sql.SQL("CREATE ROLE {} SUPERUSER LOGIN PASSWORD 'p'").format(user)
    )
    yield database_url.replace(database_url.split("//")[1].split("@")[0], f"{name}:p")
    connection.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(user))
    connection.execute(sql.SQL("DROP ROLE {}").format(user))


@pytest.mark.parametrize("setting", NASTY)
async def test_an_order_goes_through_whatever_is_set(
    setting, superuser_url, connection
):
    on_user = len(setting) % 2
    what = "ROLE" if on_user else "DATABASE"
    name = (
        superuser_url.split("//")[1].split(":")[0]
        if on_user
        else connection.info.dbname
    )
    alter(connection, what, name, setting, NASTY[setting])

    await goes_through(superuser_url)


async def test_an_order_goes_through_with_all_of_it_set(database_url, connection):
    for setting, value in NASTY.items():
        alter(connection, "DATABASE", connection.info.dbname, setting, value)

    await goes_through(database_url)
    migrate.check(database_url)


@pytest.mark.parametrize("setting", OURS)
async def test_what_nobody_can_mean_is_not_taken_from_the_address(
    setting, database_url, monkeypatch
):
    value = NASTY[setting].replace(" ", "\\ ")
    monkeypatch.setenv("PGOPTIONS", f"-c {setting}={value}")

    await goes_through(database_url)


def test_a_schema_is_made_with_all_of_it_set(empty_database_url):
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        for setting, value in NASTY.items():
            alter(connection, "DATABASE", connection.info.dbname, setting, value)

    migrate.upgrade(empty_database_url)

    migrate.check(empty_database_url)


def test_guards_that_do_not_run_are_told(database_url, connection):
    name = connection.info.dbname
    alter(connection, "DATABASE", name, "session_replication_role", "replica")

    with pytest.raises(Unfit, match="session_replication_role: replica"):
        connect_plainly(Door(database_url))


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
async def test_a_database_that_cannot_hold_every_name_is_told(
    encoding, postgres_server, connection
):
    name = f"test_{secrets.token_hex(6)}"
    made = sql.SQL("CREATE DATABASE {} ENCODING {} LOCALE 'C' TEMPLATE template0")
    connection.execute(made.format(sql.Identifier(name), encoding))
    url = postgres_server.url_of(name)
    try:
        with pytest.raises(Unfit, match=f"encoding: the database is in {encoding}"):
            migrate.upgrade(url)
        with pytest.raises(Unfit, match="ENCODING 'UTF8'"):
            await Database(url).open()
    finally:
        dropped = sql.SQL("DROP DATABASE {} WITH (FORCE)")
        connection.execute(dropped.format(sql.Identifier(name)))


async def test_what_the_user_sets_in_the_address_is_kept(database_url):
    url = f"{database_url}?options=-cstatement_timeout%3D7s%20-c%20lock_timeout%3D2s"
    database = Database(url)
    await database.open()

    kept = (
        "SELECT current_setting('statement_timeout'), current_setting('lock_timeout')"
    )
    assert await database.run(kept, {}) == [("7s", "2s")]

    await database.close()


async def test_another_schema_than_public_holds_it_all(empty_database_url):
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA pay")
    url = f"{empty_database_url}?options=-csearch_path%3Dpay"

    assert migrate.upgrade(url) == (None, migrate.newest())

    assert migrate.current(url) == (migrate.newest(),) * 2
    assert migrate.current(empty_database_url)[0] is None
    await goes_through(url)


def test_a_schema_that_is_not_there_is_told(empty_database_url):
    with pytest.raises(Unfit, match=r"search_path \(nowhere\) names no schema"):
        migrate.upgrade(f"{empty_database_url}?options=-csearch_path%3Dnowhere")
