"""Every test here is marked `field`, and runs on each PgBouncer that was found."""

from pathlib import Path

import pytest

from ops.field.programs import PGBOUNCER, Missing, newer_pgbouncer, path_of
from tests.field.rigs import PgBouncer

MEASURED = pytest.StashKey[list[str]]()
HERE = Path(__file__).parent
OLD, NEW = "this Debian's", "the next Debian's"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
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
    program = path_of(PGBOUNCER) if request.param == OLD else newer_pgbouncer()
    started = []

    def start(url, **settings):
        pooler = PgBouncer(url, program=program, **settings)
        started.append(pooler)
        pooler.start()
        return pooler

    yield start
    for pooler in started:
        pooler.close()


def _newer():
    """Return why there is no newer PgBouncer; None if there is one."""
    try:
        newer_pgbouncer()
    except Missing as error:
        return str(error)
    return None


@pytest.fixture
def bus(nats_server, subject_prefix):
    """Return the address of NATS, and the prefix that is the test's alone."""
    return nats_server.url, subject_prefix
