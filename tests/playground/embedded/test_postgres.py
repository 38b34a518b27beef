"""An embedded cluster keeps its data, and dies with its parent."""

import importlib.util
import os
import shutil
import signal
from pathlib import Path

import psycopg
import pytest

from payment_service.playground.embedded import EmbeddedPostgres, EmbeddedServerError
from payment_service.playground.embedded.postgres import FAST
from payment_service.playground.embedded.process import free_port
from tests.playground.embedded.processes import (
    a_parent,
    memory_folder,
    processes_of,
    wait_until,
)

EMBEDDED = "payment_service.playground.embedded"
MEMORY = memory_folder()

PARENT = """
import sys, time
from payment_service.playground.embedded import EmbeddedPostgres
server = EmbeddedPostgres(settings={"fsync": "off"})
server.start()
print(server.folder, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def unharmed():
    """Serves the tests that only look."""
    with EmbeddedPostgres(settings=FAST, max_connections=20, within=MEMORY) as running:
        yield running


@pytest.fixture
def server():
    with EmbeddedPostgres(settings=FAST, max_connections=20, within=MEMORY) as running:
        yield running


def execute(server, statement):
    with psycopg.connect(server.url) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def setting(server, name):
    [(value,)] = execute(server, f"SHOW {name}")
    return value


def test_a_started_cluster_answers(unharmed):
    assert execute(unharmed, "SELECT 1") == [(1,)]


def test_settings_reach_the_server(unharmed):
    assert setting(unharmed, "fsync") == "off"
    assert setting(unharmed, "max_connections") == "20"
    assert setting(unharmed, "server_encoding") == "UTF8"
    assert setting(unharmed, "timezone") == "UTC"


def test_it_listens_on_loopback_only(unharmed):
    assert setting(unharmed, "listen_addresses") == "127.0.0.1"
    assert setting(unharmed, "unix_socket_directories") == ""


def test_a_wrong_password_is_refused(unharmed):
    wrong = unharmed.url.replace(":", ":x", 2).replace(":x//", "://")

    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(wrong)


def test_starting_twice_changes_nothing(unharmed):
    before = unharmed.pid

    unharmed.start()

    assert unharmed.pid == before


def test_a_restart_keeps_data_and_address(server):
    before = server.url
    execute(server, "CREATE TABLE kept AS SELECT 42 AS answer")

    server.restart()

    assert server.url == before
    assert execute(server, "SELECT answer FROM kept") == [(42,)]


def test_a_kill_loses_no_committed_row(server):
    execute(server, "CREATE TABLE kept AS SELECT 42 AS answer")

    server.kill()

    assert not server.running
    assert not processes_of(server.folder)
    server.start()
    assert execute(server, "SELECT answer FROM kept") == [(42,)]


def test_a_given_folder_outlives_the_server():
    folder = EmbeddedPostgres(within=MEMORY).folder / "mine"
    try:
        with EmbeddedPostgres(folder, settings=FAST) as first:
            execute(first, "CREATE TABLE kept AS SELECT 42 AS answer")

        with EmbeddedPostgres(folder, settings=FAST) as second:
            assert execute(second, "SELECT answer FROM kept") == [(42,)]
    finally:
        shutil.rmtree(folder.parent)


def test_a_temporary_folder_goes_with_the_server():
    with EmbeddedPostgres(settings=FAST, within=MEMORY) as server:
        folder = server.folder
        server.kill()

    assert not folder.exists()


def test_a_port_lost_to_another_is_chosen_again(unharmed, monkeypatch):
    ports = iter([unharmed.port, free_port()])
    monkeypatch.setattr(f"{EMBEDDED}.server.free_port", lambda: next(ports))

    with EmbeddedPostgres(settings=FAST, within=MEMORY) as other:
        assert other.port != unharmed.port


def test_an_unknown_setting_is_named():
    with (
        pytest.raises(EmbeddedServerError, match="nonsense"),
        EmbeddedPostgres(settings={"nonsense": "1"}, within=MEMORY),
    ):
        pass


def test_a_missing_wheel_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    with (
        pytest.raises(EmbeddedServerError, match=r"payment-service\[embedded\]"),
        EmbeddedPostgres(),
    ):
        pass


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_the_parent(death):
    with a_parent(PARENT) as (parent, folder):
        assert processes_of(folder)

        parent.send_signal(death)
        parent.wait()

        wait_until(lambda: not processes_of(folder))
        wait_until(lambda: not folder.exists())


def test_nothing_outlives_the_guard(server):
    [guard] = [line for line in processes_of(server.folder) if "supervisor.py" in line]
    assert guard
    [pid] = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()[1:2]

    os.kill(int(pid), signal.SIGKILL)

    wait_until(lambda: not processes_of(server.folder))
