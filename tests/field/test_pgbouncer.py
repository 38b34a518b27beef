"""The service behind PgBouncer, whose clients share a few connections."""

import asyncio

import psycopg
import pytest

from payment_service.storage import migrate
from tests.field.rigs import POOL_SIZE
from tests.field.stage import pays
from tests.service.stage import staged

# From here on it knows what a client has prepared, and prepares it where that is not;
# it does so by itself from 1.24 on.
TRACKS_FROM = (1, 21)
TRACKS = {"max_prepared_statements": 200}
SESSIONS = {"pool_mode": "session", "default_pool_size": 40}
LOCKS = """
SELECT l.pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database
WHERE l.locktype = 'advisory' AND d.datname = current_database()
"""


@pytest.mark.parametrize("prepare", ["auto", "off"])
@pytest.mark.parametrize("settings", [{}, SESSIONS], ids=["transaction", "session"])
async def test_withdrawals_go_through(pgbouncer, database_url, bus, settings, prepare):
    pooler = pgbouncer(database_url, **settings)
    async with staged(pooler.url, *bus, database_prepare=prepare) as stage:
        await pays(stage, 30)
        if not settings:
            assert pooler.servers() <= POOL_SIZE


@pytest.mark.parametrize("prepare", ["on", "auto"])
async def test_one_that_tracks_statements_is_given_prepared_ones(
    newer_pgbouncer, database_url, bus, prepare
):
    pooler = newer_pgbouncer(database_url, **TRACKS)
    async with staged(pooler.url, *bus, database_prepare=prepare) as stage:
        await pays(stage, 30)


def test_what_cannot_work_is_said_by_name(pgbouncer, database_url, command):
    pooler = pgbouncer(database_url)
    if pooler.version() >= TRACKS_FROM:
        pooler.change(max_prepared_statements=0)
    at = {"PAYMENT_DATABASE_URL": pooler.url, "PAYMENT_DATABASE_PREPARE": "on"}

    for words in (["run", "--roles", "api"], ["doctor"]):
        answer = command(*words, **at)

        assert answer.code in {1, 2}, (words, answer)
        assert "PAYMENT_DATABASE_PREPARE" in answer.out + answer.err, (words, answer)


async def test_a_pooler_of_sessions_may_be_given_prepared_ones(
    pgbouncer, database_url, bus
):
    pooler = pgbouncer(database_url, **SESSIONS)
    async with staged(pooler.url, *bus, database_prepare="on") as stage:
        await pays(stage, 30)


def test_a_pooler_of_statements_is_refused_by_name(pgbouncer, database_url, command):
    pooler = pgbouncer(database_url, pool_mode="statement")
    for words in (["migrate"], ["run", "--roles", "api"], ["doctor"]):
        answer = command(*words, PAYMENT_DATABASE_URL=pooler.url)

        assert answer.code in {1, 2}, (words, answer)
        assert "transaction" in answer.out + answer.err, (words, answer)


@pytest.mark.parametrize(
    "settings", [{}, {"ignore_startup_parameters": "options"}], ids=["refused", "lost"]
)
def test_settings_in_the_address_are_not_lost_in_silence(
    pgbouncer, database_url, command, settings
):
    pooler = pgbouncer(database_url, **settings)
    url = f"{pooler.url}?options=-csearch_path%3Dpay"
    for words in (["migrate"], ["run", "--roles", "api"], ["doctor"]):
        answer = command(*words, PAYMENT_DATABASE_URL=url)

        assert answer.code in {1, 2}, (words, answer)
        said = answer.out + answer.err
        assert "options" in said, (words, said)
        assert "ALTER ROLE" in said, (words, said)


def test_the_schema_is_made_through_it(pgbouncer, empty_database_url, command):
    pooler = pgbouncer(empty_database_url)
    at = {"PAYMENT_DATABASE_URL": pooler.url}

    assert command("migrate", **at).code == 0
    assert command("migrate", **at).code == 0
    assert command("verify", **at).code == 0
    assert migrate.current(empty_database_url)[0] == migrate.current(pooler.url)[1]
    assert _locks(empty_database_url) == []


async def test_two_may_make_the_schema_at_once(pgbouncer, empty_database_url, command):
    pooler = pgbouncer(empty_database_url)
    at = {"PAYMENT_DATABASE_URL": pooler.url}

    answers = await asyncio.gather(
        *(asyncio.to_thread(command, "migrate", **at) for _ in range(4))
    )

    assert [answer.code for answer in answers] == [0, 0, 0, 0], answers
    assert _locks(empty_database_url) == []


async def test_who_holds_the_lock_is_named_and_waited_for(
    pgbouncer, empty_database_url, command
):
    pooler = pgbouncer(empty_database_url)
    with psycopg.connect(empty_database_url, application_name="somebody") as holder:
        holder.execute("SELECT pg_advisory_xact_lock(%s)", [migrate.LOCK])
        waiting = command.start("migrate", PAYMENT_DATABASE_URL=pooler.url)
        said, pid = waiting.stderr.readline(), holder.info.backend_pid
        holder.rollback()
    _, rest = waiting.communicate()

    assert waiting.returncode == 0, rest
    assert f"{pid}" in said, said
    assert "somebody" in said, said


def test_the_doctor_sees_what_the_service_gets(pgbouncer, database_url, command):
    pooler = pgbouncer(database_url)
    at = {"PAYMENT_DATABASE_URL": pooler.url}

    report = command("doctor", "--json", **at).json

    ours = [f for f in report["findings"] if f["area"] in {"database", "work"}]
    wrong = {f["what"] for f in ours if f["state"] == "wrong"}
    assert wrong <= {"fsync", "full_page_writes"}, ours
    assert any(f["what"] == "pooler" for f in ours), ours


@pytest.mark.parametrize("whose", ["client's", "pooler's"])
def test_a_wrong_password_is_told_by_name(pgbouncer, database_url, command, whose):
    user, _, rest = database_url.removeprefix("postgresql://").partition(":")
    wrong = f"postgresql://{user}:no-{rest}"
    server = wrong if whose == "pooler's" else database_url
    pooler = pgbouncer(server, server_login_retry=1)
    url = (
        pooler.url
        if whose == "pooler's"
        else pooler.url.replace(f"{user}:", f"{user}:no-")
    )

    for words in (["migrate"], ["run", "--roles", "api"], ["doctor"]):
        answer = command(*words, PAYMENT_DATABASE_URL=url)

        assert answer.code == 1, (words, answer)
        said = answer.out + answer.err
        assert "password" in said or "authentication" in said, (words, said)
        assert "no-" not in said, (words, said)


def _locks(url):
    with psycopg.connect(url) as connection:
        return connection.execute(LOCKS).fetchall()
