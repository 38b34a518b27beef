"""Every test here is marked `field`, and runs on each PgBouncer that was found."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from ops.field.programs import PGBOUNCER, Missing, newer_pgbouncer, path_of
from tests.cli.stage import SECRET, TABLE, TOKEN, Shell
from tests.field.cluster import DebianNode, a_server
from tests.field.rigs import PgBouncer

MEASURED = pytest.StashKey[list[str]]()
HERE = Path(__file__).parent
OLD, NEW = "this Debian's", "the next Debian's"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if str(item.path).startswith(f"{HERE}/"):
            item.add_marker(pytest.mark.field)


def pytest_generate_tests(metafunc):
    if "pgbouncer" in metafunc.fixturenames:
        found = [OLD, NEW] if _newer() is None else [OLD]
        metafunc.parametrize("pgbouncer", found, indirect=True)


def pytest_terminal_summary(terminalreporter, config):
    lines = config.stash.get(MEASURED, [])
    if because := _newer():
        lines = [*lines, f"one PgBouncer alone was tried: {because}"]
    if lines:
        terminalreporter.section("in the field")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture
def measured(request):
    """Take lines about what was measured; the end of the run shows them."""
    lines = request.config.stash.setdefault(MEASURED, [])
    return lambda line: lines.append(f"{request.node.name}: {line}")


@pytest.fixture
def pgbouncer(request):
    """Return what starts poolers in front of a URL; all are gone after the test."""
    new = request.param == NEW
    yield from _starts(newer_pgbouncer() if new else path_of(PGBOUNCER))


@pytest.fixture(name="newer_pgbouncer")
def _newer_pgbouncer():
    """Return the same for the next Debian's, which may be what cannot be had."""
    if because := _newer():
        pytest.skip(because)
    yield from _starts(newer_pgbouncer())


def _starts(program):
    with ExitStack() as stack:

        def start(url, **settings):
            pooler = PgBouncer(url, program=program, **settings)
            return stack.enter_context(pooler)

        yield start


@pytest.fixture
def bus(nats_server, subject_prefix):
    """Return the address of NATS, and the prefix that is the test's alone."""
    return nats_server.url, subject_prefix


@pytest.fixture
def cluster():
    """Run a PostgreSQL of the wheel that the test may change."""
    with a_server() as server:
        yield server


@pytest.fixture
def debian():
    """Run a PostgreSQL of Debian."""
    with a_server(DebianNode) as server:
        yield server


@pytest.fixture
def command(tmp_path, nats_server, subject_prefix):
    """Run commands with all settings but for PAYMENT_DATABASE_URL."""
    shell = Shell(tmp_path)
    table = TABLE.format(name="acme", url="http://127.0.0.1:1")
    (tmp_path / "payment.toml").write_text(table)
    shell.env |= {
        "PAYMENT_NATS_URL": nats_server.url,
        "PAYMENT_SUBJECT_PREFIX": subject_prefix,
        "PAYMENT_CORE_URL": "http://127.0.0.1:1",
        "PAYMENT_CORE_TOKEN": TOKEN,
        "PAYMENT_HTTP_PORT": "0",
        "PAYMENT_METRICS_PORT": "0",
        "SECRET_OF_PROVIDERS": SECRET,
    }
    return shell


def _newer():
    """Return why there is no newer PgBouncer; None if there is one."""
    try:
        newer_pgbouncer()
    except Missing as error:
        return str(error)
    return None
