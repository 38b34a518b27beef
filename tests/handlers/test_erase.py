"""An order that is over forgets whose it was; the books hold, a repeat is a repeat."""

import asyncio
from dataclasses import replace

import pytest

from fsm.domain.dead_letters import Reason
from fsm.domain.erasure import ERASED, NOBODY, erasure_of, is_erased
from fsm.domain.errors import NotNow, StaleWrite
from fsm.domain.seals import webhook_is_signed
from fsm.domain.webhook_events import FORWARDED, WebhookEventType, forwarded
from fsm.payout.policy import ProviderPolicy
from handlers.dead_letters import dead_letter
from handlers.erase import erase
from payment_service.playground.memory.core import Hold
from payment_service.playground.memory.providers import ACCEPTS, DECLINES
from payment_service.playground.memory.rows import MemoryRows
from payment_service.playground.memory.world import a_request
from tests.handlers.test_dead_letters import a_delivery
from tests.handlers.test_settling import settle
from tests.handlers.test_wakeups import dies


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
        ports=world.ports,
        operator_store=world.rows.operator_store,
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
    kept = ("order_id", "merchant_id", "money", "content_hash")
    assert [getattr(after, n) for n in kept] == [getattr(before, n) for n in kept]
    assert after.signature.key_id == before.signature.key_id
    assert after.is_as_requested(world.ports.keys)
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
    await world.tell("acme", WebhookEventType.SUCCEEDED, task.task_id)
    await world.rest()

    with pytest.raises(NotNow, match="case"):
        await erased(world)
    (case,) = await world.rows.cases()
    await world.rows.operator_store.close_case(
        case.id, actor="key:ops", reason="paid back", at=world.clock.now()
    )

    assert await erased(world)


async def test_an_open_dead_letter_too_and_a_closed_one_is_emptied(world):
    order = await over(world)
    body = b'{"order_id":"w-1001","merchant_id":"m-1","customer_id":"c-9"}'
    message = a_delivery(body)
    await dead_letter(
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
    await world.rows.operator_store.mark_discarded(
        letter.id, actor="key:ops", reason="done", at=world.clock.now()
    )

    assert await erased(world, order)
    assert await kept_of(world, letter.id) == (b"", {}, "erased")


@pytest.mark.parametrize("deal", ["mark_replayed", "mark_discarded"])
async def test_one_that_comes_after_is_emptied_as_it_is_dealt_with(world, deal):
    order = await over(world)
    assert await erased(world, order)
    await dead_letter(
        a_delivery(b'{"order_id":"w-1001","merchant_id":"m-1","customer_id":"c-9"}'),
        Reason.INVALID,
        "customer c-9 is odd",
        store=world.rows.store,
        clock=world.clock,
        rejected=None,
    )
    await world.work_off()
    (letter,) = await world.rows.letters()
    assert b"c-9" in letter.body

    deal = getattr(world.rows.operator_store, deal)
    assert await deal(letter.id, actor="key:o", reason="x", at=world.clock.now())

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
    await dead_letter(
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
    known = {"reason": "x", "actor": "key:ops", "at": at, "keys": world.ports.keys}
    queue = replace(order.queue, audit_hash=b"\1" * 32)

    with pytest.raises(StaleWrite):
        await world.rows.operator_store.erase(
            erasure_of(order.with_queue(queue), **known)
        )

    assert not is_erased(await world.order())


WORDS = "to Ann Other, 12 Elm Street"


async def told_late(world, kind, task, **said):
    """Have a provider tell more than it should about an order that was erased."""
    webhook = await world.tell("acme", kind, task.task_id, message=WORDS, **said)
    await world.rest()
    return await world.rows.store.find_webhook("acme", webhook.event_id)


async def everything(world):
    return str((await world.rows.trail(), await world.rows.cases()))


async def test_a_late_success_reaches_a_person_and_brings_nothing_back(world):
    world.provider("acme", DECLINES)
    order = await over(world)
    task = await world.task()
    await erased(world)
    world.providers["acme"].pays_after_all(task.task_id, order.money)

    stored = await told_late(
        world, WebhookEventType.SUCCEEDED, task, detail={"order": "Ann's", "type": "x"}
    )

    (case,) = await world.rows.cases()
    assert (case.kind, case.money_at_risk) == ("late_success", 12550)
    assert (stored.webhook.message, stored.webhook.detail) == (None, {})
    assert webhook_is_signed(stored.webhook, world.ports.keys)
    assert "Ann" not in await everything(world)
    assert is_erased(await world.order())


@pytest.mark.parametrize("settles", [False, True])
async def test_a_late_return_can_be_settled_all_the_same(world, settles):
    world.provider("acme", plan=ProviderPolicy(settles_returns=settles))
    await over(world)
    task = await world.task()
    await erased(world)

    await told_late(world, WebhookEventType.RETURNED, task)

    (case,) = await world.rows.cases()
    assert case.kind == "return_after_success"
    if not settles:
        assert await settle(world, case)
        await world.rest()
        (case,) = await world.rows.cases()
    assert case.state == "settled"
    assert world.core.holds[task.task_id] is Hold.RETURNED
    assert "Ann" not in await everything(world)


async def test_a_worker_that_dies_over_it_leaves_no_words_behind(world):
    world.provider("acme", DECLINES)
    order = await over(world)
    task = await world.task()
    await erased(world)
    world.providers["acme"].pays_after_all(task.task_id, order.money)
    world.probe.on_recorded = [dies]

    stored = await told_late(world, WebhookEventType.SUCCEEDED, task)

    assert world.deaths == 1
    assert stored.webhook.message is None
    assert await world.kinds_of_cases() == ["late_success"]


async def test_what_a_forwarder_told_is_still_signed_after_the_erasure(world):
    world.provider("acme", ACCEPTS)
    await world.submit(a_request("acme"))
    await world.work_off()
    task = await world.task()
    world.providers["acme"].pays(task.task_id)
    told = world.providers["acme"].webhook(WebhookEventType.SUCCEEDED, task.task_id)
    webhook = forwarded(replace(told, message=WORDS), "ours")
    await world.webhook(webhook)
    await world.rest()

    await erased(world)

    stored = await world.rows.store.find_webhook("acme", webhook.event_id)
    assert (stored.webhook.message, stored.webhook.detail) == (
        None,
        {FORWARDED: "ours"},
    )
    assert webhook_is_signed(stored.webhook, world.ports.keys)
