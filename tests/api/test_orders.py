import asyncio
from datetime import UTC, datetime

import pytest

from fsm.engine.customer import CustomerMessage
from fsm.engine.records import replace
from fsm.engine.words import Kind, OrderState, State
from handlers.ports.reads import Search
from payment_service.api import awaiting
from payment_service.wire.customer import catalogue
from tests.api.fakes import a_line, an_order, as_, calling, deps_of, finished

# Until what never comes is given up: no promise, for a busy machine takes its time.
SOON = 50


async def get(session, path, role="viewer"):
    url = session._base_url.join(type(session._base_url)(path, encoded=True))
    async with session.get(url, headers=as_(role)) as response:
        return response.status, await response.json(content_type=None)


@pytest.mark.parametrize("role", ["viewer", "support", "admin", "upstream"])
async def test_an_order_is_found_by_either_id(world, role):
    order = world.put(an_order())
    async with calling(deps_of(world)) as session:
        by_order = await get(session, "/v1/orders/w-1", role)
        by_queue = await get(session, f"/v1/orders/{order.queue_id}", role)
    assert by_order == by_queue
    assert by_order[0] == 200
    assert by_order[1]["queue_id"] == order.queue_id


@pytest.mark.parametrize(
    ("order_id", "path"),
    [
        ("a/b", "a%2Fb"),
        ("a b", "a%20b"),
        ("é", "%C3%A9"),
        ("a%2Fb", "a%252Fb"),
        ("a?b", "a%3Fb"),
        ("events", "events"),
    ],
)
async def test_any_order_id_can_be_asked_for(world, order_id, path):
    world.put(an_order(order_id))
    async with calling(deps_of(world)) as session:
        assert (await get(session, f"/v1/orders/{path}"))[0] == 200
        assert (await get(session, f"/v1/orders/{path}/events"))[0] == 200


@pytest.mark.parametrize("path", ["nobody", "%00", "%ff", "%0a", "x" * 129, "%20"])
async def test_an_unknown_order_is_404(world, path):
    async with calling(deps_of(world)) as session:
        status, problem = await get(session, f"/v1/orders/{path}")
    assert status == problem["status"] == 404
    assert world.looked <= 1


async def test_a_shared_order_id_is_409_with_the_candidates(world):
    one, two = world.put(an_order()), world.put(an_order(merchant_id="m-2"))
    async with calling(deps_of(world)) as session:
        status, problem = await get(session, "/v1/orders/w-1")
        assert (await get(session, "/v1/orders/w-1/events"))[0] == 409
    assert status == 409
    assert {each["queue_id"] for each in problem["candidates"]} == {
        one.queue_id,
        two.queue_id,
    }
    assert {each["merchant_id"] for each in problem["candidates"]} == {"m-1", "m-2"}


@pytest.fixture
def nobody_looks_again(monkeypatch):
    monkeypatch.setattr(awaiting, "LOOK_AGAIN_SECONDS", 3_600.0)


@pytest.mark.usefixtures("nobody_looks_again")
async def test_who_waits_is_woken_when_the_order_ends(world):
    order = world.put(an_order())
    async with calling(deps_of(world)) as session:
        waiting = asyncio.create_task(get(session, "/v1/orders/w-1?wait=60s"))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        world.finish(order)
        async with asyncio.timeout(SOON):
            _, shown = await waiting
    assert shown["state"] == "COMPLETED"
    assert not world.events_of_waiters


@pytest.mark.usefixtures("nobody_looks_again")
async def test_an_end_between_the_first_look_and_the_wait_is_not_missed(world):
    order = world.put(an_order())
    world.before_expecting = lambda: world.finish(order)
    async with calling(deps_of(world)) as session, asyncio.timeout(SOON):
        _, shown = await get(session, "/v1/orders/w-1?wait=60s")
    assert shown["state"] == "COMPLETED"


async def test_who_is_not_woken_looks_again_by_himself(world):
    order = world.put(an_order())
    world.redrives = False
    async with calling(deps_of(world)) as session, asyncio.timeout(SOON):
        waiting = asyncio.create_task(get(session, "/v1/orders/w-1?wait=60s"))
        await asyncio.sleep(0.1)
        world.finish(order)
        _, shown = await waiting
    assert shown["state"] == "COMPLETED"


async def test_a_wake_up_for_nothing_makes_nobody_spin(world):
    order = world.put(an_order())
    async with calling(deps_of(world)) as session:
        waiting = asyncio.create_task(get(session, "/v1/orders/w-1?wait=1s"))
        await asyncio.sleep(0.1)
        world.events_of_waiters[order.queue_id].set()
        _, shown = await waiting
    assert shown["state"] == "ACTIVE"
    assert world.looked < 7


async def test_when_the_time_is_over_the_present_state_is_shown(world):
    world.put(an_order())
    async with calling(deps_of(world)) as session, asyncio.timeout(SOON):
        status, shown = await get(session, "/v1/orders/w-1?wait=300ms")
    assert (status, shown["state"]) == (200, "ACTIVE")


async def test_a_final_order_is_not_waited_for(world):
    world.put(finished(an_order()))
    async with calling(deps_of(world)) as session, asyncio.timeout(SOON):
        assert (await get(session, "/v1/orders/w-1?wait=60s"))[0] == 200
    assert world.looked == 1


async def test_the_explanation_is_for_who_does_not_wait(world):
    world.put(finished(an_order()))
    async with calling(deps_of(world)) as session:
        _, shown = await get(session, "/v1/orders/w-1")
        _, awaited = await get(session, "/v1/orders/w-1?wait=1s")
    assert shown["explanation"]
    assert "explanation" not in awaited


