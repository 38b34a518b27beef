"""Databases as people make them: an older PostgreSQL, odd encodings, odd defaults."""

import re

import psycopg
import pytest

from payment_service.storage import migrate
from tests.field.cluster import DebianNode, a_server, create_database
from tests.field.stage import pays, set_on_database, set_on_role
from tests.service.stage import a_withdrawal, staged

ODD = {
    "bytea_output": "escape",
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "sql_standard",
    "TimeZone": "Asia/Kathmandu",
    "client_encoding": "LATIN1",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "statement_timeout": "100ms",
    "lock_timeout": "1ms",
    "idle_in_transaction_session_timeout": "100ms",
    "synchronous_commit": "off",
    "standard_conforming_strings": "off",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "extra_float_digits": "-15",
    "client_min_messages": "debug1",
    "row_security": "off",
    "check_function_bodies": "off",
    "gin_fuzzy_search_limit": "1",
    "enable_indexscan": "off",
    "plan_cache_mode": "force_custom_plan",
}
NO_UTF8 = "TEMPLATE template0 ENCODING '{}' LOCALE_PROVIDER libc LOCALE 'C'"


@pytest.mark.parametrize("where", [set_on_database, set_on_role])
async def test_odd_defaults_change_nothing(cluster, bus, command, where):
    url = create_database(cluster.url, "odd")
    where(url, **ODD)

    migrate.upgrade(url)
    migrate.upgrade(url)

    async with staged(url, *bus) as stage:
        await pays(stage)
        await stage.ask(a_withdrawal("w-name", customer_id="Zoë Ђорђевић 陳"))
        assert (await stage.final("w-name"))["state"] == "COMPLETED"
    assert command("verify", PAYMENT_DATABASE_URL=url).code == 0


async def test_the_postgresql_of_debian_does(bus, command):
    with a_server(DebianNode) as server:
        assert command("migrate", PAYMENT_DATABASE_URL=server.url).code == 0
        assert command("migrate", PAYMENT_DATABASE_URL=server.url).code == 0
        async with staged(server.url, *bus) as stage:
            await pays(stage)
        assert command("verify", PAYMENT_DATABASE_URL=server.url).code == 0
        report = command("doctor", "--json", PAYMENT_DATABASE_URL=server.url).json
        assert {f["what"]: f["state"] for f in report["findings"]}["schema"] == "ok"


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
@pytest.mark.parametrize("kind", ["wheel", "Debian"])
def test_an_encoding_that_cannot_hold_every_name_is_refused_by_name(
    request, command, kind, encoding
):
    server = request.getfixturevalue("cluster" if kind == "wheel" else "debian")
    how = NO_UTF8.format(encoding)
    url = create_database(server.url, f"in_{encoding.lower()}", how)

    for words in (["migrate"], ["run", "--roles", "api"], ["doctor"]):
        answer = command(*words, PAYMENT_DATABASE_URL=url)

        assert answer.code in {1, 2}, (words, answer)
        said = answer.out + answer.err
        assert encoding in said, (words, said)
        assert "UTF8" in said, (words, said)
    with psycopg.connect(url, client_encoding="UTF8") as connection:
        tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        assert connection.execute(tables).fetchall() == []


def test_a_database_that_takes_no_writes_is_told_by_name(cluster, command):
    url = create_database(cluster.url, "fenced")
    migrate.upgrade(url)
    set_on_database(url, default_transaction_read_only="on")

    for words in (["migrate"], ["doctor"]):
        answer = command(*words, PAYMENT_DATABASE_URL=url)

        assert answer.code == 1, (words, answer)
        assert re.search("read.only", answer.out + answer.err), (words, answer)
