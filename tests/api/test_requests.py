import asyncio
import contextlib
import gzip
import json
from dataclasses import replace
from io import BytesIO

import aiohttp
import orjson
import pytest

from fsm.domain.orders import Submission
from fsm.domain.strict_json import SIZE_MAX
from fsm.engine.words import Kind
from handlers.ports.services import NoServices
from payment_service.api.keyring import Keyring
from payment_service.wire.checkout import EXAMPLE as CHECKOUT
from payment_service.wire.checkout import STEPS
from payment_service.wire.partner import EXAMPLE as LINK
from payment_service.wire.withdrawal import EXAMPLE
from tests.api.fakes import (
    KEYS,
    WallClock,
    an_order,
    api_keys,
    as_,
    calling,
    deps_of,
)

CARD = "4111111111111111"


def body(**changes):
    return orjson.dumps({**EXAMPLE, **changes})


async def post(session, data, path="/v1/withdrawals", **headers):
    headers = as_("upstream") | headers
    async with session.post(path, data=data, headers=headers) as response:
        return response.status, await response.json(content_type=None)


async def test_a_request_is_accepted_once_and_a_change_is_a_conflict(world):
    async with calling(deps_of(world)) as session:
        status, first = await post(session, body())
        assert (status, first["status"]) == (202, "accepted")
        assert await post(session, body()) == (200, first | {"status": "duplicate"})
        status, problem = await post(session, body(amount=1))
        assert status == problem["status"] == 409
        assert (problem["outcome"], problem["order_id"]) == ("conflict", "w-1001")
        assert problem["error"]
    assert world.said[0][1:] == ("key:upstream-1", None)


async def test_who_waits_is_answered_with_the_order_at_its_end(world):
    async with calling(deps_of(world)) as session:
        waiting = asyncio.create_task(post(session, body(), "/v1/withdrawals?wait=60s"))
        async with asyncio.timeout(60):
            while not world.events_of_waiters:  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0.01)
            (order,) = world.orders.values()
            assert not waiting.done()
            world.finish(order)
            status, told = await waiting
        again = await post(session, body(), "/v1/withdrawals?wait=60s")
    assert (status, told["status"], told["order"]["state"]) == (
        *(202, "accepted", "COMPLETED"),
    )
    assert again == (200, told | {"status": "duplicate"})
    assert not world.events_of_waiters


async def test_when_the_time_is_over_the_order_is_told_as_it_is(world):
    async with calling(deps_of(world)) as session:
        status, told = await post(session, body(), "/v1/withdrawals?wait=50ms")
    assert (status, told["order"]["state"]) == (202, "ACTIVE")


async def test_who_does_not_wait_is_told_no_order(world):
    async with calling(deps_of(world)) as session:
        _, told = await post(session, body())
    assert {*told} == {"order_id", "queue_id", "status"}


async def test_a_wait_that_is_none_is_refused_before_anything_is_stored(world):
    async with calling(deps_of(world)) as session:
        status, problem = await post(session, body(), "/v1/withdrawals?wait=soon")
    assert status == 422
    assert problem["detail"].startswith("wait: ")
    assert not world.orders


async def test_an_order_of_another_merchants_is_not_told_to_who_waits(world):
    """What runs with the same exclusive key may be theirs."""
    other = world.put(an_order("w-2", "m-2"))

    async def held(request, *, actor, trace_parent):
        del request, actor, trace_parent
        return Submission(
            status="duplicate", order_id=other.order_id, queue_id=other.queue_id
        )

    (upstream,) = (key for key in api_keys() if key.name == "upstream-1")
    bound = Keyring((replace(upstream, merchants=frozenset({"m-1"})),), WallClock())
    deps = replace(deps_of(world, keys=bound), submit=held)
    async with calling(deps) as session:
        status, told = await post(session, body(), "/v1/withdrawals?wait=1s")
    assert (status, {*told}) == (200, {"order_id", "queue_id", "status"})


