"""`run` starts, stops gracefully, and says in one line what keeps it from starting."""

import asyncio
import signal
import socket
import time
import urllib.request
from contextlib import closing

import pytest

from payment_service.embedded.core import SimulatedCore
from tests.cli.stage import SECRET, TABLE, TOKEN

START_SECONDS_MAX = 20


def free_port():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def ready(at_database, nats_server, subject_prefix):
    """Give a shell with everything that `run` and `doctor` need, but for core."""
    table = TABLE.format(name="acme", url="http://127.0.0.1:1")
    (at_database.folder / "payment.toml").write_text(table)
    at_database.env |= {
        "PAYMENT_NATS_URL": nats_server.url,
        "PAYMENT_SUBJECT_PREFIX": subject_prefix,
        "PAYMENT_CORE_URL": "http://127.0.0.1:1",
        "PAYMENT_CORE_TOKEN": TOKEN,
        "PAYMENT_HTTP_PORT": str(free_port()),
        "PAYMENT_METRICS_PORT": str(free_port()),
        "SECRET_OF_PROVIDERS": SECRET,
    }
    return at_database


def asked(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status


def listening(process, port):
    until = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < until and process.poll() is None:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", int(port))) == 0:
                return
        time.sleep(0.05)
    process.kill()
    raise AssertionError(process.communicate())


@pytest.mark.parametrize(
    ("roles", "port"),
    [
        ("api,worker,relay,sweeper", "PAYMENT_HTTP_PORT"),
        ("worker", "PAYMENT_METRICS_PORT"),
        ("relay, sweeper", "PAYMENT_METRICS_PORT"),
    ],
)
def test_it_starts_and_a_signal_stops_it(ready, roles, port):
    process = ready.start("run", "--roles", roles)
    try:
        listening(process, ready.env[port])
        assert asked(ready.env[port], "/readyz") == 200
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)

    assert process.returncode == 0, (out, err)
    assert "service.started" in out
    assert TOKEN not in out + err


def test_a_database_behind_the_schema_is_told(ready, empty_database_url):
    answer = ready("run", PAYMENT_DATABASE_URL=empty_database_url)

    assert answer.code == 1
    assert "run `payment-service migrate`" in answer.err
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"PAYMENT_DATABASE_URL": "postgresql://x:canary@127.0.0.1:1/x"}, "PostgreSQL"),
        ({"PAYMENT_NATS_URL": "nats://127.0.0.1:1"}, "PAYMENT_NATS_URL"),
    ],
)
def test_a_neighbour_that_is_away_is_told(ready, changed, said):
    answer = ready("run", **changed)

    assert answer.code == 1
    assert said in answer.err
    assert answer.err.count("\n") == 1
    assert "canary" not in answer.err + answer.out


def test_a_port_that_is_taken_is_told(ready):
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        answer = ready("run", PAYMENT_HTTP_PORT=str(port))

    assert answer.code == 1
    assert f"127.0.0.1:{port}" in answer.err


def states(report):
    return {(f["area"], f["what"]): f["state"] for f in report["findings"]}


def test_the_doctor_names_what_is_missing(shell):
    answer = shell("doctor")

    assert answer.code == 2
    assert "PAYMENT_NATS_URL: is missing" in answer.out


@pytest.mark.usefixtures("orders")
def test_the_doctor_finds_everything_well(ready):
    process = ready.start("run", PAYMENT_HTTP_PORT=str(port := free_port()))
    try:
        listening(process, port)
    finally:
        process.terminate()
        process.communicate(timeout=30)

    async def examined():
        core = SimulatedCore(token=TOKEN)
        await core.start("127.0.0.1", 0)
        table = TABLE.format(name="acme", url=core.url)
        (ready.folder / "payment.toml").write_text(table)
        try:
            return await asyncio.to_thread(
                ready, "doctor", "--json", PAYMENT_CORE_URL=core.url
            )
        finally:
            await core.stop()

    report = asyncio.run(examined()).json
    found = states(report)
    prefix = ready.env["PAYMENT_SUBJECT_PREFIX"]

    wrong = {what for what, state in found.items() if state == "wrong"}
    assert wrong <= {("database", "fsync"), ("database", "full_page_writes")}
    assert found["nats", "schedules"] == "ok"
    assert found["nats", f"stream {prefix}_ORDER_TASKS"] == "ok"
    assert found["core", "reachable"] == "ok"
    assert found["providers", "acme"] == "ok"
    assert found["work", "manual checks"] == "advice"
    assert found["settings", "PAYMENT_PUBLIC_URL"] == "advice"


def test_the_doctor_names_who_does_not_answer(ready):
    answer = ready("doctor", "--json", PAYMENT_NATS_URL="nats://127.0.0.1:1")
    plain = ready("doctor")
    found = states(answer.json)

    assert answer.code == 1
    assert found["nats", "connection"] == "wrong"
    assert found["core", "reachable"] == "wrong"
    assert found["providers", "acme"] == "wrong"
    assert found["database", "schema"] == "ok"
    assert TOKEN not in answer.out + plain.out
    assert SECRET not in answer.out + plain.out
    assert "is missing → start `payment-service run`" in plain.out


def test_the_doctor_sees_an_old_schema(ready, empty_database_url):
    report = ready("doctor", "--json", PAYMENT_DATABASE_URL=empty_database_url).json

    assert states(report)["database", "schema"] == "wrong"
