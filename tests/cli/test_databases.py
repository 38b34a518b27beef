"""What `migrate`, `run` and `doctor` say of a database that cannot be worked with."""

import secrets
from contextlib import closing, contextmanager
from threading import Timer

import psycopg
import pytest
from psycopg import sql

from fsm.domain.errors import StoreUnavailable
from payment_service.storage import migrate
from payment_service.storage.fitness import Unfit
from payment_service.wiring import run
from payment_service.wiring.run import _connected

PASSWORD = "hunter2-canary"
RUN = {
    "PAYMENT_NATS_URL": "nats://127.0.0.1:1",
    "PAYMENT_CORE_URL": "http://127.0.0.1:1",
    "PAYMENT_CORE_TOKEN": "x",
}


@pytest.fixture(autouse=True)
def configured(shell):
    (shell.folder / "payment.toml").write_text("")


def told(answer):
    """Return the one line with which a command has failed."""
    assert answer.code == 1, answer
    assert answer.err.count("\n") == 1
    assert PASSWORD not in answer.err + answer.out
    return answer.err


def found(answer):
    return {(f["area"], f["what"]): f for f in answer.json["findings"]}


@contextmanager
def made(postgres_server, statement, undo):
    name = f"made_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
        try:
            yield name
        finally:
            connection.execute(sql.SQL(undo).format(sql.Identifier(name)))


@pytest.fixture(params=["SQL_ASCII", "LATIN1"])
def narrow(request, postgres_server):
    """Give a database that cannot hold every name."""
    how = f"CREATE DATABASE {{}} ENCODING {request.param} LOCALE 'C' TEMPLATE template0"
    with made(postgres_server, how, "DROP DATABASE {} WITH (FORCE)") as name:
        yield postgres_server.url_of(name)


@pytest.fixture
def guest(postgres_server):
    """Give a user who may do nothing."""
    how = f"CREATE ROLE {{}} LOGIN PASSWORD '{PASSWORD}'"
    with made(postgres_server, how, "DROP ROLE {}") as name:
        yield name


def as_user(url, name, password=PASSWORD):
    return f"postgresql://{name}:{password}@{url.rpartition('@')[2]}"


@pytest.mark.parametrize("command", ["migrate", "run"])
def test_a_database_that_cannot_hold_every_name_is_told(shell, narrow, command):
    line = told(shell(command, PAYMENT_DATABASE_URL=narrow, **RUN))

    assert "cannot hold every name" in line
    assert "ENCODING 'UTF8'" in line


def test_the_doctor_sees_what_the_service_would_meet(shell, narrow):
    seen = found(shell("doctor", "--json", PAYMENT_DATABASE_URL=narrow))

    assert seen["database", "encoding"]["state"] == "wrong"
    assert "ENCODING 'UTF8'" in seen["database", "encoding"]["mend"]


def test_a_user_who_may_make_no_table_is_told_how_to_get_it(
    shell, empty_database_url, guest
):
    url = as_user(empty_database_url, guest)

    line = told(shell("migrate", PAYMENT_DATABASE_URL=url))

    assert f"GRANT CREATE ON SCHEMA public TO {guest}" in line


@pytest.fixture
def reader(database_url, guest):
    """Give the address of a migrated database for a user who may only read."""
    user = sql.Identifier(guest)
    granted = sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(granted.format(user))
        yield as_user(database_url, guest)
        connection.execute(sql.SQL("DROP OWNED BY {}").format(user))


def test_a_user_who_may_not_write_is_told_what_to_grant(shell, reader, guest):
    line = told(shell("run", PAYMENT_DATABASE_URL=reader, **RUN))
    seen = found(shell("doctor", "--json", PAYMENT_DATABASE_URL=reader))

    emptied = "outbox, parked, provider_health, webhook_inbox"
    assert f"GRANT DELETE ON {emptied} TO {guest}" in line
    assert seen["database", "rights"]["state"] == "wrong"
    assert seen["work", "counts"]["state"] == "wrong"


