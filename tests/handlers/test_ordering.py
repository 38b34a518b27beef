"""Webhooks in the provider's own order, and a second name for one attempt."""

from dataclasses import replace
from datetime import timedelta

import pytest

from fsm.domain.webhook_events import WebhookEventState, WebhookEventType
from payment_service.playground.memory.providers import ACCEPTS
from payment_service.playground.memory.world import a_request

ACCEPTED, PAID = WebhookEventType.ACCEPTED, WebhookEventType.SUCCEEDED
FAILED, RETURNED = WebhookEventType.FAILED, WebhookEventType.RETURNED
SOON = timedelta(seconds=1)


@pytest.fixture
async def accepted(world):
    """The same world with a payout that the provider has accepted."""
    world.provider("acme", ACCEPTS)
    await world.submit(a_request("acme"))
    await world.work_off()
    return world


async def tell(world, kind, sequence, **said):
    task_id = (await world.task()).task_id
    webhook = await world.tell("acme", kind, task_id, sequence=sequence, **said)
    await world.work_off()
    return webhook


async def state_of(world, webhook):
    stored = await world.rows.store.find_webhook(webhook.provider, webhook.event_id)
    return stored.state


async def paid(world):
    world.providers["acme"].pays((await world.task()).task_id)


async def test_an_old_accepted_after_paid_is_stale(accepted):
    await paid(accepted)
    await tell(accepted, PAID, 2)
    old = await tell(accepted, ACCEPTED, 1)

    assert await state_of(accepted, old) is WebhookEventState.KNOWN
    assert await accepted.kinds_of_cases() == []
    assert await accepted.states() == ["SUCCEEDED", "COMPLETED"]


async def test_an_old_failure_after_paid_contradicts(accepted):
    await paid(accepted)
    await tell(accepted, PAID, 2)
    await tell(accepted, FAILED, 1)

    assert await accepted.kinds_of_cases() == ["contradiction"]
    assert await accepted.states() == ["SUCCEEDED", "COMPLETED"]


async def test_an_old_failure_moves_nothing_over_a_newer_accepted(accepted):
    newer = await tell(accepted, ACCEPTED, 2)
    assert await state_of(accepted, newer) is WebhookEventState.KNOWN

    await tell(accepted, FAILED, 1)

    assert (await accepted.states())[0] == "EXECUTING"
    assert await accepted.kinds_of_cases() == ["contradiction"]


async def test_an_old_success_moves_nothing_over_a_newer_return(accepted):
    await paid(accepted)
    await tell(accepted, RETURNED, 3)
    assert (await accepted.states())[0] == "MANUAL_CHECK"

    await tell(accepted, PAID, 2)

    assert (await accepted.states())[0] == "MANUAL_CHECK"
    assert await accepted.kinds_of_cases() == ["contradiction"] * 2


async def test_what_comes_in_order_is_applied(accepted):
    await tell(accepted, ACCEPTED, 1)
    await paid(accepted)
    await tell(accepted, PAID, 2)

    assert await accepted.states() == ["SUCCEEDED", "COMPLETED"]


async def test_without_an_order_the_first_stands(accepted):
    await paid(accepted)
    await tell(accepted, PAID, None)
    await tell(accepted, FAILED, None)

    assert await accepted.kinds_of_cases() == ["contradiction"]


async def test_what_waits_together_is_applied_in_order(world):
    """The order in which they came is not the one in which they were made."""
    world.provider("acme", ACCEPTS)
    await world.submit(a_request("acme"))
    task = await world.task()
    provider = world.providers["acme"]
    for kind, sequence in ((RETURNED, 2), (PAID, 1)):
        await world.webhook(
            replace(provider.webhook(kind, task.task_id), sequence=sequence)
        )
    await world.work_off()

    triggers = [x.trigger for x in await world.rows.trail() if "provider." in x.trigger]
    assert triggers[-2:] == ["provider.paid", "provider.returned"]
    provider.pays(task.task_id)


async def test_a_second_name_never_takes_the_place_of_the_first(accepted):
    first = (await accepted.task()).provider_reference
    await paid(accepted)
    await tell(accepted, PAID, None, provider_reference="po_other")

    task = await accepted.task()
    assert (task.provider_reference, task.state) == (first, "SUCCEEDED")
    (case,) = await accepted.rows.cases()
    assert case.kind == "reference_mismatch"
    assert case.detail["provider_reference"] == first
    assert case.detail["other_reference"] == "po_other"


async def test_the_no_of_another_payout_is_no_proof(accepted):
    await tell(accepted, FAILED, None, provider_reference="po_other")

    assert (await accepted.states())[0] == "MANUAL_CHECK"
    assert await accepted.kinds_of_cases() == ["reference_mismatch"]
    await paid(accepted)
    await tell(accepted, PAID, None)
    assert (await accepted.states())[0] == "SUCCEEDED"


async def test_a_second_name_after_the_end_is_a_case_too(accepted):
    await paid(accepted)
    await tell(accepted, PAID, None)
    await tell(accepted, PAID, None, provider_reference="po_other")

    assert await accepted.kinds_of_cases() == ["reference_mismatch"]


async def test_told_again_and_again_it_is_one_open_case(accepted):
    for number in range(3):
        await tell(accepted, ACCEPTED, None, provider_reference=f"po_{number}")

    assert await accepted.kinds_of_cases() == ["reference_mismatch"]
    await paid(accepted)
    await tell(accepted, PAID, None)


async def test_the_difference_is_what_another_amount_may_cost(accepted):
    await tell(accepted, PAID, None, amount=12000)

    (case,) = await accepted.rows.cases()
    assert (case.kind, case.money_at_risk) == ("amount_mismatch", 550)
    await paid(accepted)
    await tell(accepted, PAID, None)
