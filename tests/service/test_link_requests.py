"""Partner links in the whole service: linked once, shown, and taken back.

The partner is a real server that answers each check when it is let; core is simulated
with a book of its own members. Several replicas share one database, NATS and core.
"""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager

import orjson
import pytest
from aiohttp import web

from tests.service.stage import KEYS, WAIT, staged
from tests.service.test_checkout_orders import offences

TOKEN = "tok_never_shown_9"
PARTNER = """
[partners.northbank]
base_url = "{url}"
countries = ["CA"]
bins = ["451400-451499"]
timeout = "20s"
"""
REPLICAS = 3
MANY = 100


class Bank:
    """A partner: says yes to every check, once it may."""

    def __init__(self):
        self.checks = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.revoked = []
        self.url = ""

    async def answer(self, request):
        body = orjson.loads(await request.read())
        if request.path.endswith("/revocations"):
            self.revoked.append(request.headers["Idempotency-Key"])
            return web.json_response({})
        self.checks.append((request.headers["Idempotency-Key"], body))
        await self.may_answer.wait()
        return web.json_response({"result": "eligible"})


@pytest.fixture
async def bank():
    here = Bank()
    runner = web.ServerRunner(web.Server(here.answer, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    here.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield here
    here.may_answer.set()
    await runner.cleanup()


@asynccontextmanager
async def replicas(count, database_url, nats_url, prefix, bank):
    """Give so many processes' worth of the service, all roles each, with one core."""
    more = PARTNER.format(url=bank.url)
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(
            staged(database_url, nats_url, prefix, more=more)
        )
        others = [
            await stack.enter_async_context(
                staged(
                    database_url,
                    nats_url,
                    prefix,
                    more=more,
                    core_url=first.core.url,
                )
            )
            for _ in range(count - 1)
        ]
        yield [first, *others]


@pytest.fixture
async def stage(database_url, nats_server, subject_prefix, bank):
    async with replicas(
        1, database_url, nats_server.url, subject_prefix, bank
    ) as stages:
        stages[0].database = database_url
        yield stages[0]


def a_link(order_id="l-1", **changes):
    return {
        "order_id": order_id,
        "merchant_id": "m-1",
        "customer_id": "c-9",
        "partner": "northbank",
        "card": {"token": TOKEN, "bin": "451412", "country": "CA"},
        "metadata": {"channel": "web"},
        **changes,
    }


async def post(stage, body, path="/v1/partner-links?wait=50s"):
    return await stage.call("POST", path, role="upstream", body=body)


def grants(stage):
    """Return the tasks that core has granted a membership, and how often."""
    return Counter(
        call["task_id"]
        for call in stage.core.memberships.values()
        if "grant" in call["verbs"]
    )


def revoked(stage):
    """Return the cards of which core has revoked the membership."""
    return [
        call["card_token"]
        for call in stage.core.memberships.values()
        if "revoke" in call["verbs"]
    ]


async def test_who_waits_is_told_that_the_card_is_linked(stage, bank):
    status, told = await post(stage, a_link())

    order = told["order"]
    assert (status, told["status"], order["state"]) == (202, "accepted", "COMPLETED")
    assert (order["kind"], order["result"], order["amount"]) == (
        *("partner_link", "linked", None),
    )
    await stage.until(lambda: stage.told("partner_link.completed"))
    (event,) = stage.told("partner_link.completed")
    assert (event["result"], event["provider"]) == ("linked", "northbank")
    (grant,) = grants(stage)
    assert grant == order["tasks"][0]["task_id"]
    assert [key for key, _ in bank.checks] == [f"{grant}:1"]
    _, whole = await stage.call("GET", "/v1/orders/l-1", role="viewer")
    path = "/v1/orders?customer_id=c-9&history=true"
    _, story = await stage.call("GET", path, role="viewer")
    assert [each["order_id"] for each in story["orders"]] == ["l-1"]
    assert TOKEN not in f"{told}{whole}{story}{stage.events}"
    assert offences(stage.database) == []


async def test_a_link_is_taken_back_and_the_card_linked_anew(stage, bank):
    _, first = await post(stage, a_link())
    wish = {"reason": "the customer has removed the card"}
    path = "/v1/partner-links/l-1/unlink?wait=50s"

    status, told = await post(stage, wish, path)

    assert (status, told["order"]["result"]) == (202, "unlinked")
    assert told["order"]["kind"] == "partner_unlink"
    assert revoked(stage) == [TOKEN]
    assert len(bank.revoked) == 1
    assert (await post(stage, wish, path))[0] == 200
    status, problem = await post(stage, wish | {"order_id": "u-2"}, path)
    assert (status, "links its card no more" in problem["detail"]) == (409, True)
    _, again = await post(stage, a_link("l-2"))
    assert (again["order"]["result"], again["order"]["tasks"][0].get("code")) == (
        *("linked", None),
    )
    assert len(grants(stage)) == 2
    assert (await stage.order("l-1"))["queue_id"] == first["queue_id"]
    assert offences(stage.database) == []


async def test_a_card_is_unlinked_by_its_token_over_nats(stage):
    subject = "partner.unlink.requested"
    wish = {
        **a_link("u-1"),
        "card": {"token": TOKEN},
        "reason": "lost",
    }

    refused = await stage.ask(wish, subject)
    await post(stage, a_link())
    told = await stage.ask(wish | {"order_id": "u-2"}, subject)

    assert (refused["status"], refused["error"][:21]) == (
        *("rejected", "card: is not linked f"),
    )
    assert told["status"] == "accepted"
    assert (await stage.final("u-2"))["result"] == "unlinked"
    assert revoked(stage) == [TOKEN]
    await stage.until(lambda: stage.letters)
    assert stage.letters[0].headers["X-Reason"] == "invalid"
    await stage.until(lambda: stage.told("partner_unlink.rejected"))


async def asked_at_once(stages, bodies):
    """Send half of the requests over HTTP and half over NATS; return their answers."""
    bank_of = {id(body): stages[n % len(stages)] for n, body in enumerate(bodies)}

    async def over_http(body):
        headers = {"Authorization": f"Bearer {KEYS['upstream']}"}
        here = bank_of[id(body)]
        async with here.http.post(
            f"{here.url}/v1/partner-links", json=body, headers=headers
        ) as answer:
            assert answer.status in {200, 202}
            return await answer.json()

    async def over_nats(body):
        return await bank_of[id(body)].ask(body, "partner.link.requested")

    async with asyncio.timeout(WAIT):
        return await asyncio.gather(
            *(
                (over_http if n % 2 else over_nats)(body)
                for n, body in enumerate(bodies)
            )
        )


@pytest.mark.slow
@pytest.mark.parametrize("named", ["alike", "each otherwise"])
async def test_a_hundred_requests_at_once_make_one_link_and_one_grant(
    database_url, nats_server, subject_prefix, bank, named
):
    bank.may_answer.clear()
    bodies = [a_link("l-1" if named == "alike" else f"l-{n}") for n in range(MANY)]
    async with replicas(
        REPLICAS, database_url, nats_server.url, subject_prefix, bank
    ) as stages:
        answers = await asked_at_once(stages, bodies)
        bank.may_answer.set()
        first = stages[0]
        (queue_id,) = {answer["queue_id"] for answer in answers}
        order = await first.final(queue_id)
        statuses = Counter(answer["status"] for answer in answers)
        # A request that was handled by two is answered by each of them.
        assert statuses["accepted"] >= 1
        assert statuses.keys() == {"accepted", "duplicate"}
        assert {answer["order_id"] for answer in answers} == {order["order_id"]}
        assert order["result"] == "linked"
        _, page = await first.call("GET", "/v1/orders?limit=500", role="viewer")
        assert [each["queue_id"] for each in page["orders"]] == [queue_id]
        assert grants(first) == {order["tasks"][0]["task_id"]: 1}
        assert len({key for key, _ in bank.checks}) == 1
        later = await asked_at_once(stages, [a_link(f"x-{n}") for n in range(4)])
        codes = [
            (await first.final(each["queue_id"]))["tasks"][0].get("code")
            for each in later
        ]
        assert {*codes} == {"already_linked"}
        assert len(grants(first)) == 1
        assert offences(database_url) == []
