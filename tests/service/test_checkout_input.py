"""Bad checkouts are refused by name on either way; odd ones are carried out."""

from typing import Any

import orjson
import pytest

from tests.service.stage import SERVICES, staged
from tests.service.test_checkout_orders import offences
from tests.service.test_checkouts import a_checkout, books_agree, told_end

BIG = 2**53
CARD = "4111 1111 1111 1111"
FEE = {"code": "delivery", "amount": 50}
ITEM = {"sku": "s", "quantity": 1, "unit_amount": 1200}


@pytest.fixture
async def stage(granted, nats_server, subject_prefix):
    services = dict.fromkeys(SERVICES, "")
    async with staged(
        granted.service, nats_server.url, subject_prefix, services=services
    ) as running:
        running.database = granted.service  # type: ignore[attr-defined]
        yield running


def nested(depth):
    tree: Any = "x"
    for _ in range(depth):
        tree = {"a": tree}
    return tree


def item(**changes):
    return {"items": [ITEM | changes]}


def fee(**changes):
    return {"fees": [FEE | changes]}


def paid(**changes):
    return {"payment_method": {"type": "card", "token": "tok_1"} | changes}


NO_DELIVERY: tuple[Any, ...] = (None, [], "to me", 7)
BAD: dict[str, list[dict[str, Any]]] = {
    "amount": [
        {"amount": 1250.0},
        {"amount": True},
        {"amount": 0, **item(unit_amount=0), "fees": []},
        {"amount": 0, **fee(amount=-1200)},
        {"amount": 1, **fee(amount=-5000)},
        {"amount": 1249},
        item(quantity=BIG - 1, unit_amount=BIG - 1),
    ],
    "currency": [{"currency": "EUX"}, {"currency": "eur"}, {"currency": None}],
    "items": [
        {"items": [{"sku": f"s-{n}", "quantity": 1} for n in range(501)]},
        {"items": []},
        *(item(quantity=odd) for odd in (0, -2, True, 1.0, "1", BIG)),
        *(item(unit_amount=odd) for odd in (1200.0, True, -1, BIG)),
        item(sku=CARD),
    ],
    "fees": [
        *(fee(amount=odd) for odd in (50.5, "50", True, BIG)),
        fee(code=CARD),
        {"fees": None},
        {"fees": [{"amount": 50}]},
    ],
    "delivery": [
        *({"delivery": odd} for odd in NO_DELIVERY),
        {"delivery": {"note": [{"deep": CARD}]}},
        {"delivery": {CARD: 1}},
        {"delivery": {"n": 4111111111111111}},
    ],
    "the body is nested": [{"delivery": nested(32)}],
    "payment_method": [
        {"payment_method": None},
        {"payment_method": {"type": "card"}},
        paid(token=CARD),
        paid(type=CARD),
        paid(token="t\n"),
    ],
    "metadata": [{"metadata": []}, {"metadata": {"a": {"b": CARD}}}],
    "customer_id": [{"customer_id": "a\nb"}, {"customer_id": CARD}],
}


@pytest.mark.attack(
    "requests",
    "A checkout that is wrong is refused by name; no service hears",
)
@pytest.mark.parametrize("where", BAD)
async def test_a_bad_checkout_is_refused_by_name_on_either_way(stage, where):
    for n, changes in enumerate(BAD[where]):
        body = a_checkout(order_id=f"bad-{n}", **changes)

        status, problem = await stage.call(
            "POST", "/v1/checkouts", role="upstream", body=body
        )
        answer = await stage.ask(body, "checkout.requested")

        assert (status, problem["outcome"]) == (422, "rejected"), changes
        assert where in problem["error"], changes
        assert answer["status"] == "rejected"
        assert answer["error"] == problem["error"]
        assert "4111" not in str(problem) + str(answer)
        found, _ = await stage.call("GET", f"/v1/orders/bad-{n}", role="viewer")
        assert found == 404
    assert stage.simulator.services.book.steps == {}


ODD: tuple[dict[str, Any], ...] = (
    {"items": [ITEM | {"unit_amount": 600}] * 2},
    {"items": [{"sku": "a", "quantity": 1}, ITEM]},
    {"items": [{"sku": "a", "quantity": BIG - 1, "unit_amount": None}]},
    {"items": [ITEM, {"sku": "gift", "quantity": 9, "unit_amount": 0}]},
    {"payment_method": {"type": "épargne ☂", "token": "tok_sim:succeed"}},
    {"delivery": {}},
    {"delivery": nested(31)},
    {"delivery": {"a": [None, 2.5, -0.0, 1e22, 5e-324, True, "ü\u2028"], "": {}}},
    {"delivery": {"n": 2**64 - 1, "k": -(2**63), "password": "hunter2"}},
    {
        "items": [{"sku": f"{n:03}{'s' * 120}", "quantity": 1} for n in range(500)],
        "delivery": {"note": "n" * 150_000},
    },
)


async def test_an_odd_checkout_is_carried_out_and_its_repeat_starts_nothing(stage):
    orders = []
    for n, changes in enumerate(ODD):
        body = a_checkout(order_id=f"odd-{n}", **changes)
        assert len(orjson.dumps(body)) < 256 * 1024
        answer = await stage.ask(body, "checkout.requested")
        assert answer["status"] == "accepted", answer
        form = dict(reversed(body.items())) | {"unknown": [n], "metadata": {}}
        again = await stage.call("POST", "/v1/checkouts", role="upstream", body=form)
        told = {"pointer": "/unknown", "detail": "is not known here, and was ignored"}
        assert again == (200, answer | {"status": "duplicate", "warnings": [told]})

    for n in range(len(ODD)):
        await stage.until(lambda n=n: told_end(stage, f"odd-{n}"))
        orders.append(await stage.order(f"odd-{n}"))

    assert {order["state"] for order in orders} == {"COMPLETED"}
    assert books_agree(stage, *orders)
    assert offences(stage.database) == []


async def test_another_content_is_a_conflict_and_another_merchants_is_another(stage):
    body = a_checkout()
    await stage.ask(body, "checkout.requested")
    others = (
        {"delivery": {"country": "LV", "x": None}},
        {"metadata": {"a": 1}},
        {"customer_id": "c-10"},
        {"fees": [{"code": "a", "amount": 20}, {"code": "b", "amount": 30}]},
        {"payment_method": body["payment_method"] | {"type": "cash"}},
    )

    for changes in others:
        answer = await stage.ask(body | changes, "checkout.requested")
        assert answer["status"] == "conflict", changes
    theirs = await stage.ask(body | {"merchant_id": "m-2"}, "checkout.requested")
    assert theirs["status"] == "accepted"
    assert stage.letters == []
