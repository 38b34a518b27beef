"""A checkout as people see it: asked for, shown, given up, erased."""

import orjson
import psycopg
import pytest

from fsm.domain.audit_keys import UNKEYED
from fsm.invariants import order_offences
from fsm.tampering import tampered
from payment_service.cli.snapshot import Snapshot
from providers.testing.simulator import InjectedFault
from tests.service.stage import SERVICES, a_withdrawal, staged
from tests.service.test_checkouts import a_checkout, books_agree, told_end

TOKEN = "tok_sim:succeed"
STEPS = ["fraud", "payment", "delivery", "merchant"]
WHY = {"reason": "she asked for it"}


@pytest.fixture
async def stage(granted, nats_server, subject_prefix):
    services = dict.fromkeys(SERVICES, "")
    async with staged(
        granted.service, nats_server.url, subject_prefix, services=services
    ) as running:
        running.database = granted.service  # type: ignore[attr-defined]
        yield running


def offences(url):
    """Return what ``verify`` finds wrong with the orders of the database."""
    with Snapshot(url, UNKEYED) as snapshot:
        at = snapshot.facts().taken_at
        found = [
            each
            for whole in snapshot.wholes()
            for each in (
                *order_offences(whole.order, whole.tasks, whole.trails),
                *tampered(
                    whole.order,
                    whole.tasks,
                    whole.trails,
                    UNKEYED,
                    as_of=at,
                    cases=(),
                ),
            )
        ]
        return [*found, *snapshot.homeless()]


async def bought(stage, **changes):
    return await stage.call(
        "POST", "/v1/checkouts", role="upstream", body=a_checkout(**changes)
    )


async def test_it_is_asked_for_over_http_as_a_withdrawal_is(stage):
    status, first = await bought(stage)
    assert (status, first["status"]) == (202, "accepted")
    assert await bought(stage) == (200, first | {"status": "duplicate"})
    status, problem = await bought(stage, delivery={"country": "EE"})
    assert (status, problem["outcome"]) == (409, "conflict")
    again = await stage.ask(a_checkout(), "checkout.requested")
    assert again == first | {"status": "duplicate"}

    order = await stage.final("c-1")
    assert (order["queue_id"], order["state"]) == (first["queue_id"], "COMPLETED")
    await stage.until(lambda: told_end(stage, "c-1"))
    assert [e["queue_id"] for e in stage.told("checkout.accepted")] == [
        first["queue_id"]
    ]
    assert offences(stage.database) == []


async def test_an_amount_that_is_not_the_sum_is_refused_on_either_way(stage):
    status, problem = await bought(stage, amount=1251)
    answer = await stage.ask(a_checkout(amount=1251), "checkout.requested")

    assert (status, problem["outcome"]) == (422, "rejected")
    assert answer["error"] == problem["error"]
    assert "which come to 1250" in problem["error"]
    assert (await stage.call("GET", "/v1/orders/c-1", role="viewer"))[0] == 404


async def test_it_is_shown_with_its_steps_and_why_and_without_its_token(stage):
    await bought(stage)
    await stage.final("c-1")

    _, order = await stage.call("GET", "/v1/orders/c-1", role="viewer")
    _, trail = await stage.call("GET", "/v1/orders/c-1/events", role="viewer")

    assert (order["kind"], order["amount"], order["currency"]) == (
        "checkout",
        1250,
        "EUR",
    )
    assert [task["name"] for task in order["tasks"]] == STEPS
    assert {task.get("provider") for task in order["tasks"]} <= {None, ""}
    assert all(each["because"] for each in order["explanation"])
    assert all(f"{step}: " in order["in_words"] for step in STEPS)
    for shown in (order, trail, *stage.events):
        assert TOKEN not in str(shown)
        assert "'country': 'LV'" not in str(shown)


async def test_it_is_found_by_its_kind_beside_a_withdrawal_of_the_same_id(stage):
    await bought(stage)
    await stage.ask(a_withdrawal("c-1"))

    for kind in ("checkout", "withdrawal"):
        path = f"/v1/orders?kind={kind}"
        _, page = await stage.call("GET", path, role="viewer")
        assert [order["kind"] for order in page["orders"]] == [kind]
    status, problem = await stage.call("GET", "/v1/orders/c-1", role="viewer")
    assert status == 409
    kinds = {each["kind"] for each in problem["candidates"]}
    assert kinds == {"checkout", "withdrawal"}


async def test_it_is_given_up_before_its_point_of_no_return_and_undone(stage):
    away = InjectedFault.parse({"kind": "down", "operation": "payment.*"})
    stage.simulator.faults.set(away)
    await bought(stage)
    await stage.task_in("c-1", "EXECUTING")
    await stage.until(lambda: stage.simulator.services.book.done("delivery"))

    status, _ = await stage.call(
        "POST", "/v1/orders/c-1/cancel", role="upstream", body=WHY
    )
    stage.simulator.faults.set()

    assert status == 202
    await stage.until(lambda: told_end(stage, "c-1"))
    order = await stage.order("c-1")
    assert order["state"] == "CANCELLED"
    assert [e["type"] for e in told_end(stage, "c-1")] == ["checkout.cancelled"]
    assert books_agree(stage, order)
    again = await stage.call("POST", "/v1/orders/c-1/cancel", role="upstream", body=WHY)
    assert again[0] == 409
    assert offences(stage.database) == []


async def test_what_was_asked_for_and_came_of_it_goes_with_an_erasure(stage):
    await bought(stage)
    order = await stage.final("c-1")

    async def erased():
        path = f"/v1/orders/{order['queue_id']}/erase"
        return (await stage.call("POST", path, role="admin", body=WHY))[0] == 200

    await stage.until(erased)

    with psycopg.connect(stage.database) as connection:
        rows = connection.execute(
            "SELECT request, loaded, (SELECT count(result) FROM order_task_results),"
            "(SELECT count(*) FROM order_task_results) FROM order_queues"
        ).fetchall()
    [(request, loaded, results, hashes)] = rows
    assert request == {"destination": {}, "metadata": {}, "erased": True}
    assert (loaded, results) == (None, 0)
    assert hashes > 0
    assert offences(stage.database) == []
    assert (await bought(stage))[1]["status"] == "duplicate"


async def test_a_refused_one_is_a_dead_letter_that_shows_neither_token_nor_address(
    stage,
):
    body = a_checkout(amount=0, delivery={"name": "Ann Example"})
    await stage.ask(body, "checkout.requested")
    letter = (await stage.until(lambda: stage.letters))[0]

    assert letter.data == orjson.dumps(body)
    _, page = await stage.call("GET", "/v1/dead-letters", role="viewer")
    assert len(page["dead_letters"]) == 1
    assert "Ann Example" not in str(page)
    assert TOKEN not in str(page)
