"""A link that is reconciled over four days, with real processes and shortened days.

In the middle every worker is killed, and NATS loses all that was to wake them.
"""

import asyncio
from contextlib import asynccontextmanager

import nats
import orjson
import pytest
from aiohttp import web

from payment_service.playground.embedded.postgres import FAST
from tests.chaos.fleet import Layout, started
from tests.playground.embedded.processes import memory_folder
from tests.processes.test_links import ENDS, LEFT, LINK, ORDERS, rows, until

pytestmark = pytest.mark.waits

DAY = 1.5
"""Seconds that a partner's day lasts here."""

DAYS = 4
RECONCILES = """
[partners.northbank]
base_url = "{url}"
countries = ["CA"]
bins = ["451400-451499"]
multi_match = "provisional"
timeout = "1s"
retry = {{ first = "100ms", max = "500ms", attempts = 1000 }}
fallback = {{ first = "375ms", max = "1500ms", deadline = "90s" }}
"""
STANDS = "SELECT state, waiting_for FROM order_tasks"
CHECKS = "SELECT webhook_sequence FROM order_tasks"


@asynccontextmanager
async def a_slow_bank(result):
    """Give the address of a partner that knows after four of its days, and its calls.

    What it has answered under a key it answers for ever under it.
    """
    loop = asyncio.get_running_loop()
    began, revoked = [], []
    answers: dict[str, dict[str, str]] = {}

    async def answer(request):
        key = request.headers["Idempotency-Key"]
        if request.path.endswith("/revocations"):
            revoked.append(key)
            return web.json_response({})
        began.append(loop.time())
        knows = began[-1] - began[0] >= DAYS * DAY
        said = result if knows else {"result": "multi_match"}
        return web.json_response(answers.setdefault(key, said))

    runner = web.ServerRunner(web.Server(answer, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", answers, revoked
    finally:
        await runner.cleanup()


def a_layout(url):
    """Return few processes, which know the partner at this address."""
    return Layout(
        workers=2,
        apis=0,
        relays=0,
        sweepers=0,
        servants=1,
        proxied=(),
        postgres=FAST,
        within=memory_folder(),
        forked=True,
        tables=RECONCILES.format(url=url),
    )


def told_core(fleet):
    """Return what core has done about memberships, in turn: the task and the verb."""
    lines = map(orjson.loads, fleet.books[0].read_bytes().splitlines())
    return [
        (line["body"]["task_id"], line["verb"])
        for line in lines
        if line["kind"] == "membership"
    ]


@pytest.mark.parametrize(
    ("said", "verbs", "ends"),
    [
        (
            {"result": "eligible"},
            ["grant", "confirm"],
            ("COMPLETED", "SUCCEEDED", ""),
        ),
        (
            {"result": "not_eligible", "code": "other_person"},
            ["grant", "revoke"],
            ("COMPLETED", "REVERSED", "other_person"),
        ),
    ],
    ids=["yes", "no"],
)
async def test_four_days_are_survived_by_no_process_and_by_no_message(
    said, verbs, ends
):
    async with (
        a_slow_bank(said) as (url, answers, revoked),
        started(a_layout(url)) as fleet,
    ):
        client = await nats.connect(fleet.nats.url)
        await client.jetstream().publish(
            "partner.link.requested", orjson.dumps({"order_id": "l-1", **LINK})
        )
        await until(fleet, CHECKS, lambda found: found and (found[0][0] or 0) >= 2)
        await client.close()

        # In the middle of it: all who work, and all that was to wake them.
        for worker in fleet.of_role("worker"):
            assert worker.kill()
        await asyncio.to_thread(fleet.nats.wipe)
        assert rows(fleet, STANDS) == [("RECHECKING", "fallback")]
        for worker in fleet.of_role("worker"):
            await worker.start()
        await until(fleet, ORDERS, lambda found: found[0][0])
        await until(fleet, LEFT, lambda found: not found)

        assert rows(fleet, ENDS) == [ends]
        ((task_id,),) = rows(fleet, "SELECT task_id::text FROM order_tasks")
        assert told_core(fleet) == [(task_id, verb) for verb in verbs]
        numbers = [int(key.removeprefix(f"{task_id}:")) for key in answers]
        assert numbers == [*range(1, len(numbers) + 1)]
        assert [*revoked] == ([f"{task_id}:revoked"] if "revoke" in verbs else [])
        code, told = await fleet.command("verify", "--json")
        assert (code, orjson.loads(told)["offences"]) == (0, [])
