"""NATS that takes nothing any more: PostgreSQL is the truth, and work goes on."""

import asyncio
import re
from contextlib import suppress
from datetime import timedelta
from typing import Any

import nats
from nats.js.api import StreamConfig
from nats.js.errors import APIError

from tests.bus.servers import account, serving
from tests.service.stage import a_withdrawal, staged

MIB = 1 << 20
SMALL = account(limits="{ max_file: 24MB }")
QUICK: dict[str, Any] = {
    "sweep_interval": timedelta(milliseconds=200),
    "sweep_grace": timedelta(milliseconds=300),
}
API = ("api",)
P = "p"


async def an_archive_without_a_limit(stream):
    await stream.add_stream(
        StreamConfig(name=f"{P}_ORDER_EVENTS", subjects=[f"{P}.order.event.>"])
    )


async def fill(stream):
    """Store events until the account has no room for anything."""
    for size in (MIB // 2, 1000, 1):
        with suppress(APIError):
            while True:
                await stream.publish(f"{P}.order.event.filler", b"x" * size)


async def ready(stage, url):
    async with stage.http.get(f"{url}/readyz") as answer:
        assert ("Retry-After" in answer.headers) == (answer.status == 503)
        return answer.status, await answer.text()


async def metric(stage, url, name):
    async with stage.http.get(f"{url}/metrics") as answer:
        page = await answer.text()
    return sum(
        float(n) for n in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", page, re.MULTILINE)
    )


async def submitted(stage, *order_ids):
    for order_id in order_ids:
        status, _ = await stage.call(
            "POST", "/v1/withdrawals", role="upstream", body=a_withdrawal(order_id)
        )
        assert status == 202


async def stored_events(stage):
    """Return the types of the events that are in the stream."""
    info = await stage.stream.stream_info(
        f"{P}_ORDER_EVENTS", subjects_filter=f"{P}.order.event.withdrawal.>"
    )
    return {
        subject.removeprefix(f"{P}.order.event."): count
        for subject, count in (info.state.subjects or {}).items()
    }


async def test_orders_complete_while_the_archive_has_filled_the_store(database_url):
    orders = [f"w-{n}" for n in range(20)]
    with serving(SMALL) as server:
        url = server.url_of("svc:pw")
        async with await nats.connect(url) as client:
            await an_archive_without_a_limit(client.jetstream())
        async with staged(database_url, url, P, roles=API, **QUICK) as stage:
            await fill(stage.stream)
            await submitted(stage, *orders)

            finals = [await stage.final(order) for order in orders]

            assert {order["state"] for order in finals} == {"COMPLETED"}
            assert stage.core.check() == []
            assert stage.simulator.book.executed() == 20
            assert await metric(stage, stage.url, "messages_refused_total") > 0
            driven = "driven_without_wakeup_total"
            assert await metric(stage, stage.rest_url, driven) > 0
            assert await ready(stage, stage.url) == (200, '{"status":"ready"}')
            status, said = await ready(stage, stage.rest_url)
            assert status == 503
            assert f"NATS refuses messages for {P}_ORDER_" in said

            await stage.stream.purge_stream(f"{P}_ORDER_EVENTS")

            async def all_told():
                stored = await stored_events(stage)
                return (
                    stored.get("withdrawal.accepted") == 20
                    and stored.get("withdrawal.completed") == 20
                )

            await stage.until(all_told)

            async def ready_again():
                return (await ready(stage, stage.rest_url))[0] == 200

            await stage.until(ready_again)


async def test_a_full_archive_of_our_own_making_leaves_room_for_the_work(database_url):
    with serving(SMALL) as server:
        url = server.url_of("svc:pw")
        async with staged(database_url, url, P) as stage:
            for _ in range(60):
                await stage.stream.publish(f"{P}.order.event.filler", b"x" * MIB)

            assert (await stage.ask(a_withdrawal()))["status"] == "accepted"
            assert (await stage.final("w-1"))["state"] == "COMPLETED"
            assert await metric(stage, stage.url, "messages_refused_total") == 0


async def test_orders_complete_after_jetstream_was_taken_from_the_account(database_url):
    with serving(account()) as server:
        url = server.url_of("svc:pw")
        async with staged(database_url, url, P, roles=API, **QUICK) as stage:
            server.reload(account(limits="disabled"))

            async def unready():
                return (await ready(stage, stage.rest_url))[0] == 503

            await stage.until(unready)
            await submitted(stage, "w-1")

            assert (await stage.final("w-1"))["state"] == "COMPLETED"
            assert (await ready(stage, stage.url))[0] == 200


async def test_orders_complete_while_nats_is_away(database_url):
    with serving(account()) as server:
        url = server.url_of("svc:pw")
        async with staged(database_url, url, P, roles=API, **QUICK) as stage:
            await asyncio.to_thread(server.stop)
            await submitted(stage, "w-1", "w-2")

            assert (await stage.final("w-1"))["state"] == "COMPLETED"
            assert (await stage.final("w-2"))["state"] == "COMPLETED"
            assert stage.core.check() == []
            await asyncio.to_thread(server.start)


async def test_webhooks_are_applied_while_nothing_can_be_rung(database_url):
    with serving(SMALL) as server:
        url = server.url_of("svc:pw")
        async with await nats.connect(url) as client:
            await an_archive_without_a_limit(client.jetstream())
        async with staged(database_url, url, P, sla="1h", **QUICK) as stage:
            await fill(stage.stream)
            body = a_withdrawal("w-1", "accept_then_succeed")
            await stage.call("POST", "/v1/withdrawals", role="upstream", body=body)

            assert (await stage.final("w-1"))["state"] == "COMPLETED"


async def test_a_right_that_is_missing_is_told_by_its_subject(database_url):
    denied = account('publish: { deny: "$JS.API.CONSUMER.MSG.NEXT.p_ORDER_TASKS.*" }')
    with serving(denied) as server:
        url = server.url_of("svc:pw")
        async with staged(database_url, url, P, roles=API, **QUICK) as stage:

            async def told():
                status, said = await ready(stage, stage.rest_url)
                return status == 503 and "MSG.NEXT.p_ORDER_TASKS.payment-" in said

            await stage.until(told)
            await submitted(stage, "w-1")

            assert (await stage.final("w-1"))["state"] == "COMPLETED"
