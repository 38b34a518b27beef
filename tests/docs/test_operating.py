"""docs/operating.md is followed: what it shows to start the service starts it."""

import asyncio
import signal

import pytest

from providers.testing.simulator.core import SimulatedCore
from tests.cli.stage import SECONDS_MAX, SECRET, TABLE, TOKEN, Shell
from tests.docs.pages import DOCS, commands_of, words_of

PAGE = DOCS / "operating.md"
SHOWN = [words_of(command) for command in commands_of(PAGE)]
SETTINGS, *STARTING = SHOWN[:7]
RUNS = [words[1:] for words in STARTING if words[1] == "run"]


@pytest.fixture
def shell(tmp_path, empty_database_url, nats_server, subject_prefix):
    """Give a shell in which only what the page exports is set, and free ports."""
    known = {
        "PAYMENT_DATABASE_URL": empty_database_url,
        "PAYMENT_NATS_URL": nats_server.url,
        "PAYMENT_CORE_URL": "http://127.0.0.1:1",
        "PAYMENT_CORE_TOKEN": TOKEN,
    }
    exported = [word.partition("=")[0] for word in SETTINGS[1:]]
    assert sorted(exported) == sorted(known)
    (tmp_path / "payment.toml").write_text(
        TABLE.format(name="acme", url="http://[::1]")
    )
    free = {"PAYMENT_HTTP_PORT": "0", "PAYMENT_METRICS_PORT": "0"}
    apart = {"PAYMENT_SUBJECT_PREFIX": subject_prefix, "SECRET_OF_PROVIDERS": SECRET}
    return Shell(folder=tmp_path, env={**known, **free, **apart})


async def examined(shell):
    core = SimulatedCore(token=TOKEN)
    await core.start("127.0.0.1", 0)
    shell.env["PAYMENT_CORE_URL"] = core.url
    (shell.folder / "payment.toml").write_text(TABLE.format(name="acme", url=core.url))
    try:
        return await asyncio.to_thread(shell, "doctor", "--json")
    finally:
        await core.stop()


def started(process):
    return any("service.started" in line for line in process.stdout)


@pytest.mark.waits
def test_in_the_order_of_the_page_it_starts(shell):
    order = [words[1] for words in STARTING]
    assert order[:2] == ["migrate", "doctor"]
    assert {*order[2:]} == {"run"}

    assert shell("migrate").code == 0
    findings = asyncio.run(examined(shell)).json["findings"]
    wrong = [found for found in findings if found["state"] == "wrong"]
    # The PostgreSQL of the tests is one that nobody would keep money in.
    assert {found["area"] for found in wrong} <= {"database"}, wrong

    processes = [shell.start(*words) for words in RUNS]
    try:
        at_work = [started(process) for process in processes]
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.communicate(timeout=SECONDS_MAX)
    assert at_work == [True] * len(RUNS)
    assert [process.returncode for process in processes] == [0] * len(RUNS)
