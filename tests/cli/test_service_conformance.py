"""`service check` asks a service's own instance, and tells what it did wrong."""

import asyncio
import json
import threading

import pytest

from providers.testing.conformance.services import SERVICE_SCENARIOS
from providers.testing.simulator import SimulatedService, Simulator

TABLE = """
[services.fraud]
base_url = "{url}"
token = "${{FRAUD_TOKEN}}"

[providers.acme]
adapter = "rest"
base_url = "https://acme.example"
headers = {{ Authorization = "Bearer ${{NOT_SET_HERE}}" }}
"""
DECLINED = {"payment_method": {"type": "card", "token": "tok_sim:decline"}}


@pytest.fixture(scope="module")
def simulator():
    """Run a simulated service for as long as the commands ask it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    made = Simulator([], services=[SimulatedService(name="fraud")])
    asyncio.run_coroutine_threadsafe(made.start(), loop).result(60)
    yield made
    asyncio.run_coroutine_threadsafe(made.stop(), loop).result(60)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(60)
    loop.close()


@pytest.fixture
def check(shell, simulator):
    """Run the command for the service, with a table of its own and some orders."""

    def run(*arguments, name="fraud", url=None, orders=None):
        path = shell.folder / "payment.toml"
        path.write_text(TABLE.format(url=url or simulator.base_url("fraud")))
        if orders is not None:
            (shell.folder / "orders.json").write_bytes(orders)
            arguments += ("--orders", "orders.json")
        return shell("service", "check", name, *arguments, FRAUD_TOKEN="t0k3n-of-ours")

    return run


def test_a_good_service_passes_and_needs_no_other_secret(check):
    orders = json.dumps({"refused": DECLINED}).encode()

    answer = check(orders=orders)

    assert answer.code == 0, answer
    assert "ok     do-done " in answer.out
    assert "ok     refused-code " in answer.out
    assert "has no undo" in answer.out
    assert answer.out.count("\n") == len(SERVICE_SCENARIOS) + 1
    assert "0 failed" in answer.out
    assert "t0k3n-of-ours" not in answer.out


def test_a_service_that_is_not_what_it_should_be_is_told(check):
    answer = check("--json", "--scenario", "do-done", url="http://127.0.0.1:9")

    assert answer.code == 1
    assert not answer.json["ok"]
    assert "no connection" in answer.json["scenarios"][0]["wrong"][0]


@pytest.mark.parametrize(
    ("arguments", "orders", "said"),
    [
        ({"name": "zeta"}, None, "has no table [services.zeta]"),
        ({"scenario": "nonsense"}, None, "--scenario nonsense: there is none"),
        ({"orders": "missing.json"}, None, "missing.json: cannot be read"),
        ({}, b"{", "--orders: orders.json: the body is not strict JSON"),
        ({}, b"[]", "must be an object of objects"),
        ({}, b'{"refused": 1}', "must be an object of objects"),
        ({}, b'{"late": {}}', "'late' is none of pending, refused, taken"),
        ({}, b"\xff", "orders.json"),
    ],
)
def test_wrong_usage_is_told(check, arguments, orders, said):
    options = dict(arguments)
    name = options.pop("name", "fraud")
    told = [part for key, value in options.items() for part in (f"--{key}", value)]

    answer = check(*told, name=name, orders=orders)

    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert said in answer.err


def test_an_unsafe_table_is_told(check):
    answer = check(url="ftp://nowhere")

    assert answer.code == 2
    assert "[services.fraud] base_url: " in answer.err


def test_the_scenarios_are_listed(shell):
    plain = shell("service", "scenarios")
    listed = shell("service", "scenarios", "--json")

    assert len(listed.json["scenarios"]) == len(SERVICE_SCENARIOS)
    assert all(each.proves in plain.out for each in SERVICE_SCENARIOS)
