"""A shell in an empty folder; a database with orders that are as they should be."""

import secrets

import psycopg
import pytest
from psycopg import sql

from tests.cli.desk import opened
from tests.cli.stage import Shell, fill

# Copying files is faster than driving the orders again.
CLONE = "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY"


def execute(server, statement, *names):
    query = sql.SQL(statement).format(*map(sql.Identifier, names))
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(query)


@pytest.fixture(scope="session")
def filled(postgres_server, database_template):
    """Give a database of good orders to clone, and the orders."""
    name = f"filled_{secrets.token_hex(6)}"
    execute(postgres_server, CLONE, name, database_template)
    yield name, fill(postgres_server.url_of(name))
    execute(postgres_server, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def shell(tmp_path):
    """Run commands without any setting."""
    return Shell(tmp_path)


@pytest.fixture
def at_database(shell, database_url):
    """Run commands on a migrated, empty database."""
    shell.env["PAYMENT_DATABASE_URL"] = database_url
    return shell


@pytest.fixture
def orders(postgres_server, database_url, filled):
    """Put good orders into the test's database; return them by order_id."""
    template, made = filled
    name = database_url.rpartition("/")[2]
    execute(postgres_server, "DROP DATABASE {} WITH (FORCE)", name)
    execute(postgres_server, CLONE, name, template)
    return made


@pytest.fixture(scope="session")
def desk(postgres_server, database_template, nats_server, tmp_path_factory):
    """Share one running service: each test takes manual checks of its own."""
    name = f"desk_{secrets.token_hex(6)}"
    execute(postgres_server, CLONE, name, database_template)
    url = postgres_server.url_of(name)
    prefix = f"t{secrets.token_hex(6)}"
    with opened(tmp_path_factory.mktemp("desk"), url, nats_server.url, prefix) as desk:
        yield desk
    execute(postgres_server, "DROP DATABASE {} WITH (FORCE)", name)
