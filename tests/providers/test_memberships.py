"""Memberships: core over HTTP and core in memory do the same, and say the same."""

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from fsm.domain.errors import CoreUnavailable
from handlers.ports.core import Confirmed, MembershipCall, MembershipVerb, Refused
from payment_service.playground.memory.clock import VirtualClock
from payment_service.playground.memory.core import MemoryCore
from providers.core import HttpCore
from providers.http.outbound import Outbound
from providers.testing.simulator import InjectedFault
from providers.testing.simulator.core import SimulatedCore
from tests.providers.test_core import core_saying

V = MembershipVerb
CALL = MembershipCall(
    task_id="t-1",
    customer_id="c-1",
    partner="northbank",
    card_token="tok_1",
    provisional=True,
)
FINAL = replace(CALL, provisional=False)
PATHS = {
    V.GRANT: "/api/v1/memberships",
    V.CONFIRM: "/api/v1/memberships",
    V.REVOKE: "/api/v1/memberships/revoke",
}


@asynccontextmanager
async def over_http():
    """Give core at the other end of a socket, and who stands in its book."""
    simulated = SimulatedCore(token="t0k3n")
    await simulated.start()
    async with Outbound() as outbound:
        limit = timedelta(seconds=5)
        core = HttpCore(outbound, base_url=simulated.url, token="t0k3n", timeout=limit)
        yield core, lambda: {*simulated.book_of_members.members}
    await simulated.stop()


@asynccontextmanager
async def in_memory():
    core = MemoryCore(VirtualClock())
    yield core, lambda: {tuple(card) for card in core.members.members}


@pytest.fixture(params=[over_http, in_memory], ids=["http", "memory"])
async def both(request):
    async with request.param() as core:
        yield core


CARD = ("c-1", "northbank", "tok_1")
NO_MORE = Refused("revoked", "it was revoked before")
STORIES: dict[str, Any] = {
    "granted for good": ([(V.GRANT, FINAL, Confirmed())], {CARD}),
    "granted twice is once": ([(V.GRANT, CALL, Confirmed())] * 2, {CARD}),
    "granted for now, and confirmed": (
        [(V.GRANT, CALL, Confirmed()), (V.CONFIRM, FINAL, Confirmed())],
        {CARD},
    ),
    "granted for now, and revoked": (
        [(V.GRANT, CALL, Confirmed()), *[(V.REVOKE, FINAL, Confirmed())] * 2],
        set(),
    ),
    "revoked before the grant arrives": (
        [(V.REVOKE, FINAL, Confirmed()), *[(V.GRANT, CALL, NO_MORE)] * 2],
        set(),
    ),
    "confirmed after it was revoked": (
        [
            (V.GRANT, CALL, Confirmed()),
            (V.REVOKE, FINAL, Confirmed()),
            (V.CONFIRM, FINAL, NO_MORE),
        ],
        set(),
    ),
    "removed by another task": (
        [
            (V.GRANT, FINAL, Confirmed()),
            (V.REVOKE, replace(FINAL, task_id="t-2"), Confirmed()),
        ],
        set(),
    ),
    "granted anew after it was removed": (
        [
            (V.GRANT, FINAL, Confirmed()),
            (V.REVOKE, replace(FINAL, task_id="t-2"), Confirmed()),
            (V.GRANT, replace(FINAL, task_id="t-3"), Confirmed()),
        ],
        {CARD},
    ),
    "an old grant's revoke comes late, and leaves the new one": (
        [
            (V.GRANT, CALL, Confirmed()),
            (V.REVOKE, replace(FINAL, task_id="t-2"), Confirmed()),
            (V.GRANT, replace(FINAL, task_id="t-3"), Confirmed()),
            (V.REVOKE, FINAL, Confirmed()),
        ],
        {CARD},
    ),
    "another card of the same customer": (
        [
            (V.GRANT, FINAL, Confirmed()),
            (V.REVOKE, replace(FINAL, task_id="t-2", card_token="tok_2"), Confirmed()),
        ],
        {CARD},
    ),
}


@pytest.mark.parametrize("story", STORIES)
async def test_both_tell_the_same_story(both, story):
    core, members = both
    calls, left = STORIES[story]

    for verb, call, answer in calls:
        assert await core.membership(verb, call) == answer
    assert members() == left


async def test_a_confirmation_of_what_was_never_granted_is_refused(both):
    core, members = both

    answer = await core.membership(V.CONFIRM, FINAL)

    assert answer == Refused("not_granted", "there is nothing to confirm")
    assert members() == set()


@pytest.mark.parametrize("verb", list(V))
async def test_the_question_is_that_of_the_contract(verb):
    async with core_saying(200, {}) as (core, fake):
        assert await core.membership(verb, CALL) == Confirmed()

    ((method, path, headers, body),) = fake.asked
    assert (method, path) == ("POST", PATHS[verb])
    assert headers["Idempotency-Key"] == f"t-1:{verb}"
    assert body == {
        "task_id": "t-1",
        "customer_id": "c-1",
        "partner": "northbank",
        "card_token": "tok_1",
        "provisional": True,
    }


NO = {"code": "not_covered", "message": "no such plan"}


@pytest.mark.parametrize("status", [409, 422])
async def test_a_reasoned_no_is_final(status):
    async with core_saying(status, NO) as (core, _):
        answer = await core.membership(V.GRANT, CALL)

    assert answer == Refused("not_covered", "no such plan")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        *((status, NO) for status in (201, 202, 204, 301, 400, 404, 429, 500, 503)),
        *((status, {"code": "no"}) for status in (409, 422)),
        (200, b""),
        (200, b"<html>"),
        (200, []),
        (200, {"error": "no such path"}),
        (200, {"task_id": "another"}),
        (200, {"customer_id": "another"}),
        (200, {"partner": "another"}),
        (409, {**NO, "task_id": "another"}),
    ],
)
async def test_everything_else_is_no_answer(status, body):
    async with core_saying(status, body) as (core, _):
        with pytest.raises(CoreUnavailable):
            await core.membership(V.GRANT, CALL)


@pytest.mark.parametrize("verb", [V.GRANT, V.REVOKE])
async def test_what_was_done_and_not_said_is_done_once(verb):
    simulated = SimulatedCore()
    await simulated.start()
    name = "revoke" if verb is V.REVOKE else "membership"
    lost = {"kind": "applied_drop", "operation": name, "times": 1}
    simulated.faults.set(InjectedFault.parse(lost))
    async with Outbound() as outbound:
        core = HttpCore(
            outbound, base_url=simulated.url, token=None, timeout=timedelta(seconds=5)
        )
        with pytest.raises(CoreUnavailable):
            await core.membership(verb, CALL)
        assert await core.membership(verb, CALL) == Confirmed()
    await simulated.stop()

    assert simulated.memberships["t-1"]["verbs"] == [verb]
    assert simulated.check() == []


async def test_the_simulated_book_survives_a_kill_and_tells_of_a_second_grant(tmp_path):
    path = tmp_path / "book.jsonl"
    first = SimulatedCore(book=path)
    await first.start()
    async with Outbound() as outbound:
        core = HttpCore(
            outbound, base_url=first.url, token=None, timeout=timedelta(seconds=5)
        )
        await core.membership(V.GRANT, CALL)
        await core.membership(V.GRANT, replace(CALL, task_id="t-2"))
    await first.stop()

    again = SimulatedCore(book=path)

    assert again.book_of_members.members == {CARD: "t-2"}
    assert again.check() == [
        "membership t-2: granted for a card that is a member already"
    ]