def test_a_user_who_may_do_nothing_is_told_all_that_he_needs(
    shell, database_url, guest
):
    url = as_user(database_url, guest)

    line = told(shell("run", PAYMENT_DATABASE_URL=url, **RUN))
    doctor = shell("doctor", "--json", PAYMENT_DATABASE_URL=url, **RUN)

    for grant in ("SELECT ON alembic_version, ", "DELETE ON outbox, ", "USAGE ON SEQ"):
        assert f"GRANT {grant}" in line
    assert found(doctor)["database", "rights"]["state"] == "wrong"
    assert ("nats", "connection") in found(doctor)


def test_a_user_who_may_not_see_the_schema_is_told(shell, database_url, guest):
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("REVOKE USAGE ON SCHEMA public FROM public")

    line = told(shell("run", PAYMENT_DATABASE_URL=as_user(database_url, guest), **RUN))

    assert "GRANT USAGE ON SCHEMA" in line


@pytest.mark.parametrize("command", ["migrate", "run"])
def test_a_database_of_a_newer_version_is_not_to_be_migrated(
    shell, database_url, command
):
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    line = told(shell(command, PAYMENT_DATABASE_URL=database_url, **RUN))
    seen = found(shell("doctor", "--json", PAYMENT_DATABASE_URL=database_url))

    assert "9999" in line
    assert "a newer version has migrated it" in line
    assert "newer version" in seen["database", "schema"]["mend"]


@pytest.mark.parametrize("command", ["migrate", "run"])
def test_a_wrong_password_is_told_without_it(shell, database_url, guest, command):
    url = as_user(database_url, guest, PASSWORD + "x")

    line = told(shell(command, PAYMENT_DATABASE_URL=url, **RUN))

    assert f'password authentication failed for user "{guest}"' in line


@pytest.mark.parametrize("command", ["migrate", "run"])
def test_a_database_that_is_not_there_is_told(shell, postgres_server, command):
    url = postgres_server.url_of("not_there")

    line = told(shell(command, PAYMENT_DATABASE_URL=url, **RUN))

    assert 'database "not_there" does not exist' in line


def test_the_start_waits_for_a_server_that_takes_nobody_yet(
    postgres_server, database_url, guest
):
    role = sql.Identifier(guest)
    limit = sql.SQL("ALTER ROLE {} CONNECTION LIMIT {}")
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute(limit.format(role, 0))
        soon = Timer(0.5, connection.execute, [limit.format(role, 5)])
        soon.start()

        with closing(_connected(as_user(database_url, guest))) as made:
            assert made.info.user == guest

        soon.join()


def test_the_start_does_not_wait_for_ever(database_url, guest, monkeypatch):
    monkeypatch.setattr(run, "STARTING_SECONDS_MAX", 0.3)
    with psycopg.connect(database_url, autocommit=True) as connection:
        limit = sql.SQL("ALTER ROLE {} CONNECTION LIMIT 0")
        connection.execute(limit.format(sql.Identifier(guest)))

    with pytest.raises(StoreUnavailable, match="too many connections for role"):
        _connected(as_user(database_url, guest))


def test_migrate_waits_no_longer_than_its_limit_and_names_the_holder(
    empty_database_url, monkeypatch
):
    monkeypatch.setattr(migrate, "TURN_SECONDS_MAX", 0.3)
    lines: list[str] = []
    named = f"{empty_database_url}?application_name=forgotten"
    with psycopg.connect(named, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [migrate.LOCK])

        holder = rf"pid {other.info.backend_pid} \(.*application forgotten.*since 2"
        with pytest.raises(Unfit, match=holder):
            migrate.upgrade(empty_database_url, tell=lines.append)

    assert len(lines) == 1
    assert "waiting for another `migrate`" in lines[0]
    migrate.upgrade(empty_database_url)
