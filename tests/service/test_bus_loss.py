import asyncio

from tests.service.stage import a_withdrawal


async def test_a_wiped_message_store_delays_work_and_loses_nothing(stage):
    await asyncio.gather(
        *(
            stage.publish(
                "withdrawal.requested", a_withdrawal(f"w-{n}", "silence_succeed")
            )
            for n in range(20)
        )
    )
    await stage.until(lambda: len(stage.told("withdrawal.accepted")) == 20)

    for name in ("ORDER_TASKS", "PAYMENT_REQUESTS", "ORDER_EVENTS"):
        await stage.stream.delete_stream(f"{stage.prefix}_{name}")

    async def finished():
        _, page = await stage.call(
            "GET", "/v1/orders?state=COMPLETED&limit=50", role="viewer"
        )
        return len(page["orders"]) == 20

    await stage.until(finished)
    assert stage.core.check() == []
    assert stage.core.holds() == {}


async def test_a_trusted_service_may_deliver_a_webhook_over_nats(stage):
    await stage.ask(a_withdrawal(script="accept_silence"))
    task = await stage.task_in("w-1", "EXECUTING")
    message = {
        "provider": "acme",
        "event_id": "evt-1",
        "received_at": "2026-01-31T23:59:59Z",
        "body": {
            "id": "evt-1",
            "type": "payout.succeeded",
            "reference": task["task_id"],
            "amount": 12550,
            "currency": "EUR",
        },
    }

    await stage.publish("order.task.webhook.received", message)

    assert (await stage.final("w-1"))["state"] == "COMPLETED"