async def test_who_hangs_up_is_forgotten(world):
    world.put(an_order())
    async with calling(deps_of(world)) as session:
        waiting = asyncio.create_task(get(session, "/v1/orders/w-1?wait=60s"))
        await asyncio.sleep(0.1)
        waiting.cancel()
        async with asyncio.timeout(SOON):
            while world.events_of_waiters:  # noqa: ASYNC110 - the server's side
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("wait", ["20", "-1s", "1w", "20s%00", ""])
async def test_a_wait_is_a_duration(world, wait):
    world.put(an_order())
    async with calling(deps_of(world)) as session:
        assert (await get(session, f"/v1/orders/w-1?wait={wait}"))[0] == 422


async def test_what_a_search_leaves_out_is_counted(world):
    world.put(an_order())
    async with calling(deps_of(world)) as session:
        _, whole = await get(session, "/v1/orders")
        world.left_out = 2
        _, page = await get(session, "/v1/orders")

    assert "left_out" not in whole
    assert (len(page["orders"]), page["left_out"]) == (1, 2)


async def test_a_search_tells_the_history_of_each_where_it_is_asked(world):
    one, two = world.put(an_order()), world.put(an_order("w-2"))
    world.trails[one.queue_id].append(a_line(one))
    async with calling(deps_of(world)) as session:
        _, plain = await get(session, "/v1/orders?customer_id=c-9")
        path = "/v1/orders?customer_id=c-9&history=true"
        _, told = await get(session, path)
        _, trail = await get(session, f"/v1/orders/{one.queue_id}/events")
        status, problem = await get(session, f"{path}&limit=51")

    assert all("events" not in order for order in plain["orders"])
    by_id = {order["queue_id"]: order["events"] for order in told["orders"]}
    assert by_id == {one.queue_id: trail["events"], two.queue_id: []}
    assert (status, problem["detail"]) == (422, "limit: at most 50 with history")


async def test_a_search_hands_down_every_filter(world):
    world.put(an_order())
    query = (
        "customer_id=c-9&merchant_id=m-1&kind=withdrawal&state=COMPLETED"
        "&task_state=MANUAL_CHECK&provider=acme&from=2026-01-01T00:00:00Z"
        "&to=2026-02-01T02:00:00+02:00&limit=7"
    )
    async with calling(deps_of(world)) as session:
        _, first = await get(session, f"/v1/orders?{query}", "upstream")
        query += f"&cursor={first['next_cursor']}"
        status, page = await get(session, f"/v1/orders?{query}", "upstream")
    assert status == 200
    assert (len(page["orders"]), page["next_cursor"]) == (1, first["next_cursor"])
    assert world.searches[1:] == [
        Search(
            customer_id="c-9",
            merchant_id="m-1",
            kind=Kind.WITHDRAWAL,
            state=OrderState.COMPLETED,
            task_state=State.MANUAL_CHECK,
            provider="acme",
            since=datetime(2026, 1, 1, tzinfo=UTC),
            until=datetime(2026, 2, 1, tzinfo=UTC),
            limit=7,
            cursor="next",
        )
    ]


@pytest.mark.parametrize(
    "query",
    [
        "state=DONE",
        "task_state=x",
        "kind=gift",
        "limit=0",
        "limit=501",
        "limit=x",
        "from=yesterday",
        "to=2026-02-30T00:00:00Z",
        "from=0001-01-01T00:00:00%2B23:59",
        "customer_id=%00",
        "merchant_id=" + "x" * 129,
        "provider=",
        "cursor=made-up",
        "cursor=%00",
        "cursor=" + "x" * 513,
    ],
)
async def test_a_bad_filter_is_422(world, query):
    async with calling(deps_of(world)) as session:
        status, problem = await get(session, f"/v1/orders?{query}")
    assert status == problem["status"] == 422
    assert query.partition("=")[0] in problem["detail"]


@pytest.mark.attack("role", "Who reads a trail sees no token and no secret in it")
async def test_the_audit_trail_is_shown_masked(world):
    order = world.put(an_order())
    world.trails[order.queue_id].append(a_line(order))
    async with calling(deps_of(world)) as session:
        _, shown = await get(session, "/v1/orders/w-1/events")
    assert [line["seq"] for line in shown["events"]] == [7]
    assert "tok_canary" not in str(shown)


def told_of(order):
    told = CustomerMessage("payment_declined").written
    return order.with_queue(replace(order.queue, customer_message=told))


@pytest.mark.parametrize("path", ["/v1/orders/w-1", "/v1/orders/w-1?wait=1ms"])
@pytest.mark.parametrize(
    ("accepted", "language"),
    [("de-DE, en;q=0.5", "de"), ("fr", "en"), ("\xff;q=\xb2,,*;", "en")],
)
async def test_a_customer_is_told_in_the_language_that_is_asked_for(
    world, path, accepted, language
):
    world.put(told_of(finished(an_order())))
    async with calling(deps_of(world)) as session:
        headers = {**as_("viewer"), "Accept-Language": accepted}
        async with session.get(path, headers=headers) as response:
            shown = (await response.json())["customer_message"]
        async with session.get("/v1/orders", headers=headers) as listed:
            (order,) = (await listed.json())["orders"]
    for each in (response, listed):
        assert each.status == 200
        assert each.headers["Content-Language"] == language
        assert each.headers["Vary"] == "Accept-Language"
    assert shown == order["customer_message"]
    assert shown == {
        "code": "payment_declined",
        "text": catalogue(language)["payment_declined"],
        "action": "another_payment_method",
    }
