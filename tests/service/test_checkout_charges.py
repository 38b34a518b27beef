"""A checkout that payment providers collect for, through the whole service.

PostgreSQL, NATS and the providers' HTTP are real; the providers' own book of charges
says in the end who has collected.
"""

import asyncio

import pytest

from providers.testing.simulator import InjectedFault
from tests.service.stage import SERVICES, staged
from tests.service.test_checkouts import a_checkout, ended

RETRY = '{ first = "50ms", max = "200ms", attempts = 40 }'
CHARGES = f'charge = {{ key_lifetime = "1h", retry = {RETRY} }}\n'
SETTING = '[checkout]\npayment = ["acme", "zeta"]\n'
UNPAID = dict.fromkeys([name for name in SERVICES if name != "payment"], "")


@pytest.fixture
async def stage(granted, nats_server, subject_prefix):
    async with staged(
        granted.service,
        nats_server.url,
        subject_prefix,
        services=UNPAID,
        table=CHARGES,
        more=SETTING,
    ) as running:
        yield running


def payments(order):
    """Return how each provider's attempt has ended."""
    tasks = [task for task in order["tasks"] if task["name"] == "payment"]
    return {task["provider"]: task["state"] for task in tasks}


def collected(stage, order_id="c-1"):
    """Return who has collected for an order, by their own book."""
    charges = stage.simulator.charges.standing()
    return [c["provider"] for c in charges if c["order_id"] == order_id and c["stands"]]


async def test_the_first_provider_collects_and_the_service_of_payment_is_not_needed(
    stage,
):
    order, _ = await ended(stage, a_checkout())

    assert order["state"] == "COMPLETED"
    assert payments(order) == {"acme": "SUCCEEDED", "zeta": "SKIPPED"}
    assert collected(stage) == ["acme"]
    assert stage.core.entries == []
    begun = [e.get("provider") for e in stage.told("checkout.attempt_started")]
    assert "acme" in begun
    assert "zeta" not in begun


async def test_a_card_that_one_declines_is_charged_by_the_next(stage):
    order, _ = await ended(stage, a_checkout("acme=decline,*=succeed"))

    assert order["state"] == "COMPLETED"
    assert payments(order) == {"acme": "SKIPPED", "zeta": "SUCCEEDED"}
    assert collected(stage) == ["zeta"]
    (failed,) = stage.told("checkout.attempt_failed")
    assert failed["provider"] == "acme"


async def test_a_card_that_all_decline_asks_the_customer_for_another(stage):
    order, steps = await ended(stage, a_checkout("acme=decline,zeta=decline,*=succeed"))

    assert order["state"] == "FAILED"
    assert payments(order) == {"acme": "SKIPPED", "zeta": "SKIPPED"}
    assert collected(stage) == []
    assert steps["delivery"] in {"REVERSED", "SKIPPED", "SUCCEEDED"}
    message = order["customer_message"]
    assert message["code"] == "payment_declined"
    assert message["action"] == "another_payment_method"


@pytest.mark.parametrize(
    "script", ["acme=commit_hang,*=succeed", "acme=commit_502,*=succeed"]
)
async def test_an_answer_that_was_lost_charges_nobody_twice(stage, script):
    order, _ = await ended(stage, a_checkout(script))

    assert order["state"] == "COMPLETED"
    assert collected(stage) == ["acme"]


async def test_what_was_charged_is_refunded_where_the_merchant_says_no(stage):
    lost = {"kind": "applied_drop", "operation": "acme.refund", "times": 2}
    stage.simulator.faults.set(InjectedFault.parse(lost))

    order, _ = await ended(stage, a_checkout("merchant=decline,*=succeed"))

    assert order["state"] == "FAILED"
    assert payments(order) == {"acme": "REVERSED", "zeta": "SKIPPED"}
    assert collected(stage) == []
    assert sum(stage.simulator.faults.happened.values()) == 2


async def test_a_paused_provider_is_passed_over(stage):
    status, _ = await stage.call(
        "POST", "/v1/providers/acme/pause", role="admin", body={"reason": "they asked"}
    )
    assert status == 200
    await stage.until(lambda: _is_paused(stage))

    order, _ = await ended(stage, a_checkout())

    assert payments(order) == {"acme": "SKIPPED", "zeta": "SUCCEEDED"}
    assert collected(stage) == ["zeta"]


async def _is_paused(stage):
    _, told = await stage.call("GET", "/v1/providers", role="viewer")
    (acme,) = [p for p in told["providers"] if p["name"] == "acme"]
    await asyncio.sleep(1.1)  # every worker follows once a second
    return acme["state"] == "paused"


async def test_every_call_is_measured(stage):
    await ended(stage, a_checkout("merchant=decline,*=succeed"))

    async with stage.http.get(f"{stage.url}/metrics") as answer:
        page = await answer.text()
    for operation, outcome in (("charge", "charged"), ("refund", "refunded")):
        labels = f'operation="{operation}",outcome="{outcome}",provider="acme"'
        assert f"provider_request_seconds_count{{{labels}}} 1.0" in page
    assert 'attempts_total{outcome="reversed",provider="acme"} 1.0' in page
