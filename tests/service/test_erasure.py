"""Erasures over the API, of a service that owns nothing in its database."""

from tests.service.stage import a_withdrawal

WHY = {"reason": "he asked for it"}


async def told_to_core(stage, order_id):
    """Wait until the order has nothing left to do; return its queue_id."""
    order = await stage.final(order_id)

    async def rests():
        path = f"/v1/orders/{order_id}/events"
        _, trail = await stage.call("GET", path, role="viewer")
        return any(e["trigger"] == "core.notified" for e in trail["events"])

    await stage.until(rests)
    return order["queue_id"]


async def test_an_order_is_erased_and_its_repeat_is_still_one(stage):
    await stage.ask(a_withdrawal("w-1"))
    queue_id = await told_to_core(stage, "w-1")
    path = f"/v1/orders/{queue_id}/erase"

    first = await stage.call("POST", path, role="admin", body=WHY)
    second = await stage.call("POST", path, role="admin", body=WHY)
    again = await stage.ask(a_withdrawal("w-1"))
    other = await stage.ask(a_withdrawal("w-1", amount=1))

    ids = {"order_id": "w-1", "queue_id": queue_id}
    assert first == (200, {**ids, "status": "erased"})
    assert second == (200, {**ids, "status": "was_erased_before"})
    assert (again["status"], other["status"]) == ("duplicate", "conflict")
    assert (await stage.order("w-1"))["customer_id"] == ""
    found = await stage.call("GET", "/v1/orders?customer_id=c-9", role="viewer")
    assert found[1]["orders"] == []
    _, trail = await stage.call("GET", "/v1/orders/w-1/events", role="viewer")
    (line,) = [e for e in trail["events"] if e["trigger"] == "order.erased"]
    assert (line["actor"], line["detail"]) == ("key:admin", WHY)


async def test_a_customers_orders_go_but_one_that_is_under_way(stage):
    await stage.ask(a_withdrawal("w-1"))
    await stage.ask(a_withdrawal("w-2", "accept_silence"))
    done = await told_to_core(stage, "w-1")
    left = (await stage.order("w-2"))["queue_id"]

    path = "/v1/customers/c-9/erase"
    status, told = await stage.call("POST", path, role="admin", body=WHY)
    refused = await stage.call("POST", "/v1/orders/w-2/erase", role="admin", body=WHY)

    assert (status, told["erased"]) == (200, [done])
    assert told["refused"] == [
        {"queue_id": left, "because": "order w-2 is ACTIVE: only a final one"}
    ]
    assert refused[0] == 409
    assert (await stage.order("w-2"))["customer_id"] == "c-9"
