"""One odd row, forged or another version's, takes nothing of ours with it."""

from datetime import timedelta

import psycopg
import pytest

from fsm.domain.webhook_events import Arrival, WebhookEventType
from fsm.payout.words import Trigger
from payment_service.cli.doctor import parked
from payment_service.cli.doctor.findings import Area
from payment_service.storage.gauges import standing
from tests.storage.builders import a_message, a_new_order, a_webhook, a_work

EVERYTHING = timedelta(seconds=-1)


async def test_a_request_in_a_bundle_takes_no_neighbour_with_it(postgres):
    new = a_new_order()
    await postgres.store.submit(new)
    evil = a_message("evil", subject="withdrawal.requested")
    told = [a_message("m-1"), evil, a_message("m-3")]
    work = a_work(new.order, Trigger.FREEZE_CONFIRMED, messages=told)
    await postgres.store.record(work)

    looks = [
        await postgres.sweeps.unsent(older_than=EVERYTHING, limit=100) for _ in range(2)
    ]

    names = [{row.message.message_id for row in look} for look in looks]
    assert {"m-1", "m-3"} <= names[1]
    assert not any("evil" in each for each in names)


def of_another_version(database_url, *event_ids):
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE webhook_inbox DISABLE TRIGGER USER")
        connection.execute(
            "UPDATE webhook_inbox SET type = 'tomorrow' WHERE event_id = ANY(%s)",
            [[*event_ids]],
        )


async def test_its_own_order_reads_past_a_webhook_of_another_version(
    postgres, database_url
):
    new, store = a_new_order(), postgres.store
    await store.submit(new)
    task_id = new.order.queue.tasks[0].task_id
    for number in range(3):
        await store.store_webhooks(a_webhook(task_id, f"e-{number}"))
    of_another_version(database_url, "e-1")

    found = await store.pending_webhooks(task_id)

    assert [each.webhook.event_id for each in found] == ["e-0", "e-2"]
    assert await store.find_webhook("acme", "e-1") is None
    said = a_webhook(task_id, "e-1", type=WebhookEventType.UNKNOWN)
    assert await store.store_webhooks(said) == [Arrival.SEEN]
    assert (await standing(postgres.database)).parked == [("webhook", 1)]
    (finding,) = await parked.check(Area("work"), postgres.database)
    assert "1 webhooks, as acme e-1, wait for a version that knows webhook" in str(
        finding
    )


async def test_many_webhooks_of_another_version_hide_none_of_ours(
    postgres, database_url
):
    new, store = a_new_order(), postgres.store
    await store.submit(new)
    task_id = new.order.queue.tasks[0].task_id
    odd = [f"odd-{number}" for number in range(120)]
    await store.store_webhooks(*(a_webhook(task_id, each) for each in odd))
    of_another_version(database_url, *odd)
    await store.store_webhooks(a_webhook(task_id, "ours"))

    found = await store.pending_webhooks(task_id)

    assert [each.webhook.event_id for each in found] == ["ours"]
    assert (await standing(postgres.database)).parked == [("webhook", 120)]


@pytest.mark.parametrize("there", [True, False], ids=["overdue", "expired"])
async def test_a_webhook_of_a_type_of_another_version_stops_no_other(
    postgres, database_url, clock, there
):
    new = a_new_order()
    if there:
        await postgres.store.submit(new)
    task_id = new.order.queue.tasks[0].task_id
    for number in range(3):
        await postgres.store.store_webhooks(a_webhook(task_id, f"e-{number}"))
    of_another_version(database_url, "e-1")
    week = timedelta(days=7)
    clock.advance(2 * week)
    await postgres.tell_time()

    if there:
        found = await postgres.sweeps.overdue_webhooks(grace=week, limit=10)
    else:
        found = await postgres.sweeps.expired_webhooks(after=week, limit=10)

    assert [each.webhook.event_id for each in found] == ["e-0", "e-2"]
