"""One set of rows in memory and one in PostgreSQL, for one suite.

In PostgreSQL it is another user's: who owns the tables would be refused nothing.
"""

import secrets

import psycopg
import pytest
from psycopg import sql

from payment_service.playground.memory.clock import VirtualClock
from payment_service.playground.memory.rows import MemoryRows
from payment_service.storage.rights import lacking
from tests.world.postgres_rows import PostgresRows


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def committed():
    """Return where the rows of the outbox are handed to after each commit."""
    return []


@pytest.fixture(scope="session")
def user(postgres_server):
    """Give the name of a user who may do nothing; it is the password too."""
    name = f"user_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        role = sql.Identifier(name)
        made = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
        connection.execute(made.format(role, sql.Literal(name)))
        yield name
        connection.execute(sql.SQL("DROP ROLE {}").format(role))


@pytest.fixture
def user_url(database_url, user):
    """Give the address for a user who may do what `run` and `doctor` ask for."""
    url = f"postgresql://{user}:{user}@{database_url.rpartition('@')[2]}"
    with (
        psycopg.connect(database_url, autocommit=True) as owner,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        for grant in lacking(connection):
            owner.execute(grant)
        assert lacking(connection) == []
    return url


@pytest.fixture(params=["memory", "postgres"])
async def rows(request, clock, committed):
    """Give the ports over one empty set of rows."""
    if request.param == "memory":
        yield MemoryRows(clock, on_committed=committed.extend)
        return
    url = request.getfixturevalue("database_url")
    user_url = request.getfixturevalue("user_url")
    rows = PostgresRows(url, clock, on_committed=committed.extend, through=user_url)
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("GRANT USAGE ON SCHEMA virtual TO public")
        owner.execute("GRANT SELECT, UPDATE ON virtual.moment TO public")
    await rows.open()
    yield rows
    await rows.close()


@pytest.fixture
async def postgres(database_url, clock, committed):
    """Give the ports over PostgreSQL, for what only it can show."""
    rows = PostgresRows(database_url, clock, on_committed=committed.extend)
    await rows.open()
    yield rows
    await rows.close()


@pytest.fixture
def store(rows):
    return rows.store


@pytest.fixture
def connection(database_url):
    """Give a second connection to the test's database."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection
