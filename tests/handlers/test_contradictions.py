"""News that contradicts what is proven: a case for a person, and nothing changes."""

from dataclasses import replace
from datetime import timedelta

import pytest

from fsm.domain.webhook_events import WebhookEventState, WebhookEventType
from handlers.ports.provider import Returned
from payment_service.playground.memory.core import NOTIFY, CoreTrouble
from payment_service.playground.memory.providers import (
    ACCEPTS,
    ACCEPTS_SILENTLY,
    DECLINES,
)
from payment_service.playground.memory.world import a_request


async def the_end(world, *providers):
    """Submit, rest, and return the first task as it is then."""
    await world.submit(a_request(*providers))
    await world.rest()
    return await world.task()


async def test_late_success_of_a_declined_attempt_is_a_case(world):
    world.provider("acme", DECLINES)
    task = await the_end(world)
    before = await world.states()

    world.providers["acme"].pays_after_all(task.task_id, (await world.order()).money)
    await world.tell("acme", WebhookEventType.SUCCEEDED, task.task_id)
    await world.rest()

    assert await world.kinds_of_cases() == ["late_success"]
    assert await world.states() == before


async def test_late_success_of_a_cancelled_attempt_is_a_case(world):
    world.provider("acme", ACCEPTS)
    await world.submit(a_request("acme"))
    await world.work_off()
    await world.cancel_order()
    await world.rest()
    task = await world.task()

    world.providers["acme"].pays_after_all(task.task_id, (await world.order()).money)
    await world.tell("acme", WebhookEventType.SUCCEEDED, task.task_id)
    await world.rest()

    assert await world.kinds_of_cases() == ["late_success"]
    assert await world.states() == ["CANCELLED", "CANCELLED"]


async def test_money_that_is_returned_after_success_is_a_case(world):
    task = await the_end(world)

    await world.tell("acme", WebhookEventType.RETURNED, task.task_id)
    await world.rest()

    assert await world.kinds_of_cases() == ["return_after_success"]
    assert (await world.states())[0] == "SUCCEEDED"


async def test_failed_after_success_is_a_contradiction(world):
    task = await the_end(world)

    await world.tell("acme", WebhookEventType.FAILED, task.task_id)
    await world.rest()

    assert await world.kinds_of_cases() == ["contradiction"]
    assert (await world.states())[-1] == "COMPLETED"


async def test_another_amount_after_the_end_is_a_mismatch(world):
    task = await the_end(world)

    await world.tell("acme", WebhookEventType.SUCCEEDED, task.task_id, amount=1)
    await world.rest()

    assert await world.kinds_of_cases() == ["amount_mismatch"]


@pytest.mark.parametrize(
    ("kind", "script"),
    [(WebhookEventType.SUCCEEDED, None), (WebhookEventType.FAILED, DECLINES)],
)
async def test_webhook_that_agrees_with_the_end_is_known(world, kind, script):
    if script:
        world.provider("acme", script)
    task = await the_end(world, "acme")

    await world.tell("acme", kind, task.task_id)
    await world.rest()

    assert await world.kinds_of_cases() == []
    assert (await world.task()).version == task.version


async def test_success_while_the_rollback_is_due_is_a_contradiction(world):
    world.provider("acme", DECLINES)
    world.core.fails("rollback", CoreTrouble.DOWN, times=3)
    await world.submit()
    await world.work_off()
    task = await world.task()
    assert task.state == "NEGATIVE_EVAL"

    world.providers["acme"].pays_after_all(task.task_id, (await world.order()).money)
    await world.tell("acme", WebhookEventType.SUCCEEDED, task.task_id)
    await world.rest()

    assert await world.kinds_of_cases() == ["contradiction"]
    assert (await world.states())[0] == "SKIPPED"


async def test_failure_while_the_commit_is_due_is_a_contradiction(world):
    world.core.fails("commit", CoreTrouble.DOWN, times=3)
    await world.submit()
    await world.work_off()
    task = await world.task()

    await world.tell("acme", WebhookEventType.FAILED, task.task_id)
    await world.rest()

    assert await world.kinds_of_cases() == ["contradiction"]
    assert (await world.states())[-1] == "COMPLETED"


async def test_what_is_said_again_under_other_ids_opens_one_case(world):
    task = await the_end(world)
    for _ in range(3):
        webhook = await world.tell("acme", WebhookEventType.RETURNED, task.task_id)
        assert not await world.webhook(webhook)
    await world.rest()

    assert await world.kinds_of_cases() == ["return_after_success"]


async def test_what_is_said_again_is_known_and_leaves_no_trace_in_the_trail(world):
    task = await the_end(world)
    first, *others = [
        await world.tell("acme", WebhookEventType.RETURNED, task.task_id)
        for _ in range(3)
    ]
    await world.rest()

    assert await state_of(world, first) is WebhookEventState.APPLIED
    assert {await state_of(world, each) for each in others} == {WebhookEventState.KNOWN}
    assert (await world.task()).version == task.version + 1


async def state_of(world, webhook):
    stored = await world.rows.store.find_webhook(webhook.provider, webhook.event_id)
    return stored.state


async def test_another_statement_opens_another_case(world):
    task = await the_end(world)
    for code in ("account_closed", "account_closed", "recalled"):
        await world.tell("acme", WebhookEventType.RETURNED, task.task_id, code=code)
        await world.rest()

    assert await world.kinds_of_cases() == ["return_after_success"] * 2


async def test_core_is_told_the_same_whatever_comes_in_between(world):
    for name in ("acme", "zeta"):
        world.provider(name, replace(DECLINES, code=f"{name}_says_no"))
    world.core.fails(NOTIFY, CoreTrouble.APPLIED, times=1)
    await world.submit(a_request("acme", "zeta"))
    await world.work_off()
    task = await world.task()

    await world.pass_time(timedelta(milliseconds=1))
    await world.tell("acme", WebhookEventType.SUCCEEDED, task.task_id)
    await world.rest()

    first, second = (notice.body for notice in world.core.notices)
    # What is judged here once is not judged again at the end.
    del world.core.notices[1]
    assert first == second


@pytest.mark.parametrize("lost", [ACCEPTS, ACCEPTS_SILENTLY])
async def test_a_status_that_says_returned_leads_where_a_webhook_does(world, lost):
    acme = world.provider("acme", lost)
    acme.statuses.append(Returned(reference=None, message="sent back"))
    await the_end(world, "acme")

    assert await world.states() == ["MANUAL_CHECK", "ACTIVE"]
    assert await world.kinds_of_cases() == ["contradiction"]
    assert acme.statuses == []


async def test_a_return_of_another_amount_by_status_is_a_mismatch(world):
    acme = world.provider("acme", ACCEPTS)
    acme.statuses.append(Returned(reference=None, amount=1))
    await the_end(world, "acme")

    assert await world.states() == ["MANUAL_CHECK", "ACTIVE"]
    assert await world.kinds_of_cases() == ["amount_mismatch"]
