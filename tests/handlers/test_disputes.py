"""Two bodies under one event's id: the first counts, the second may open a case."""

from dataclasses import replace
from datetime import timedelta

import pytest

from fsm.domain.webhook_events import WebhookEventState, WebhookEventType, disputing
from fsm.payout.policy import ProviderPolicy
from payment_service.playground.memory.core import CoreTrouble
from payment_service.playground.memory.providers import ACCEPTS, DECLINES
from payment_service.playground.memory.world import a_request

SAYS_ANOTHER_REFERENCE = {"provider_reference": "po_of_another"}


@pytest.fixture
async def paid(world):
    """Return an order that was paid, with the webhook that said so."""
    world.provider("acme", ACCEPTS)
    await world.submit(a_request("acme"))
    await world.work_off()
    task = await world.task()
    world.providers["acme"].pays(task.task_id)
    webhook = await world.tell("acme", WebhookEventType.SUCCEEDED, task.task_id)
    await world.rest()
    assert await world.states() == ["SUCCEEDED", "COMPLETED"]
    return webhook


@pytest.fixture
async def heard_of(world):
    """Return a first, unknown word about a payout that is under way."""
    world.provider("acme", ACCEPTS)
    await world.submit(a_request("acme"))
    await world.work_off()
    task = await world.task()
    return await world.tell("acme", WebhookEventType.UNKNOWN, task.task_id)


async def said_under_the_same_id(world, first, **changes):
    second = replace(first, content_hash=b"another", **changes)
    assert not await world.webhook(second)
    await world.rest()
    return await world.rows.store.find_webhook(
        "acme", disputing(first, second).event_id
    )


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"type": WebhookEventType.RETURNED}, "return_after_success"),
        ({"type": WebhookEventType.FAILED}, "contradiction"),
        ({"amount": 1}, "amount_mismatch"),
        (SAYS_ANOTHER_REFERENCE, "reference_mismatch"),
    ],
)
async def test_what_contradicts_the_end_is_a_case_and_moves_nothing(
    world, paid, changes, kind
):
    stored = await said_under_the_same_id(world, paid, **changes)

    assert await world.kinds_of_cases() == [kind]
    assert await world.states() == ["SUCCEEDED", "COMPLETED"]
    (case,) = await world.rows.cases()
    assert case.detail["evidence"]["seen_as"] == paid.event_id
    assert stored.state is WebhookEventState.IGNORED


@pytest.mark.parametrize(
    "changes", [{"type": WebhookEventType.ACCEPTED}, {"code": "any"}]
)
async def test_what_agrees_with_the_end_is_no_case(world, paid, changes):
    version = (await world.task()).version

    stored = await said_under_the_same_id(world, paid, **changes)

    assert await world.kinds_of_cases() == []
    assert (await world.task()).version == version
    assert stored.state is WebhookEventState.IGNORED


async def test_a_return_under_a_known_id_settles_nothing_whatever_the_policy(world):
    plan = ProviderPolicy(settles_returns=True, finality=timedelta(days=30))
    world.provider("acme", ACCEPTS, plan=plan)
    await world.submit(a_request("acme"))
    await world.work_off()
    task = await world.task()
    world.providers["acme"].pays(task.task_id)
    webhook = await world.tell("acme", WebhookEventType.SUCCEEDED, task.task_id)
    await world.rest()

    await said_under_the_same_id(world, webhook, type=WebhookEventType.RETURNED)

    assert await world.kinds_of_cases() == ["return_after_success"]
    assert "return" not in {entry.operation for entry in world.core.book}


async def test_it_opens_one_case_however_often_it_is_sent(world, paid):
    for _ in range(3):
        await said_under_the_same_id(world, paid, type=WebhookEventType.RETURNED)

    assert await world.kinds_of_cases() == ["return_after_success"]


async def test_a_second_word_of_a_payout_under_way_is_a_case_and_not_applied(
    world, heard_of
):
    await world.work_off()

    await world.webhook(replace(heard_of, type=WebhookEventType.SUCCEEDED))
    await world.work_off()

    assert await world.kinds_of_cases() == ["contradiction"]
    assert (await world.states())[0] == "EXECUTING"


async def test_the_same_under_an_id_of_its_own_counts_in_spite_of_the_case(
    world, heard_of
):
    second = replace(heard_of, type=WebhookEventType.SUCCEEDED, content_hash=b"paid")
    await world.webhook(second)
    await world.work_off()
    world.providers["acme"].pays((await world.task()).task_id)

    await world.webhook(replace(second, event_id="its own"))
    await world.rest()

    assert await world.states() == ["SUCCEEDED", "COMPLETED"]


async def test_it_waits_with_the_first_until_the_create_has_answered(world):
    world.core.fails("freeze", CoreTrouble.DOWN, times=1)
    await world.submit(a_request("acme"))
    task = await world.task()
    first = world.providers["acme"].webhook(WebhookEventType.SUCCEEDED, task.task_id)
    await world.webhook(first)
    await world.webhook(
        replace(first, type=WebhookEventType.FAILED, content_hash=b"no")
    )
    await world.rest()

    assert await world.kinds_of_cases() == ["contradiction"]
    assert await world.states() == ["SUCCEEDED", "COMPLETED"]


async def test_a_late_success_under_a_known_id_is_a_case(world):
    world.provider("acme", DECLINES)
    await world.submit(a_request("acme"))
    await world.rest()
    task = await world.task()
    first = await world.tell("acme", WebhookEventType.FAILED, task.task_id)
    await world.rest()
    world.providers["acme"].pays_after_all(task.task_id, (await world.order()).money)

    await said_under_the_same_id(world, first, type=WebhookEventType.SUCCEEDED)

    assert await world.kinds_of_cases() == ["late_success"]
