"""The desk: what it prints works as it is copied, and what is chosen comes to pass."""

import asyncio
import itertools
import json
import time

import aiohttp
import pytest

from payment_service.playground.desk.choices import choices
from payment_service.playground.embedded.process import free_port
from providers.testing.simulator import SCRIPTS
from tests.docs.pages import README, commands_of
from tests.playground.desk.desks import ACCEPTED, SECONDS_MAX, Desk, shell, told
from tests.sampling import every_nth

pytestmark = [pytest.mark.waits, pytest.mark.together("desk")]

OWN = """
[providers.mine]
adapter = "rest"
base_url = "${DESK_SIMULATOR_URL}/mine"
headers = { Authorization = "Bearer ${MY_TOKEN}" }
idempotent_create = true
sla = "2s"

[providers.zeta]
adapter = "rest"
base_url = "${DESK_SIMULATOR_URL}/zeta"
idempotent_create = true
sla = "30s"
"""
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def env_file(tmp_path_factory):
    return tmp_path_factory.mktemp("own") / "desk.env"


@pytest.fixture(scope="module")
def desk(env_file):
    (env_file.parent / "my.toml").write_text(OWN)
    # Another desk may be starting beside it, and both would find 8000 free.
    options = [
        "--port",
        str(free_port()),
        "--config",
        str(env_file.parent / "my.toml"),
        "--env-file",
        str(env_file),
    ]
    # What the shell says of another payment-service is nothing to this one.
    desk = Desk(*options, MY_TOKEN="t0k3n", PAYMENT_SUBJECT_PREFIX="elsewhere")
    try:
        yield desk.up()
    finally:
        desk.close()


@pytest.fixture
def typed(desk, env_file):  # noqa: ARG001 - there are exports once it is up
    """Run a command in another terminal, where the exports were read in."""
    return lambda command: shell(command, before=f". {env_file}")


def variables(typed):
    printed = typed("env -0").split("\0")
    return dict(each.partition("=")[::2] for each in printed if each)


def sent(typed, request):
    """Send a request by HTTP, with an order_id of its own; return that."""
    order_id = f"t-{next(NUMBERS)}"
    body = json.dumps({"order_id": order_id, **request})
    answer = typed(
        "curl -sS $PAYMENT_API_URL/v1/withdrawals -H 'Content-Type: application/json' "
        f"""-H "Authorization: Bearer $UPSTREAM_KEY" -d '{body}'"""
    )
    assert told(answer)["status"] == "accepted"
    return order_id


def withdrawal(provider, script="succeed"):
    return {
        "merchant_id": "m-1",
        "customer_id": "c-1",
        "amount": 100,
        "currency": "EUR",
        "destination": {"type": "card", "token": f"tok_sim:{script}"},
        "cascade": [{"provider": provider}],
    }


def test_each_command_that_it_prints_does_what_it_says(desk, typed):
    by_http, by_nats, look = desk.commands.values()

    assert [*desk.commands][:2] == ["a withdrawal by HTTP", "a withdrawal by NATS"]
    assert told(typed(by_http))["status"] == "accepted"
    assert told(typed(by_nats))["status"] == "accepted"
    for order_id in ("w-1", "w-2"):
        desk.until(lambda line, order_id=order_id: f" {order_id}  completed" in line)
    assert "COMPLETED" in typed(look)


def test_what_the_readme_has_to_copy_works_as_it_stands(desk, env_file):
    shown = [*commands_of(README)]
    shown = shown[shown.index(". ./desk.env") :][:5]

    said = shell("\n".join(shown), before=f"cd {env_file.parent}")

    assert len(ACCEPTED.findall(said)) == 2
    assert "mine-2" in said
    assert "tok_sim:accept_silence" in said
    for order_id in ("mine-1", "mine-2"):
        desk.until(lambda line, each=order_id: f" {each}  completed" in line)


def test_what_a_person_is_asked_is_answered_by_the_line_below_it(desk, typed):
    order_id = sent(typed, withdrawal("acme", "accept_silence"))

    desk.until(lambda line: f" {order_id}  manual check" in line)
    command = desk.until(lambda line: "payment-service task resolve" in line)
    typed(command)

    desk.until(lambda line: f" {order_id}  completed" in line)


def test_a_provider_of_ones_own_is_tried_beside_those_of_the_desk(desk, typed):
    order_id = sent(typed, withdrawal("mine"))

    desk.until(lambda line: f" {order_id}  completed" in line)


def test_a_request_that_is_none_is_told_in_a_line(typed):
    for request, says in (("{", "not JSON"), ('"{}"', "not one of")):
        command = f"payment-service simulator upstream {request!s} 2>&1 || true"
        answer = typed(command)
        assert says in answer, answer
        assert answer.count("\n") == 1
    bad = json.dumps({**withdrawal("nobody"), "order_id": "t-bad"})
    answer = typed(f"payment-service simulator upstream '{bad}' || echo $?")
    assert '"rejected"' in answer
    assert answer.endswith("\n1\n")


def test_the_keys_are_one_for_each_role_and_no_secret_is_told_to_others(
    env_file, typed
):
    known = variables(typed)

    keys = {known[f"{role}_KEY"] for role in ("UPSTREAM", "VIEWER", "SUPPORT", "ADMIN")}
    assert len(keys) == 4
    assert known["PAYMENT_API_KEY"] == known["ADMIN_KEY"]
    assert env_file.stat().st_mode & 0o777 == 0o600


def test_every_script_can_be_chosen_for_a_provider():
    chosen = {choice.value for choice in choices() if choice.party == "provider"}

    assert {f"tok_sim:{name}" for name in SCRIPTS} <= chosen


@pytest.mark.sampled
async def test_every_line_of_the_scripts_ends_as_it_says(typed):
    known = variables(typed)
    lines = every_nth(choices(), 3)
    headers = {"Authorization": f"Bearer {known['UPSTREAM_KEY']}"}
    async with aiohttp.ClientSession(known["PAYMENT_API_URL"], headers=headers) as http:
        asked = [await begun(http, choice) for choice in lines]
        ends = await asyncio.gather(*(ended(http, each) for each in asked))

    wrong = [
        (choice.party, choice.value, choice.ends, end)
        for choice, end in zip(lines, ends, strict=True)
        if end != choice.ends
    ]
    assert wrong == []


async def begun(http, choice):
    paths = {"partner": "partner-links", "charge": "checkouts", "service": "checkouts"}
    path = paths.get(choice.party, "withdrawals")
    request = choice.request()
    # A card is linked once for each customer.
    request["customer_id"] = f"c-{next(NUMBERS)}"
    body = {**request, "order_id": f"s-{next(NUMBERS)}"}
    async with http.post(f"/v1/{path}", json=body) as answer:
        said = await answer.json()
        assert answer.status == 202, said
        return said["queue_id"]


async def ended(http, queue_id):
    """Return how an order has ended: MANUAL_CHECK where a person has to."""
    until = time.monotonic() + SECONDS_MAX
    while time.monotonic() < until:
        async with http.get(f"/v1/orders/{queue_id}") as answer:
            order = await answer.json()
        if order["state"] in {"COMPLETED", "FAILED", "CANCELLED"}:
            return order.get("result") or order["state"]
        if "MANUAL_CHECK" in {task["state"] for task in order["tasks"]}:
            return "MANUAL_CHECK"
        await asyncio.sleep(3)
    return order["state"]
