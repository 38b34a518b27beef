"""A command that is forked does what one does whose interpreter was started."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.stage import Shell
from tests.forks import ForkServer, forks

SECONDS_MAX = 60


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path)


@pytest.fixture
def forked():
    """Run commands as forks, whatever they are."""

    def run(shell, *args, seconds=SECONDS_MAX, **more):
        env = shell.environment(**more)
        return forks().run(args, cwd=shell.folder, env=env, timeout=seconds)

    return run


@pytest.mark.parametrize(
    "command",
    [
        ("--help",),
        ("nonsense",),
        ("doctor",),
        ("spec", "fsm"),
        ("provider", "show", "acme"),
    ],
)
def test_it_says_the_same_and_ends_the_same(shell, forked, command):
    fork, start = forked(shell, *command), shell.started(*command)

    assert (fork.returncode, fork.stdout, fork.stderr) == (
        start.returncode,
        start.stdout,
        start.stderr,
    )


def test_it_has_the_environment_and_the_folder_of_its_shell(shell, forked, monkeypatch):
    monkeypatch.setenv("PAYMENT_HTTP_PORT", "of the test's own process")
    (shell.folder / "payment.toml").write_text("nonsense = 1")

    done = forked(shell, "run", PAYMENT_NATS_URL="x")

    assert done.returncode == 2
    assert b"PAYMENT_HTTP_PORT" not in done.stderr
    assert b"PAYMENT_NATS_URL" in done.stderr


def test_one_knows_nothing_of_another(shell, forked):
    first = forked(shell, "run", PAYMENT_NATS_URL="x")
    second = forked(shell, "run")

    assert b"PAYMENT_NATS_URL is missing" not in first.stderr
    assert b"PAYMENT_NATS_URL is missing" in second.stderr


def test_one_that_does_not_end_is_killed(shell, forked, tmp_path):
    os.mkfifo(tmp_path / "payment.toml")

    with pytest.raises(subprocess.TimeoutExpired):
        forked(shell, "doctor", seconds=0.01)

    assert forked(shell, "nonsense").returncode == 2


@pytest.mark.parametrize("name", ["PYTHONUTF8", "LC_ALL", "LANG"])
def test_what_an_interpreter_hears_at_its_start_starts_one(shell, name):
    env = shell.environment()

    assert forks().serves(env)
    assert not forks().serves({**env, name: "something else"})


def test_its_server_ends_with_those_who_ask():
    asking = ForkServer("this")

    assert asking._process.stdin is not None
    asking._process.stdin.close()

    assert asking._process.wait() == 0
    assert not Path(asking._path).parent.exists()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_one_that_goes_on_hears_signals_and_tells_how_it_died(shell, number, code):
    env = shell.environment()
    process = forks().piped(["core-simulator"], cwd=shell.folder, env=env)
    assert json.loads(process.stdout.readline())["url"]
    assert process.poll() is None

    process.send_signal(number)
    out, err = process.communicate(timeout=SECONDS_MAX)

    assert (process.returncode, process.poll(), out, err) == (code, code, "", "")
    process.send_signal(number)


def test_one_that_waits_for_nothing_is_killed_when_nobody_waits(shell):
    env = shell.environment()
    process = forks().piped(["core-simulator"], cwd=shell.folder, env=env)

    with pytest.raises(subprocess.TimeoutExpired):
        process.communicate(timeout=0.01)

    assert process.wait(SECONDS_MAX) == -signal.SIGKILL


def test_what_was_forked_ends_with_its_server(tmp_path):
    server = ForkServer("http.server", "http.server")
    with (tmp_path / "log").open("w+b") as log:
        files = [log.fileno()] * 3
        process = server.start(["0"], *files, cwd=tmp_path, env={})
    assert process.poll() is None

    server._close()

    assert process.wait(SECONDS_MAX) == -signal.SIGKILL
