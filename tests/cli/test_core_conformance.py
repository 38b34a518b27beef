"""`core check` asks a user's own core, says before what it does, and what is wrong."""

import asyncio
import threading

import pytest

from providers.testing.conformance.core import CORE_SCENARIOS
from providers.testing.simulator.core import SimulatedCore
from tests.cli.stage import Here

TOKEN = "t0k3n-of-core"


@pytest.fixture(scope="module")
def core():
    """Run a simulated core for as long as the commands ask it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    made = SimulatedCore(token=TOKEN)
    asyncio.run_coroutine_threadsafe(made.start(), loop).result(60)
    yield made
    asyncio.run_coroutine_threadsafe(made.stop(), loop).result(60)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(60)
    loop.close()


@pytest.fixture
def shell(tmp_path):
    return Here(tmp_path, {"PAYMENT_CORE_TOKEN": TOKEN})


def test_a_good_core_passes_and_is_told_before_what_is_done(shell, core):
    answer = shell("core", "check", core.url, "--merchant", "m-1", "--amount", "5")

    assert answer.code == 0, answer
    assert answer.out.count("\n") == len(CORE_SCENARIOS) + 1
    assert "0 failed" in answer.out
    assert "- holds 0.05 EUR of merchant m-1 and lets it go again" in answer.err
    assert "LEFT BEHIND" not in answer.err
    assert TOKEN not in answer.out + answer.err
    assert core.holds() == {}


def test_programs_read_the_report_of_one_scenario(shell, core):
    answer = shell("core", "check", core.url, "--scenario", "freeze-done", "--json")

    assert answer.code == 0
    assert answer.json["ok"]
    assert answer.json["left_behind"] == []
    names = [each["scenario"] for each in answer.json["scenarios"]]
    assert names == ["answers", "freeze-done"]


def test_a_core_that_is_dead_or_wrong_is_exit_code_1_and_a_sentence(shell, core):
    dead = shell("core", "check", "http://127.0.0.1:9")
    locked = shell("core", "check", core.url, "--token", "an0ther-t0k3n")

    assert (dead.code, locked.code) == (1, 1)
    assert "core does not answer: no connection" in dead.out
    assert "lets nobody in with this token" in locked.out
    assert "an0ther-t0k3n" not in locked.out + locked.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ftp://core"], "URL: must be a URL like https://host/path"),
        (["https://me:pw@core"], "URL: must not carry a user or password"),
        (["https://core.example/v1"], "URL: must be core's base URL"),
        (["http://127.0.0.1:9", "--timeout", "soon"], "--timeout: 'soon'"),
        (["http://127.0.0.1:9", "--timeout", "0s"], "--timeout: must be longer"),
        (["http://127.0.0.1:9", "--token", "ü b"], "--token: must be printable"),
        (["http://127.0.0.1:9", "--currency", "EURO"], "--currency: currency 'EURO'"),
        (["http://127.0.0.1:9", "--amount", "0"], "--amount, --currency: amount 0"),
        (["http://127.0.0.1:9", "--scenario", "x"], "--scenario x: there is none"),
    ],
)
def test_wrong_usage_is_told(shell, arguments, said):
    answer = shell("core", "check", *arguments)

    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert said in answer.err


def test_the_scenarios_are_listed(shell):
    plain = shell("core", "scenarios")
    listed = shell("core", "scenarios", "--json")

    assert len(listed.json["scenarios"]) == len(CORE_SCENARIOS)
    assert all(each.proves in plain.out for each in CORE_SCENARIOS)
