import asyncio

import pytest

from tests.service.stage import a_withdrawal


@pytest.mark.attack("bus", "All streams deleted: work is late, and nothing is lost")
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
