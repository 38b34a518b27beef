"""A hundred requests for one link, while the workers are killed, make one.

Each of ten senders, who know nothing of each other, asks ten times.
"""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager

import nats
import orjson
import psycopg
import pytest
from aiohttp import web

from payment_service.playground.embedded.postgres import FAST
from tests.chaos.fleet import Layout, started
from tests.playground.embedded.processes import memory_folder

pytestmark = pytest.mark.waits

SENDERS = REPEATS = 10
WORKERS = 10
KILLED = WORKERS // 2
"""As many before the partner answers as after it."""

END_SECONDS_MAX = 120.0
PARTNER = """
[partners.northbank]
base_url = "{url}"
countries = ["CA"]
bins = ["451400-451499"]
timeout = "1s"
retry = {{ first = "100ms", max = "500ms", attempts = 1000 }}
"""
LINK = {
    "merchant_id": "m-1",
    "customer_id": "c-9",
    "partner": "northbank",
    "card": {"token": "tok_8f2a", "bin": "451412", "country": "CA"},
}
ORDERS = "SELECT finished_at IS NOT NULL FROM order_queues"
ENDS = """
SELECT q.state, t.state, coalesce(t.code, '') FROM order_queues q
JOIN order_tasks t USING (queue_id) ORDER BY q.queue_id
"""
MADE = "SELECT task_id::text FROM order_tasks WHERE code IS NULL"
LEFT = "SELECT FROM order_queues WHERE waiting_for IS NOT NULL"


@asynccontextmanager
async def a_bank():
    """Give the address of a partner, the keys that it heard, and when it may answer."""
    heard, may_answer = [], asyncio.Event()

    async def answer(request):
        heard.append(request.headers["Idempotency-Key"])
        await may_answer.wait()
        return web.json_response({"result": "eligible"})

    runner = web.ServerRunner(web.Server(answer, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", heard, may_answer
    finally:
        may_answer.set()
        await runner.cleanup()


def rows(fleet, statement):
    with psycopg.connect(fleet.database_url, autocommit=True) as connection:
        return connection.execute(statement).fetchall()


async def until(fleet, statement, is_so):
    async with asyncio.timeout(END_SECONDS_MAX):
        while not is_so(rows(fleet, statement)):  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.05)


async def killed(workers):
    """Kill one after the other; each begins anew."""
    for worker in workers:
        assert worker.kill()
        await worker.start()


def granted(fleet):
    """Count the grants that core has made, by the key of each."""
    lines = map(orjson.loads, fleet.books[0].read_bytes().splitlines())
    return Counter(
        line["body"]["task_id"]
        for line in lines
        if line["kind"] == "membership" and line["verb"] == "grant"
    )


async def test_ten_workers_that_are_killed_make_one_link_and_one_grant():
    async with a_bank() as (url, heard, may_answer):
        layout = Layout(
            workers=WORKERS,
            apis=0,
            relays=0,
            sweepers=0,
            servants=1,
            proxied=(),
            postgres=FAST,
            within=memory_folder(),
            forked=True,
            tables=PARTNER.format(url=url),
        )
        async with started(layout) as fleet:
            client = await nats.connect(fleet.nats.url)
            stream = client.jetstream()
            await asyncio.gather(
                *(
                    stream.publish(
                        "partner.link.requested",
                        orjson.dumps({"order_id": f"l-{sender}", **LINK}),
                    )
                    for sender in range(SENDERS)
                    for _ in range(REPEATS)
                )
            )
            await until(fleet, ORDERS, bool)
            workers = fleet.of_role("worker")

            await killed(workers[:KILLED])
            may_answer.set()
            await killed(workers[KILLED:])
            await until(fleet, ORDERS, lambda found: all(row[0] for row in found))
            await until(fleet, LEFT, lambda found: not found)

            first, *others = rows(fleet, ENDS)
            assert first == ("COMPLETED", "SUCCEEDED", "")
            assert {*others} <= {("COMPLETED", "SUCCEEDED", "already_linked")}
            ((task_id,),) = rows(fleet, MADE)
            assert {*granted(fleet)} == {task_id}
            assert {*heard} == {f"{task_id}:1"}
            await client.close()
