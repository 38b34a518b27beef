"""One PostgreSQL and one NATS for the whole run; a database and a prefix a test."""

import asyncio
import gc
import os
import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import nats
import psycopg
import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings
from psycopg import sql

from fsm.domain.masking import KNOWN
from payment_service.playground.embedded import EmbeddedNats, EmbeddedPostgres
from payment_service.playground.embedded.postgres import FAST
from payment_service.storage import migrate
from payment_service.storage.grants import Roles, apply
from tests.clones import cloned, execute
from tests.order import dealt
from tests.playground.embedded.processes import memory_folder
from tests.sampling import every_case

# A busy machine is slow to make examples, which says nothing about what they test.
settings.register_profile(
    "busy",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=200 if every_case() else 40,
)
settings.load_profile("busy")

# All that tests call is on this machine, where no proxy would find it.
for _name in [name for name in os.environ if name.upper().endswith("_PROXY")]:
    del os.environ[_name]

# Tests start hundreds of processes: each would compile all that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

TEMPLATE = "payment_template"
MAX_CONNECTIONS = 400
WAITING = 2
"""So many processes are taken to wait while one for each core works."""
# Of the advisory lock under which the first test makes the template.
TEMPLATE_LOCK = 2_606
POSTGRES = pytest.StashKey[EmbeddedPostgres]()
NATS = pytest.StashKey[EmbeddedNats]()
GIVEN_POSTGRES = "PAYMENT_TESTS_POSTGRES_URL"
GIVEN_NATS = "PAYMENT_TESTS_NATS_URL"
"""Servers of whoever has started this run from within his own."""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    url: str

    def url_of(self, database: str) -> str:
        """Return the address of a database, whether or not it exists yet."""
        return f"{self.url.rpartition('/')[0]}/{database}"


@dataclass(frozen=True, slots=True)
class NatsServer:
    url: str


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Return how many work at the same time: many a test waits, for an answer say."""
    return len(os.sched_getaffinity(0)) + WAITING


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    """Start the servers in the controller of pytest-xdist: it outlives its workers."""
    node.workerinput["postgres_url"] = _postgres_url(node.config)
    node.workerinput["nats_url"] = _nats_url(node.config)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Let no worker begin with a slow test when all others are done."""
    for item in items:
        # Of invented examples there are more in ``make every-case``.
        if is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.sampled)
    if given := getattr(config, "workerinput", None):
        items[:] = dealt(items, given["workercount"])


def pytest_collection_finish():
    """Look for garbage among what tests make, not among the tests: they are many."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def forgotten_secrets():
    """Let no test hide what another one's service was given: the masking is shared."""
    yield
    KNOWN.forget()


@pytest.fixture(scope="session")
def postgres_server(pytestconfig) -> PostgresServer:
    """Serve every test of the run; who wants to break one starts one of his own."""
    given = getattr(pytestconfig, "workerinput", {})
    return PostgresServer(given.get("postgres_url") or _postgres_url(pytestconfig))


@pytest.fixture(scope="session")
def nats_server(pytestconfig) -> NatsServer:
    """Serve every test of the run; who wants to break one starts one of his own."""
    given = getattr(pytestconfig, "workerinput", {})
    return NatsServer(given.get("nats_url") or _nats_url(pytestconfig))


@pytest.fixture(scope="session")
def database_template(postgres_server) -> str:
    """Return the name of a database at the newest schema."""
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [TEMPLATE_LOCK])
        if not _is_template(connection):
            _make_template(connection, postgres_server)
    return TEMPLATE


@pytest.fixture
def database_url(postgres_server, database_template) -> Iterator[str]:
    """Return the address of a migrated, empty database that is the test's alone."""
    with cloned(postgres_server, database_template) as name:
        yield postgres_server.url_of(name)


@pytest.fixture(scope="session")
def roles(postgres_server) -> Iterator[Roles]:
    """Give the names of three roles of this process, each with its name as password."""
    mark = secrets.token_hex(6)
    roles = Roles(f"owner_{mark}", f"service_{mark}", f"reader_{mark}")
    names = [name for _, name in roles.named()]
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        made = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
        for name in names:
            connection.execute(made.format(sql.Identifier(name), sql.Literal(name)))
        yield roles
        # Their databases are gone, and all that was theirs with them.
        for name in names:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


@dataclass(frozen=True, slots=True)
class Granted:
    """Addresses of one migrated database, for each of its roles."""

    owner: str
    service: str
    reader: str


@pytest.fixture
def granted(database_url, roles) -> Granted:
    """Give each role what is its own in the test's database."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        apply(connection, roles)
    rest = database_url.rpartition("@")[2]
    return Granted(
        **{what: f"postgresql://{name}:{name}@{rest}" for what, name in roles.named()}
    )


@pytest.fixture
def empty_database_url(postgres_server) -> Iterator[str]:
    """Return the address of a database without a schema."""
    name = f"test_{secrets.token_hex(6)}"
    execute(postgres_server, "CREATE DATABASE {}", name)
    yield postgres_server.url_of(name)
    execute(postgres_server, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def subject_prefix(nats_server) -> Iterator[str]:
    """Return a PAYMENT_SUBJECT_PREFIX that is the test's alone."""
    prefix = f"t{secrets.token_hex(6)}"
    yield prefix
    asyncio.run(_delete_streams(nats_server.url, prefix))


def _postgres_url(config: pytest.Config) -> str:
    if given := os.environ.get(GIVEN_POSTGRES):
        return given
    if POSTGRES not in config.stash:
        server = EmbeddedPostgres(
            settings=FAST, max_connections=MAX_CONNECTIONS, within=memory_folder()
        )
        config.add_cleanup(server.close)
        server.start()
        config.stash[POSTGRES] = server
    return config.stash[POSTGRES].url


def _nats_url(config: pytest.Config) -> str:
    if given := os.environ.get(GIVEN_NATS):
        return given
    if NATS not in config.stash:
        server = EmbeddedNats(within=memory_folder())
        config.add_cleanup(server.close)
        server.start()
        config.stash[NATS] = server
    return config.stash[NATS].url


def _is_template(connection: psycopg.Connection) -> bool:
    row = connection.execute(
        "SELECT FROM pg_database WHERE datname = %s AND datistemplate", [TEMPLATE]
    ).fetchone()
    return row is not None


def _make_template(connection: psycopg.Connection, server: PostgresServer) -> None:
    name = sql.Identifier(TEMPLATE)
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(name))
    connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
    migrate.upgrade(server.url_of(TEMPLATE))
    # Last: a template that could not be finished is made again.
    connection.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE true").format(name))


async def _delete_streams(url: str, prefix: str) -> None:
    async with await nats.connect(url) as client:
        streams = client.jetstream()
        for stream in await streams.streams_info():
            if stream.config.name and stream.config.name.startswith(f"{prefix}_"):
                await streams.delete_stream(stream.config.name)
