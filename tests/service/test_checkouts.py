"""A checkout through the whole service: all steps done, or none; the books agree."""

import asyncio

import pytest

from providers.testing.simulator import InjectedFault, StepState
from tests.service.stage import SERVICES, staged

FRAUD_MAY_BE_AWAY = 'default = { after = "1s", result = { decision = "allow" } }'


@pytest.fixture
async def stage(granted, nats_server, subject_prefix):
    services = dict.fromkeys(SERVICES, "")
    async with staged(
        granted.service, nats_server.url, subject_prefix, services=services
    ) as running:
        yield running


def a_checkout(script="succeed", order_id="c-1", **changes):
    return {
        "order_id": order_id,
        "merchant_id": "m-1",
        "customer_id": "c-9",
        "amount": 1250,
        "currency": "EUR",
        "payment_method": {"type": "card", "token": f"tok_sim:{script}"},
        "items": [{"sku": "sku-1", "quantity": 2, "unit_amount": 600}],
        "delivery": {"country": "LV"},
        "fees": [{"code": "delivery", "amount": 50}],
        **changes,
    }


async def ended(stage, request):
    """Ask for a checkout; return its final state and the states of its steps."""
    answer = await stage.ask(request, "checkout.requested")
    assert answer["status"] == "accepted", answer
    await stage.until(lambda: told_end(stage, request["order_id"]))
    order = await stage.order(request["order_id"])
    return order, {task["name"]: task["state"] for task in order["tasks"]}


def told_end(stage, order_id):
    ends = ("checkout.completed", "checkout.failed", "checkout.cancelled")
    return [e for kind in ends for e in stage.told(kind) if e["order_id"] == order_id]


def books_agree(stage, *orders):
    """Hold the services' own books against the orders."""
    book = stage.simulator.services.book
    states = {order["queue_id"]: order["state"] for order in orders}
    return book.check() == [] and book.against(states) == []


async def test_every_step_is_done_once_with_what_came_before(stage):
    order, steps = await ended(stage, a_checkout())

    assert order["state"] == "COMPLETED"
    assert {*steps.values()} == {"SUCCEEDED"}
    assert [*steps] == ["fraud", "payment", "delivery", "merchant"]
    assert books_agree(stage, order)
    assert len(stage.simulator.services.book.done()) == 4
    assert stage.core.entries == []  # nothing was frozen there


@pytest.mark.parametrize(
    ("script", "undone"),
    [
        ("fraud=decline,*=succeed", set()),
        ("payment=decline,*=succeed", {"delivery"}),
        ("delivery=decline,*=succeed", {"payment"}),
        ("merchant=decline,*=succeed", {"payment", "delivery"}),
    ],
)
async def test_a_step_that_is_refused_undoes_what_was_done(stage, script, undone):
    order, steps = await ended(stage, a_checkout(script))

    refused = script.partition("=")[0]
    assert order["state"] == "FAILED"
    assert steps[refused] == "SKIPPED"
    assert books_agree(stage, order)
    book = stage.simulator.services.book
    stood = {
        booked.asked.step
        for booked in book.steps.values()
        if booked.state is StepState.UNDONE and booked.times_done
    }
    assert stood <= undone


@pytest.mark.parametrize(
    "script",
    [
        "payment=commit_reset,*=succeed",
        "payment=commit_502,delivery=error_500_once,*=succeed",
        "fraud=rate_limit?retry_after=0,*=succeed",
        "payment=silence_succeed,*=succeed",
        "merchant=garbage,*=succeed",
        "delivery=succeed?hidden_asks=2,*=succeed",
        "delivery=commit_reset?hidden_asks=2,*=succeed",
    ],
)
async def test_an_answer_that_was_lost_loses_no_order(stage, script):
    order, steps = await ended(stage, a_checkout(script))

    assert (order["state"], {*steps.values()}) == ("COMPLETED", {"SUCCEEDED"})
    assert books_agree(stage, order)


async def test_what_was_done_unheard_is_undone_with_the_order(stage):
    script = "payment=commit_reset,delivery=decline,*=succeed"
    order, _ = await ended(stage, a_checkout(script))

    assert order["state"] == "FAILED"
    assert books_agree(stage, order)


async def test_an_undo_whose_answers_are_lost_is_asked_for_until_it_is_heard(stage):
    lost = {"kind": "applied_drop", "operation": "*.undo", "times": 3}
    stage.simulator.faults.set(InjectedFault.parse(lost))

    order, _ = await ended(stage, a_checkout("merchant=decline,*=succeed"))

    assert order["state"] == "FAILED"
    assert sum(stage.simulator.faults.happened.values()) == 3
    assert books_agree(stage, order)


async def test_one_in_ten_calls_that_fails_loses_no_order(stage):
    stage.simulator.faults.set(
        InjectedFault.parse({"kind": "error", "probability": 0.1}),
        InjectedFault.parse({"kind": "applied_drop", "probability": 0.1}),
        seed=7,
    )
    requests = [a_checkout(order_id=f"c-{n}") for n in range(10)]

    ends = await asyncio.gather(*(ended(stage, request) for request in requests))

    assert {order["state"] for order, _ in ends} == {"COMPLETED"}
    assert sum(stage.simulator.faults.happened.values()) > 5
    assert books_agree(stage, *(order for order, _ in ends))


async def test_a_service_that_is_away_has_a_default_and_the_trail_says_so(
    granted, nats_server, subject_prefix
):
    services = dict.fromkeys(SERVICES, "") | {"fraud": FRAUD_MAY_BE_AWAY}
    async with staged(
        granted.service, nats_server.url, subject_prefix, services=services
    ) as stage:
        away = {"kind": "down", "operation": "fraud.*"}
        stage.simulator.faults.set(InjectedFault.parse(away))

        order, steps = await ended(stage, a_checkout())

        assert (order["state"], {*steps.values()}) == ("COMPLETED", {"SUCCEEDED"})
        _, trail = await stage.call("GET", "/v1/orders/c-1/events", role="viewer")
        assert "service.defaulted" in {e["trigger"] for e in trail["events"]}
        assert stage.simulator.services.book.done("fraud") == []


async def test_a_fetch_that_is_refused_ends_the_order_before_it_begins(stage):
    order, steps = await ended(stage, a_checkout("items=decline,*=succeed"))

    assert order["state"] == "FAILED"
    assert "SUCCEEDED" not in steps.values()
    assert stage.simulator.services.book.steps == {}


async def test_the_calls_are_counted_and_carry_the_trace(stage):
    await ended(stage, a_checkout())

    async with stage.http.get(f"{stage.url}/metrics") as answer:
        page = await answer.text()
    for step in ("fraud", "payment", "delivery", "merchant"):
        labels = f'operation="do",outcome="done",service="{step}"'
        assert f"service_request_seconds_count{{{labels}}} 1.0" in page
    assert 'operation="load",outcome="fetched",service="items"' in page
