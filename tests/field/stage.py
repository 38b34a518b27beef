"""What the tests here ask of a running service."""

import asyncio

from tests.service.stage import a_withdrawal

ORDERS = 12


async def pays(stage, count=ORDERS, name="w"):
    """Send withdrawals at once, by HTTP and NATS in turn, and see every one paid."""
    orders = [f"{name}-{number}" for number in range(count)]
    await asyncio.gather(*(_send(stage, order_id) for order_id in orders))
    paid = await asyncio.gather(*map(stage.final, orders))
    assert {order["state"] for order in paid} == {"COMPLETED"}
    assert stage.core.check() == []
    assert stage.letters == []


async def _send(stage, order_id):
    body = a_withdrawal(order_id)
    if order_id[-1] in "02468":
        status, answer = await stage.call(
            "POST", "/v1/withdrawals", role="upstream", body=body
        )
        assert status == 202, answer
    else:
        answer = await stage.ask(body)
        assert answer["status"] == "accepted", answer