async def test_the_callers_trace_goes_with_the_request(world):
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    async with calling(deps_of(world)) as session:
        await post(session, body(), traceparent=trace)
        await post(session, body(order_id="w-2"), traceparent=f"00-{'0' * 32}-1-01")
    assert [said[2] for said in world.said] == [trace, None]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff",
        body(amount=12.5),
        body(amount="12550"),
        body(amount=0),
        body(amount=-1),
        body(amount=2**53),
        body(amount=True),
        body(currency="XXX"),
        body(order_id="x" * 129),
        body(order_id="a\nb"),
        body(order_id=""),
        body(cascade=[]),
        body(cascade=[{"provider": "nobody"}]),
        body(cascade=[{"provider": "acme"}] * 2),
        body(cascade=[{"provider": "acme", "terminal_id": str(n)} for n in range(65)]),
        body(destination={"type": "card", "token": CARD}),
        body(metadata=[]),
        body()[:-1] + b', "amount": 12550}',
        body()[:-1] + b', "x": NaN}',
        body()[:-1] + b', "x": "\\ud800"}',
        body()[:-1] + b', "x": "\\u0000"}',
        body()[:-1] + b', "x": ' + b"[" * 40 + b"]" * 40 + b"}",
        body()[:-1] + b', "x": ' + b"9" * 5000 + b"}",
        b"[" * 200_000,
        json.dumps(EXAMPLE).encode("utf-16"),
    ],
)
async def test_what_cannot_be_accepted_is_a_problem_and_leaves_nothing(world, data):
    async with calling(deps_of(world)) as session:
        status, problem = await post(session, data)
    assert status == problem["status"] == 422
    assert problem["outcome"] == "rejected"
    assert problem["error"]
    assert CARD not in str(problem)
    assert "tok_8f2a" not in str(problem)
    assert not world.orders


async def test_a_checkout_is_answered_as_a_withdrawal_is(world):
    def bought(**changes):
        return orjson.dumps({**CHECKOUT, **changes})

    path = "/v1/checkouts"
    async with calling(deps_of(world)) as session:
        status, first = await post(session, bought(), path)
        assert (status, first["status"]) == (202, "accepted")
        assert await post(session, bought(), path) == (
            200,
            first | {"status": "duplicate"},
        )
        status, problem = await post(session, bought(delivery={}), path)
        assert (status, problem["outcome"]) == (409, "conflict")
        assert problem["order_id"] == CHECKOUT["order_id"]
    assert [said[0].kind for said in world.said] == [Kind.CHECKOUT]
    assert world.said[0][1:] == ("key:upstream-1", None)


async def test_a_checkout_is_accepted_of_upstream_alone(world):
    for role, status in (("viewer", 403), ("support", 403), ("nobody", 401)):
        headers = as_(role) if role in KEYS else {}
        async with (
            calling(deps_of(world)) as session,
            session.post(
                "/v1/checkouts", data=orjson.dumps(CHECKOUT), headers=headers
            ) as answer,
        ):
            assert answer.status == status
    assert not world.said


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": 12550.0},
        {"amount": 12551},
        {"currency": "XXX"},
        {"items": []},
        {"items": [{"sku": "x", "quantity": 1}] * 501},
        {"items": [{"sku": CARD, "quantity": 1}]},
        {"payment_method": {"type": "card", "token": CARD}},
        {"delivery": None},
    ],
)
async def test_a_checkout_that_cannot_be_accepted_leaves_nothing(world, changes):
    data = orjson.dumps({**CHECKOUT, **changes})
    async with calling(deps_of(world)) as session:
        status, problem = await post(session, data, "/v1/checkouts")
    assert status == problem["status"] == 422
    assert (problem["outcome"], problem["order_id"]) == ("rejected", "c-1001")
    assert CARD not in str(problem)
    assert "tok_8f2a" not in str(problem)
    assert not world.orders


async def test_a_checkout_of_steps_that_nobody_does_is_refused_by_their_names(world):
    deps = replace(deps_of(world), services=NoServices())
    async with calling(deps) as session:
        status, problem = await post(session, orjson.dumps(CHECKOUT), "/v1/checkouts")
    assert status == 422
    for step in STEPS:
        assert f"{step}: an unknown step service" in problem["error"]


async def test_a_partner_link_is_answered_as_a_withdrawal_is(world):
    def linked(**changes):
        return orjson.dumps({**LINK, **changes})

    path = "/v1/partner-links"
    async with calling(deps_of(world)) as session:
        status, first = await post(session, linked(), path)
        assert (status, first["status"]) == (202, "accepted")
        again = await post(session, linked(), path)
        assert again == (200, first | {"status": "duplicate"})
        status, problem = await post(session, linked(metadata={}), path)
        assert (status, problem["outcome"]) == (409, "conflict")
        assert problem["order_id"] == LINK["order_id"]
    assert [said[0].kind for said in world.said] == [Kind.PARTNER_LINK]
    assert world.said[0][1:] == ("key:upstream-1", None)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"card": {**LINK["card"], "token": CARD}}, "card.token"),
        ({"card": {**LINK["card"], "bin": 451401}}, "card.bin"),
        ({"card": {**LINK["card"], "country": "XX"}}, "card.country"),
        ({"partner": "nobody"}, "partner"),
        ({"metadata": {"note": CARD}}, "metadata.note"),
    ],
)
async def test_a_partner_link_that_cannot_be_accepted_leaves_nothing(
    world, changes, where
):
    data = orjson.dumps({**LINK, **changes})
    async with calling(deps_of(world)) as session:
        status, problem = await post(session, data, "/v1/partner-links")
    assert status == problem["status"] == 422
    assert (problem["outcome"], problem["order_id"]) == ("rejected", "l-1001")
    assert problem["error"].startswith(f"{where}: ")
    assert CARD not in str(problem)
    assert not world.orders


