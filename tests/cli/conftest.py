"""A shell in an empty folder; a database with orders that are as they should be."""

import secrets

import pytest

from tests.cli.desk import opened
from tests.cli.stage import Shell, fill
from tests.clones import cloned


@pytest.fixture(scope="session")
def filled(postgres_server, database_template):
    """Give a database of good orders to clone, and the orders."""
    with cloned(postgres_server, database_template, "filled") as name:
        yield name, fill(postgres_server.url_of(name))


@pytest.fixture
def database_url(request, postgres_server, database_template):
    """Return the address of a database of the test's own, with orders if it asks."""
    asked = "orders" in request.fixturenames
    template = request.getfixturevalue("filled")[0] if asked else database_template
    with cloned(postgres_server, template) as name:
        yield postgres_server.url_of(name)


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
def orders(filled):
    """Return the good orders in the test's database, by order_id."""
    return filled[1]


@pytest.fixture(scope="session")
def desk(postgres_server, database_template, nats_server, tmp_path_factory):
    """Share one running service: each test takes manual checks of its own."""
    folder, prefix = tmp_path_factory.mktemp("desk"), f"t{secrets.token_hex(6)}"
    with cloned(postgres_server, database_template, "desk") as name:
        url = postgres_server.url_of(name)
        with opened(folder, url, nats_server.url, prefix) as desk:
            yield desk
