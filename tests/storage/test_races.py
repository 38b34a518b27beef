"""What happens when several connections want the same rows at once."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from fsm.domain.errors import BrokenInvariant, StaleWrite, StoreUnavailable
from fsm.domain.webhook_events import Arrival, WebhookEventType
from fsm.engine.words import EngineTrigger
from fsm.payout.words import Trigger
from handlers.ports.store import Recorded
from payment_service.storage.database import Database
from payment_service.storage.store import PostgresStore
from tests.storage.builders import (
    LIVE,
    a_cancel,
    a_forced_work,
    a_message,
    a_new_order,
    a_webhook,
    a_work,
)

GRACE = timedelta(seconds=30)
BLOCKED = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


@pytest.fixture
async def stores(database_url):
    """Give five stores with connections of their own, as five replicas have."""
    databases = [Database(database_url, connections_max=2) for _ in range(5)]
    for database in databases:
        await database.open()
    yield [PostgresStore(database) for database in databases]
    for database in databases:
        await database.close()


@pytest.fixture
async def order(postgres):
    new = a_new_order()
    await postgres.store.submit(new)
    return await postgres.store.load(new.order.queue_id)


async def blocked(postgres, count=1):
    """Return once so many statements wait for a lock."""
    async with asyncio.timeout(60):
        # The database tells nobody when a statement begins to wait.
        while (await postgres.database.run(BLOCKED, {}))[0][0] < count:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_of_five_who_record_the_same_step_one_wins(stores, postgres, order):
    works = [
        a_work(order, Trigger.FREEZE_CONFIRMED, messages=[a_message(f"m-{n}")])
        for n in range(5)
    ]

    results = await asyncio.gather(
        *(s.record(w) for s, w in zip(stores, works, strict=True)),
        return_exceptions=True,
    )

    assert sum(isinstance(r, Recorded) for r in results) == 1
    assert sum(isinstance(r, StaleWrite) for r in results) == 4
    assert len(await postgres.trail()) == 5


async def test_five_who_move_rows_of_one_order_never_lock_each_other_up(stores, order):
    works = [
        a_cancel(order),
        a_forced_work(order, queue={}, **LIVE),
        a_work(order, EngineTrigger.CANCEL_REQUESTED, task=2),
        a_work(order, EngineTrigger.CANCEL_REQUESTED, task=1),
        a_cancel(order),
    ]

    results = await asyncio.gather(
        *(s.record(w) for s, w in zip(stores, works, strict=True)),
        return_exceptions=True,
    )

    assert {type(r) for r in results} <= {Recorded, StaleWrite}
    assert sum(isinstance(r, Recorded) for r in results) >= 1


async def test_of_five_who_submit_the_same_order_one_is_accepted(stores, postgres):
    answers = await asyncio.gather(*(s.submit(a_new_order()) for s in stores))

    assert sorted(a.status for a in answers) == ["accepted"] + ["duplicate"] * 4
    assert len(await postgres.orders()) == 1


async def test_of_five_who_want_one_exclusive_key_one_has_it(stores, postgres):
    wanted = [with_key(f"w-{n}", "key") for n in range(5)]

    answers = await asyncio.gather(
        *(s.submit(n) for s, n in zip(stores, wanted, strict=True))
    )

    (order,) = await postgres.orders()
    assert sorted(a.status for a in answers) == ["accepted", *["duplicate"] * 4]
    assert {(a.order_id, a.queue_id) for a in answers} == {
        (order.order_id, order.queue_id)
    }


async def test_who_wants_the_same_keys_in_any_order_waits_for_nobody_for_ever(
    stores, postgres
):
    keys = [f"key-{n}" for n in range(40)]

    answers = await asyncio.gather(
        *(
            store.submit(with_key(f"w-{n}-{key}", key))
            for n, store in enumerate(stores)
            for key in keys[:: 1 if n % 2 else -1]
        )
    )

    assert len(await postgres.orders()) == len(keys)
    assert sum(a.status == "accepted" for a in answers) == len(keys)


def with_key(order_id, key):
    """Return a new order of a flow in which one runs for each key."""
    new = a_new_order(order_id=order_id)
    queue = replace(new.order.queue, exclusive_key=key)
    return replace(new, order=replace(new.order, queue=queue))


async def test_of_five_who_keep_the_same_webhook_one_keeps_it(stores, order):
    webhook = a_webhook(order.queue.tasks[0].task_id)

    kept = await asyncio.gather(*(s.store_webhooks(webhook) for s in stores))

    assert sorted(kept) == [[Arrival.SEEN]] * 4 + [[Arrival.STORED]]


async def test_the_same_events_in_any_order_meet_without_a_deadlock(stores, order):
    task_id = order.queue.tasks[0].task_id
    events = [a_webhook(task_id, f"e-{number}") for number in range(200)]
    orders = [events, events[::-1], events[100:] + events[:100], events, events[::-1]]

    kept = await asyncio.gather(
        *(s.store_webhooks(*told) for s, told in zip(stores, orders, strict=True))
    )

    arrivals = [arrival for each in kept for arrival in each]
    assert arrivals.count(Arrival.STORED) == 200
    assert arrivals.count(Arrival.SEEN) == 800


async def test_of_five_who_say_another_thing_all_are_told_and_one_is_kept(
    stores, order
):
    webhook = a_webhook(order.queue.tasks[0].task_id)
    await stores[0].store_webhooks(webhook)
    other = replace(webhook, type=WebhookEventType.RETURNED)

    kept = await asyncio.gather(*(s.store_webhooks(other) for s in stores))

    assert kept == [[Arrival.DIFFERS]] * 5
    assert len(await stores[0].pending_webhooks(webhook.reference)) == 2


async def test_a_mark_made_while_a_step_is_recorded_is_not_lost(
    postgres, order, database_url
):
    task_id = order.queue.tasks[0].task_id
    async with await psycopg.AsyncConnection.connect(database_url) as other:
        await other.execute(
            "UPDATE order_tasks SET webhook_pending = true WHERE task_id = %s",
            [task_id],
        )
        work = a_work(order, Trigger.FREEZE_CONFIRMED)
        recording = asyncio.create_task(postgres.store.record(work))
        await blocked(postgres)
        await other.commit()

    assert (await recording).webhook_pending == {task_id}


async def test_a_mark_that_waited_for_a_step_finds_it_has_moved_on(
    postgres, order, database_url
):
    task_id = order.queue.tasks[0].task_id
    async with await psycopg.AsyncConnection.connect(database_url) as other:
        await other.execute(
            "UPDATE order_tasks SET version = 2 WHERE task_id = %s", [task_id]
        )
        marking = asyncio.create_task(postgres.store.mark_waiting(task_id, 1))
        await blocked(postgres)
        await other.commit()

    assert not await marking


async def test_a_step_that_waited_for_another_is_stale(postgres, order, database_url):
    task_id = order.queue.tasks[0].task_id
    async with await psycopg.AsyncConnection.connect(database_url) as other:
        await other.execute(
            "UPDATE order_tasks SET version = 2 WHERE task_id = %s", [task_id]
        )
        work = a_work(order, Trigger.FREEZE_CONFIRMED)
        recording = asyncio.create_task(postgres.store.record(work))
        await blocked(postgres)
        await other.commit()

    with pytest.raises(StaleWrite):
        await recording
    assert len(await postgres.trail()) == 4


async def test_a_lock_that_is_held_too_long_is_a_fault(postgres, order, database_url):
    await postgres.database.run("SET lock_timeout = '100ms'", {})
    async with await psycopg.AsyncConnection.connect(database_url) as other:
        await other.execute("LOCK TABLE order_tasks")

        with pytest.raises(StoreUnavailable):
            await postgres.store.record(a_work(order, Trigger.FREEZE_CONFIRMED))


@pytest.mark.usefixtures("order")
async def test_two_sweepers_share_what_is_overdue(postgres, clock, database_url):
    async with await psycopg.AsyncConnection.connect(database_url) as other:
        await other.execute("SELECT FROM order_tasks FOR UPDATE")
        clock.advance(2 * GRACE)
        await postgres.tell_time()

        assert await postgres.sweeps.overdue(grace=GRACE, limit=10) == []
        await other.rollback()

    assert len(await postgres.sweeps.overdue(grace=GRACE, limit=10)) == 1


async def test_text_that_cannot_be_stored_hurts_no_neighbour(postgres):
    one, two = a_new_order(order_id="w-1"), a_new_order(order_id="w-2")
    await asyncio.gather(postgres.store.submit(one), postgres.store.submit(two))
    broken = a_work(one.order, Trigger.FREEZE_CONFIRMED, message="\x00")
    fine = a_work(two.order, Trigger.FREEZE_CONFIRMED)

    results = await asyncio.gather(
        postgres.store.record(broken),
        postgres.store.record(fine),
        return_exceptions=True,
    )

    assert isinstance(results[0], BrokenInvariant)
    assert await postgres.store.load(two.order.queue_id) == fine.order


async def test_a_database_that_is_gone_is_a_fault(postgres, order):
    await postgres.database.close()

    with pytest.raises(StoreUnavailable):
        await postgres.store.record(a_work(order, Trigger.FREEZE_CONFIRMED))
    with pytest.raises(StoreUnavailable):
        await postgres.store.load(order.queue_id)


async def test_connections_that_were_cut_are_made_anew(postgres, order, connection):
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    async with asyncio.timeout(60):
        while True:
            try:
                found = await postgres.store.load(order.queue_id)
                break
            except StoreUnavailable:
                continue

    assert found == order


async def test_what_was_to_be_removed_is_kept_when_the_commit_fails(postgres, order):
    store = postgres.store
    store.remove_soon([1, 2])
    await postgres.database.close()

    with pytest.raises(StoreUnavailable):
        await store.record(a_work(order, Trigger.FREEZE_CONFIRMED))

    assert store.take_removable() == [1, 2]
    assert store.take_removable() == []