async def test_what_is_in_the_way_of_a_link_is_a_conflict_about_that_link(world):
    async def held(request, *, actor, trace_parent):
        del request, actor, trace_parent
        return Submission(status="conflict", order_id="u-7", queue_id="q-7")

    deps = replace(deps_of(world), submit=held)
    async with calling(deps) as session:
        status, problem = await post(session, orjson.dumps(LINK), "/v1/partner-links")
    assert (status, problem["outcome"], problem["order_id"]) == (
        *(409, "conflict", "l-1001"),
    )
    assert "order u-7 about the same is under way" in problem["error"]


async def drip(data, pause):
    for start in range(0, len(data), 16):
        yield data[start : start + 16]
        await asyncio.sleep(pause)


async def chunks(count, size=64 * 1024):
    for _ in range(count):
        yield b" " * size


async def test_a_chunked_body_without_a_length_is_read(world):
    async with calling(deps_of(world)) as session:
        assert (await post(session, drip(body(), 0)))[0] == 202


async def test_a_body_of_exactly_the_limit_is_read(world):
    async with calling(deps_of(world)) as session:
        padded = body() + b" " * (SIZE_MAX - len(body()))
        assert (await post(session, padded))[0] == 202
        assert (await post(session, padded + b" "))[0] == 413


@pytest.mark.parametrize("size", [SIZE_MAX + 1, 2**20, 7 * SIZE_MAX])
async def test_a_body_that_is_too_large_is_refused_and_the_sender_hears_it(world, size):
    async with calling(deps_of(world)) as session:
        status, problem = await post(session, BytesIO(b" " * size))
        assert status == problem["status"] == 413
        assert (await post(session, chunks(size // 65536 + 1)))[0] == 413
        assert (await post(session, body()))[0] == 202


async def test_a_body_without_end_is_cut_off(world):
    """The sender may see the 413, or a closed connection: it is still sending."""
    async with calling(deps_of(world)) as session:
        with contextlib.suppress(aiohttp.ClientError):
            assert (await post(session, chunks(2000)))[0] == 413
        assert (await post(session, body()))[0] == 202


async def test_a_body_that_drips_is_not_waited_for(world):
    async with calling(deps_of(world)) as session:
        # One that was waited for would be taken.
        status, _ = await post(session, drip(body(), 0.2))
        assert status == 408
    assert not world.orders


async def raw(session, request):
    """Send bytes that no client would send, and return what comes back."""
    url = session._base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(request)
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(4096), 5)
    writer.close()
    await writer.wait_closed()
    return answer


HEAD = (
    b"POST /v1/withdrawals HTTP/1.1\r\nHost: x\r\nAuthorization: "
    + as_("upstream")["Authorization"].encode()
    + b"\r\n"
)


@pytest.mark.parametrize(
    ("rest", "status"),
    [
        (b"Content-Length: 400\r\n\r\n{", b"408"),
        (b"Content-Length: 99999999999\r\n\r\n{", b"413"),
        (b"Content-Length: 300000\r\nExpect: 100-continue\r\n\r\n", b"413"),
        (b"Content-Length: -1\r\n\r\n", b"400"),
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"4"),
    ],
)
async def test_a_length_that_lies_is_seen_through(world, rest, status):
    async with calling(deps_of(world)) as session:
        answer = await raw(session, HEAD + rest)
        assert answer.startswith(b"HTTP/1.1 " + status)
    assert not world.orders


async def test_a_body_that_breaks_off_stores_nothing(world):
    async with calling(deps_of(world)) as session:
        url = session._base_url
        _, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(HEAD + b"Content-Length: 400\r\n\r\n" + body()[:50])
        await writer.drain()
        writer.transport.abort()
        await asyncio.sleep(0.05)
        assert (await post(session, body()))[0] == 202
    assert not world.reports


@pytest.mark.parametrize(
    "encoding", ["gzip", "deflate", "br", "zstd", "identity, gzip"]
)
async def test_a_compressed_body_is_refused_unopened(world, encoding):
    async with calling(deps_of(world)) as session:
        packed = gzip.compress(body())
        assert (await post(session, packed, **{"Content-Encoding": encoding}))[0] == 415
        plain = await post(session, body(), **{"Content-Encoding": "identity"})
        assert plain[0] == 202
