"""A payout that a provider has accepted, and what may come of it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from fsm.domain.orders import CascadeEntry
from fsm.domain.webhook_events import WebhookEventType
from fsm.payout.policy import ProviderPolicy
from handlers.ports.provider import NotFound, NotSent, Succeeded, Unclear
from handlers.resolve import Ruling
from payment_service.playground.memory.providers import ACCEPTS
from payment_service.playground.memory.world import a_request

MINUTES = timedelta(minutes=1)


@pytest.fixture
async def accepted(world):
    """The same world after acme has accepted the payout."""
    world.provider("acme", ACCEPTS)
    await world.submit()
    await world.work_off()
    assert (await world.states())[0] == "EXECUTING"
    return world


async def test_a_webhook_that_says_paid_completes_the_order(accepted):
    await accepted.settle_pending("acme", paid=True)

    await accepted.rest()

    assert await accepted.states() == ["SUCCEEDED", "SKIPPED", "SKIPPED", "COMPLETED"]


async def test_a_webhook_that_says_failed_is_followed_by_the_next_provider(accepted):
    await accepted.settle_pending("acme", paid=False)

    await accepted.rest()

    assert await accepted.states() == ["FAILED", "SUCCEEDED", "SKIPPED", "COMPLETED"]
    assert (await accepted.task()).code == "returned_by_bank"


async def test_the_same_webhook_twice_is_stored_once(accepted):
    task = await accepted.task()
    accepted.providers["acme"].pays(task.task_id)
    webhook = accepted.providers["acme"].webhook(
        WebhookEventType.SUCCEEDED, task.task_id
    )

    assert [await accepted.webhook(webhook), await accepted.webhook(webhook)] == [
        True,
        False,
    ]
    await accepted.rest()

    assert (await accepted.states())[-1] == "COMPLETED"


async def test_the_webhooks_wakeup_may_ring_many_times(accepted):
    task = await accepted.task()
    accepted.providers["acme"].pays(task.task_id)
    await accepted.tell("acme", WebhookEventType.SUCCEEDED, task.task_id)
    wakeup = accepted.committed[0].message
    await accepted.rest()

    accepted.bus.deliver_again(wakeup)
    await accepted.rest()

    assert accepted.words()[-1] == "duplicate"


async def test_a_wakeup_of_an_unknown_webhook_is_stale(accepted):
    task = await accepted.task()
    accepted.providers["acme"].pays(task.task_id)
    await accepted.tell("acme", WebhookEventType.SUCCEEDED, task.task_id)
    wakeup = accepted.committed[0].message
    body = wakeup.body.replace(b"acme-event", b"other-event")
    accepted.bus.deliver_again(replace(wakeup, body=body))

    await accepted.rest()

    assert "stale" in accepted.words()


async def test_after_the_sla_the_provider_is_asked(accepted):
    task = await accepted.task()
    await accepted.pass_time(14 * MINUTES)
    accepted.providers["acme"].pays(task.task_id)
    await accepted.rest()

    assert (await accepted.states())[-1] == "COMPLETED"
    asked = [a.call for a in accepted.providers["acme"].asked]
    assert asked == ["create", "status"]


async def test_polling_finds_a_failure(accepted):
    task = await accepted.task()
    await accepted.rest(within=20 * MINUTES)
    accepted.providers["acme"].fails(task.task_id)
    await accepted.rest()

    assert await accepted.states() == ["FAILED", "SUCCEEDED", "SKIPPED", "COMPLETED"]


@pytest.mark.parametrize(
    "answer", [NotFound(), NotSent(because="x"), Unclear(because="x")]
)
async def test_polling_goes_on_after_an_answer_that_proves_nothing(accepted, answer):
    task = await accepted.task()
    accepted.providers["acme"].statuses.extend([answer] * 3)
    await accepted.rest(within=20 * MINUTES)
    accepted.providers["acme"].pays(task.task_id)
    await accepted.rest()

    assert (await accepted.states())[-1] == "COMPLETED"


async def test_polling_to_the_deadline_ends_with_a_person(accepted):
    await accepted.rest()

    assert await accepted.states() == ["MANUAL_CHECK", "PENDING", "PENDING", "ACTIVE"]
    waited = accepted.core.book[0].at + 45 * MINUTES
    assert (await accepted.task()).updated_at == waited


async def test_a_webhook_still_settles_a_manual_check(accepted):
    await accepted.rest()
    await accepted.settle_pending("acme", paid=True)
    await accepted.rest()

    assert (await accepted.states())[-1] == "COMPLETED"


async def test_a_webhook_that_says_failed_settles_a_manual_check(accepted):
    await accepted.rest()
    await accepted.settle_pending("acme", paid=False)
    await accepted.rest()

    assert await accepted.states() == ["FAILED", "SUCCEEDED", "SKIPPED", "COMPLETED"]


async def test_a_provider_may_leave_the_sla_to_a_person(world):
    world.provider("acme", ACCEPTS, plan=ProviderPolicy(polls=False))
    await world.submit()

    await world.rest()

    assert (await world.states())[0] == "MANUAL_CHECK"
    assert [a.call for a in world.providers["acme"].asked] == ["create"]


async def test_an_entry_may_have_a_shorter_sla_than_its_provider(world):
    world.provider("acme", ACCEPTS, plan=ProviderPolicy(polls=False))
    await world.submit(a_request(CascadeEntry(provider="acme", sla="1m")))

    await world.rest()

    assert (await world.task()).updated_at == world.core.book[0].at + MINUTES


async def test_without_an_sla_only_a_webhook_or_a_person_moves_it(world):
    world.provider("acme", ACCEPTS)
    await world.submit(a_request(CascadeEntry(provider="acme", sla="none")))
    await world.rest(within=timedelta(days=20))

    assert (await world.task()).wake_at is None
    await world.settle_pending("acme", paid=True)
    await world.rest()

    assert await world.states() == ["SUCCEEDED", "COMPLETED"]


async def test_accepted_by_webhook_is_known_already(accepted):
    task = await accepted.task()
    await accepted.tell("acme", WebhookEventType.ACCEPTED, task.task_id)
    await accepted.work_off()

    assert (await accepted.task()).version == task.version


async def test_a_webhook_of_an_unknown_type_is_kept_and_ignored(accepted):
    task = await accepted.task()
    webhook = await accepted.tell("acme", WebhookEventType.UNKNOWN, task.task_id)
    await accepted.work_off()

    stored = await accepted.rows.store.find_webhook("acme", webhook.event_id)
    assert stored.state == "ignored"


async def test_another_amount_by_webhook_is_for_a_person(accepted):
    task = await accepted.task()
    await accepted.tell("acme", WebhookEventType.SUCCEEDED, task.task_id, amount=1)

    await accepted.rest()

    assert (await accepted.states())[0] == "MANUAL_CHECK"
    assert await accepted.kinds_of_cases() == ["amount_mismatch"]


async def test_another_currency_by_webhook_is_for_a_person(accepted):
    task = await accepted.task()
    await accepted.tell(
        "acme", WebhookEventType.SUCCEEDED, task.task_id, currency="USD"
    )

    await accepted.rest()

    assert await accepted.kinds_of_cases() == ["amount_mismatch"]


@pytest.mark.parametrize("kind", [WebhookEventType.SUCCEEDED, WebhookEventType.FAILED])
@pytest.mark.parametrize("name", ["amount", "currency"])
async def test_money_that_cannot_be_read_is_for_a_person(accepted, kind, name):
    task = await accepted.task()
    told = {name: None, "detail": {"unreadable": {name: "12,50"}}}
    await accepted.tell("acme", kind, task.task_id, **told)

    await accepted.rest()

    assert (await accepted.states())[0] == "MANUAL_CHECK"
    assert await accepted.kinds_of_cases() == ["amount_mismatch"]


async def test_another_amount_by_status_is_for_a_person(accepted):
    accepted.providers["acme"].statuses.append(Succeeded(reference=None, amount=1))

    await accepted.rest()

    assert (await accepted.states())[0] == "MANUAL_CHECK"
    assert await accepted.kinds_of_cases() == ["amount_mismatch"]


async def test_returned_before_paid_is_for_a_person(accepted):
    task = await accepted.task()
    await accepted.tell("acme", WebhookEventType.RETURNED, task.task_id)

    await accepted.rest()

    assert (await accepted.states())[0] == "MANUAL_CHECK"
    assert await accepted.kinds_of_cases() == ["contradiction"]


async def test_a_webhook_of_another_provider_does_not_move_the_task(accepted):
    task = await accepted.task()
    await accepted.tell("zeta", WebhookEventType.SUCCEEDED, task.task_id)
    await accepted.work_off()

    assert (await accepted.task()).version == task.version
    assert "unmatched" in accepted.words()


async def test_a_webhook_of_nobodys_task_is_buried_after_a_week(accepted):
    nobody = "0195f1de-0000-7000-8000-000000000000"
    await accepted.tell("acme", WebhookEventType.SUCCEEDED, nobody)
    await accepted.rest()
    await accepted.decide(Ruling.NEGATIVE)
    await accepted.rest()

    (letter,) = [x for x in await accepted.rows.letters() if x.task_id == nobody]
    assert letter.reason == "unknown_task"


async def test_a_webhook_with_an_unreadable_reference_hurts_nobody(accepted):
    await accepted.tell("acme", WebhookEventType.SUCCEEDED, "not-a-uuid")
    await accepted.settle_pending("acme", paid=True)
    await accepted.work_off()

    assert (await accepted.states())[-1] == "COMPLETED"
    assert "retry" not in accepted.words()


async def test_a_webhook_for_a_task_that_appears_later_is_applied(world):
    world.provider("acme", ACCEPTS)
    early = world.providers["acme"].webhook(WebhookEventType.SUCCEEDED, "")
    await world.submit()
    task = await world.task()

    await world.webhook(replace(early, reference=task.task_id))
    await world.work_off()
    await world.rest()

    assert (await world.states())[-1] == "COMPLETED"
    world.providers["acme"].pays(task.task_id)
