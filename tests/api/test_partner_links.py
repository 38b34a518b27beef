"""A link that stands is taken back by an order of its own."""

from dataclasses import replace

import pytest

from fsm.engine.words import Kind
from payment_service.api.keyring import Keyring
from tests.api.fakes import (
    WallClock,
    an_order,
    api_keys,
    as_,
    calling,
    deps_of,
    finished,
)

WISH = {"reason": "the customer has removed the card"}


def a_link(order_id="l-1", merchant_id="m-1", *, is_final=True):
    order = an_order(order_id, merchant_id)
    order = finished(order) if is_final else order
    return order.with_queue(replace(order.queue, kind=Kind.PARTNER_LINK))


async def unlink(session, link="l-1", body=WISH, more="", **headers):
    path = f"/v1/partner-links/{link}/unlink{more}"
    headers = as_("upstream") | headers
    async with session.post(path, json=body, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_a_link_is_taken_back_by_an_order_of_its_own(world):
    link = world.put(a_link())
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    async with calling(deps_of(world)) as session:
        status, told = await unlink(session, traceparent=trace)
        by_queue = await unlink(session, link.queue_id, WISH | {"order_id": "u-1"})
    assert (status, told["status"]) == (202, "accepted")
    assert told["order_id"] == f"unlink-{link.queue_id}"
    assert by_queue[1]["order_id"] == "u-1"
    assert world.said == [
        (link.queue_id, None, WISH["reason"], "key:upstream-1", trace),
        (link.queue_id, "u-1", WISH["reason"], "key:upstream-1", None),
    ]


async def test_who_waits_is_told_the_order_that_does_it(world):
    world.put(a_link())
    async with calling(deps_of(world)) as session:
        _, told = await unlink(session, more="?wait=50ms")
        status, problem = await unlink(session, more="?wait=soon")
    assert told["order"]["order_id"] == told["order_id"]
    assert (status, problem["detail"][:6]) == (422, "wait: ")


@pytest.mark.parametrize(
    "body",
    [
        *(None, [], {}, {"reason": ""}, {"reason": 5}, {"reason": "x" * 2001}),
        *({"reason": "of 4111111111111111"}, WISH | {"order_id": ""}),
        *(WISH | {"order_id": 7}, WISH | {"order_id": "4111111111111111"}),
    ],
)
async def test_why_is_said_and_nothing_odd(world, body):
    world.put(a_link())
    async with calling(deps_of(world)) as session:
        status, problem = await unlink(session, body=body)
    assert status == 422
    assert "4111" not in str(problem)
    assert not world.said


@pytest.mark.parametrize("asked", ["l-2", "w-1", "%00", "x" * 129])
async def test_what_is_no_link_is_404(world, asked):
    world.put(finished(an_order()))
    async with calling(deps_of(world)) as session:
        status, problem = await unlink(session, asked)
    assert status == problem["status"] == 404
    assert not world.said


async def test_a_link_that_is_under_way_is_409(world):
    world.put(a_link(is_final=False))
    async with calling(deps_of(world)) as session:
        status, problem = await unlink(session)
    assert (status, problem["detail"]) == (409, "order l-1 is still under way")


async def test_of_orders_that_share_an_id_the_link_is_meant(world):
    link = world.put(a_link("w-1"))
    world.put(finished(an_order()))
    async with calling(deps_of(world)) as session:
        assert (await unlink(session, "w-1"))[0] == 202
        assert world.said[0][0] == link.queue_id
        other = world.put(a_link("w-1", "m-2"))
        status, problem = await unlink(session, "w-1")
    assert status == 409
    assert {each["queue_id"] for each in problem["candidates"]} == {
        link.queue_id,
        other.queue_id,
    }


async def test_a_key_of_some_merchants_finds_no_links_of_others(world):
    world.put(a_link("l-1", "m-2"))
    (upstream,) = (key for key in api_keys() if key.name == "upstream-1")
    bound = Keyring((replace(upstream, merchants=frozenset({"m-1"})),), WallClock())
    async with calling(deps_of(world, keys=bound)) as session:
        assert (await unlink(session))[0] == 404
    assert not world.said
