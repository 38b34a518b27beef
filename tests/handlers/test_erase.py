"""An order that is over forgets whose it was; the books hold, a repeat is a repeat."""

import asyncio
from dataclasses import replace

import pytest

from fsm.domain.erasure import ERASED, NOBODY, erasure_of, is_erased
from fsm.domain.errors import NotNow, StaleWrite
from fsm.domain.letters import Reason
from fsm.domain.news import NewsType
from handlers.erase import erase
from handlers.letters import bury
from tests.handlers.test_letters import a_delivery
from tests.twins.providers import ACCEPTS, DECLINES
from tests.twins.rows import MemoryRows
from tests.twins.world import a_request


async def over(world, **changes):
    """Submit an order and let it come to its end."""
    await world.submit(replace(a_request("acme"), **changes))
    await world.rest()
    return await world.order()


async def erased(world, order=None):
    return await erase(
        order or await world.order(),
        reason="he asked for it",
        actor="key:ops",
        engine=world.engine,
        desk=world.rows.desk,
    )


async def lines(world):
    return [line for line in await world.rows.trail() if line.trigger == ERASED]


async def test_nothing_personal_is_left_and_who_did_it_stands_in_the_trail(world):
    before = await over(world)

    assert await erased(world)

    after = await world.order()
    assert is_erased(after)
    assert (after.customer_id, after.destination, after.metadata) == (NOBODY, {}, {})
    assert after.queue.version == before.queue.version + 1
    kept = ("order_id", "merchant_id", "money", "content_hash", "signature")
    assert [getattr(after, n) for n in kept] == [getattr(before, n) for n in kept]
    (line,) = await lines(world)
    assert (line.actor, line.detail) == ("key:ops", {"reason": "he asked for it"})
    assert (line.source, line.target) == ("COMPLETED", "COMPLETED")


async def test_a_repeat_is_still_one_and_another_content_still_conflicts(world):
    await over(world)
    await erased(world)

    same = await world.submit(a_request("acme"))
    other = await world.submit(replace(a_request("acme"), content=b"{}"))

    assert (same.status, other.status) == ("duplicate", "conflict")
    assert is_erased(await world.order())


async def test_the_second_time_changes_nothing(world):
    before = await over(world)
    await erased(world)

    assert not await erased(world)
    # Who has still seen it as it was comes to the same end.
    assert not await erased(world, before)

    assert len(await lines(world)) == 1


async def test_two_at_once_do_it_once(world):
    order = await over(world)

    done = await asyncio.gather(erased(world, order), erased(world, order))

    assert sorted(done) == [False, True]
    assert len(await lines(world)) == 1


async def test_a_repeat_at_the_same_moment_is_one(world):
    order = await over(world)

    _, *repeats = await asyncio.gather(
        erased(world, order), *(world.submit(a_request("acme")) for _ in range(5))
    )

    assert {each.status for each in repeats} == {"duplicate"}


async def test_what_is_under_way_is_refused_and_loses_nothing(world):
    world.provider("acme", ACCEPTS)
    await world.submit(a_request("acme"))
    await world.work_off()

    with pytest.raises(NotNow, match="is ACTIVE"):
        await erased(world)

    assert not is_erased(await world.order())
    assert await lines(world) == []


async def test_an_open_case_is_looked_at_first(world):
    world.provider("acme", DECLINES)
    order = await over(world)
    task = await world.task()
    world.providers["acme"].pays_after_all(task.task_id, order.money)
    await world.tell("acme", NewsType.SUCCEEDED, task.task_id)
    await world.rest()

    with pytest.raises(NotNow, match="case"):
        await erased(world)
    (case,) = await world.rows.cases()
    await world.rows.desk.close_case(
        case.id, actor="key:ops", reason="paid back", at=world.clock.now()
    )

    assert await erased(world)


async def test_an_open_dead_letter_too_and_a_closed_one_is_emptied(world):
    order = await over(world)
    body = b'{"order_id":"w-1001","merchant_id":"m-1","customer_id":"c-9"}'
    message = a_delivery(body)
    await bury(
        message,
        Reason.INVALID,
        "customer c-9 is odd",
        store=world.rows.store,
        clock=world.clock,
        rejected=None,
    )
    await world.work_off()
    (letter,) = await world.rows.letters()

    with pytest.raises(NotNow, match="dead letter"):
        await erased(world, order)
    await world.rows.desk.mark_discarded(
        letter.id, actor="key:ops", reason="done", at=world.clock.now()
    )

    assert await erased(world, order)
    assert await kept_of(world, letter.id) == (b"", {}, "erased")


async def kept_of(world, letter_id):
    """Return what is left of a dead letter that somebody has dealt with."""
    if isinstance(world.rows, MemoryRows):
        letter = world.rows.memory.tables.letters[letter_id].letter
        return letter.body, letter.headers, letter.error
    asked = "SELECT body, headers, error FROM dead_letters WHERE id = %(id)s"
    ((body, *rest),) = await world.rows.database.run(asked, {"id": letter_id})
    return bytes(body), *rest


async def test_another_merchants_letter_about_his_own_order_stays(world):
    order = await over(world)
    body = b'{"order_id":"w-1001","merchant_id":"m-2"}'
    message = a_delivery(body)
    await bury(
        message,
        Reason.INVALID,
        "odd",
        store=world.rows.store,
        clock=world.clock,
        rejected=None,
    )
    await world.work_off()

    assert await erased(world, order)
    (letter,) = await world.rows.letters()
    assert letter.body == body


async def test_it_is_decided_on_the_row_as_it_is(world):
    order = await over(world)
    at = world.clock.now()
    known = {"reason": "x", "actor": "key:ops", "at": at, "keys": world.engine.keys}
    queue = replace(order.queue, audit_hash=b"\1" * 32)

    with pytest.raises(StaleWrite):
        await world.rows.desk.erase(erasure_of(order.with_queue(queue), **known))

    assert not is_erased(await world.order())
