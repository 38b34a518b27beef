"""What every store promises, in memory as in PostgreSQL."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from fsm.domain.audit import GENESIS, hash_of
from fsm.domain.audit_keys import UNKEYED
from fsm.domain.errors import BrokenInvariant, StaleWrite, WebhookSettled
from fsm.domain.webhook_events import (
    Arrival,
    WebhookEventState,
    WebhookEventType,
    disputing,
)
from fsm.engine.steps import Step
from fsm.engine.words import CaseKind, EngineTrigger, EngineWait, Kind, State, Verdict
from fsm.payout.words import Trigger, Waiting
from handlers.work import work_of
from payment_service.playground.memory.clock import START
from tests.storage.builders import (
    FAILED,
    LATER,
    LIVE,
    SUCCEEDED,
    a_cancel,
    a_case,
    a_forced_work,
    a_letter,
    a_message,
    a_new_order,
    a_webhook,
    a_work,
)
from tests.world import oracle

NEW, SEEN, DIFFERS = Arrival.STORED, Arrival.SEEN, Arrival.DIFFERS
NOBODY = "0195f1de-0000-7000-8000-000000000000"
GRACE = timedelta(seconds=30)
EVERYTHING = timedelta(microseconds=-1)
A_TIMER = a_message(
    "t-1", at=START + LATER, schedule="order.timer.x.1", queue_id=NOBODY
)


@pytest.fixture
async def order(store):
    """Return a stored order of three providers."""
    new = a_new_order()
    await store.submit(new)
    return await store.load(new.order.queue_id)


async def later(rows, clock, by=LATER):
    clock.advance(by)
    await rows.tell_time()


async def unsent(rows):
    left = await rows.sweeps.unsent(older_than=EVERYTHING, limit=100)
    return sorted(map(id_of, left))


def id_of(row):
    return row.message.message_id


async def untouched(rows, order):
    """True where nothing at all was written about an order since it was loaded."""
    same = await rows.store.load(order.queue_id) == order
    return same and len(await rows.trail()) == 4 and await rows.cases() == []


async def test_an_order_comes_back_as_it_was_submitted(store):
    new = a_new_order()

    await store.submit(new)

    assert await store.load(new.order.queue_id) == new.order


async def test_what_is_not_there_is_none(store):
    assert await store.load(NOBODY) is None
    assert await store.queue_of(NOBODY) is None
    assert await store.find_webhook("acme", "e-1") is None


@pytest.mark.parametrize(
    "text", ["", "w-1", "0195F1DE-0000-7000-8000-000000000000", "x\x00"]
)
async def test_what_is_no_id_is_none_and_hurts_no_neighbour(store, order, text):
    found = await asyncio.gather(
        store.load(text), store.queue_of(text), store.load(order.queue_id)
    )

    assert list(found) == [None, None, order]


async def test_the_queue_of_an_order_is_found_by_its_merchants_name_for_it(
    store, order
):
    named = order.merchant_id, Kind.WITHDRAWAL, order.order_id

    assert await store.queue_of_order(*named) == order.queue_id
    assert await store.queue_of_order("m-other", *named[1:]) is None
    assert await store.queue_of_order(*named[:2], "w-other") is None


async def test_the_queue_of_a_task_is_found(store, order):
    assert await store.queue_of(order.queue.tasks[2].task_id) == order.queue_id


async def test_a_repeat_with_the_same_content_is_a_duplicate(store, order):
    again = await store.submit(a_new_order())

    assert (again.status, again.queue_id) == ("duplicate", order.queue_id)


async def test_a_repeat_with_another_content_is_a_conflict(store, order):
    again = await store.submit(a_new_order(amount=1))

    assert (again.status, again.queue_id) == ("conflict", None)
    assert (await store.load(order.queue_id)).money == order.money


async def test_twins_submitted_together_are_one_order(rows, store):
    answers = await asyncio.gather(*(store.submit(a_new_order()) for _ in range(5)))

    assert sorted(a.status for a in answers) == ["accepted"] + ["duplicate"] * 4
    assert len({a.queue_id for a in answers}) == 1
    assert len(await rows.orders()) == 1


async def test_two_contents_submitted_together_are_one_order_and_a_conflict(store):
    answers = await asyncio.gather(
        store.submit(a_new_order(amount=1)), store.submit(a_new_order(amount=2))
    )

    assert sorted(a.status for a in answers) == ["accepted", "conflict"]


async def test_many_orders_submitted_together_are_all_accepted(rows, store):
    every = [a_new_order(order_id=f"w-{n}") for n in range(300)]

    answers = await asyncio.gather(*map(store.submit, every))

    assert {a.status for a in answers} == {"accepted"}
    assert len(await rows.orders()) == 300


async def test_a_duplicate_posts_nothing(rows, store, order):
    await store.submit(a_new_order(messages=[a_message("second")]))

    assert await unsent(rows) == [order.queue_id]


async def test_a_step_moves_task_trail_and_outbox_together(rows, store, order):
    work = a_work(order, Trigger.FREEZE_CONFIRMED, messages=[a_message("told")])

    await store.record(work)

    assert await store.load(order.queue_id) == work.order
    assert len(await rows.trail()) == 5
    assert "told" in await unsent(rows)


async def test_a_step_over_all_tasks_and_the_order_moves_them_together(store, order):
    work = a_cancel(order)

    await store.record(work)

    found = await store.load(order.queue_id)
    assert found == work.order
    assert [task.version for task in found.queue.tasks] == [2, 2, 2]
    assert found.queue.version == 2


async def test_a_step_on_an_older_version_is_stale_and_leaves_nothing(
    rows, store, order
):
    work = a_work(order, Trigger.FREEZE_CONFIRMED)
    await store.record(work)
    before, trail = await unsent(rows), await rows.trail()

    with pytest.raises(StaleWrite):
        await store.record(replace(work, messages=(a_message("never"),)))

    assert await store.load(order.queue_id) == work.order
    assert (await unsent(rows), await rows.trail()) == (before, trail)


@pytest.mark.parametrize("behind", [0, 1, 2])
async def test_a_step_with_one_stale_row_of_many_leaves_nothing(store, order, behind):
    cancel = a_cancel(order)
    moved = a_work(order, EngineTrigger.CANCEL_REQUESTED, task=behind)
    await store.record(moved)

    with pytest.raises(StaleWrite):
        await store.record(cancel)

    assert await store.load(order.queue_id) == moved.order


async def test_whose_turn_ends_makes_way_for_whose_turn_begins(store, order):
    for task, columns in ((0, FAILED), (1, LIVE)):
        await store.record(a_forced_work(order, task=task, **columns))
        order = await store.load(order.queue_id)
    # In a flow whose tasks begin otherwise than PENDING, and led by neither of both.
    ends, starts, remark = (
        work.step.changes[0]
        for work in (
            a_forced_work(order, task=1, **FAILED),
            a_forced_work(order, task=2, **LIVE),
            a_forced_work(order, task=0, code="x"),
        )
    )
    changes = (ends, starts, remark)
    after = order.queue.with_tasks({c.after.task_id: c.after for c in changes})
    step = Step(changes=changes, queue=None, announcements=(), cases=(), after=after)

    await store.record(work_of(order, step, START, webhooks={}))

    moved = await store.load(order.queue_id)
    assert [t.state for t in moved.queue.tasks] == ["FAILED", "FAILED", "EXECUTING"]


async def test_a_step_whose_order_moved_leaves_nothing(store, order):
    moved = a_forced_work(order, queue={}, **LIVE)
    await store.record(moved)
    stale = a_forced_work(order, task=1, queue={}, **FAILED)

    with pytest.raises(StaleWrite):
        await store.record(stale)

    assert await store.load(order.queue_id) == moved.order


async def test_a_step_of_no_order_is_stale(store):
    with pytest.raises(StaleWrite):
        await store.record(a_work(a_new_order().order, Trigger.FREEZE_CONFIRMED))


async def test_steps_recorded_together_fail_alone(rows, store):
    every = [a_new_order(order_id=f"w-{n}") for n in range(6)]
    await asyncio.gather(*map(store.submit, every))
    works = [a_work(new.order, Trigger.FREEZE_CONFIRMED) for new in every]
    await store.record(works[0])
    works[1] = a_forced_work(every[1].order, state=State.SUCCEEDED)

    results = await asyncio.gather(*map(store.record, works), return_exceptions=True)

    assert isinstance(results[0], StaleWrite)
    assert isinstance(results[1], BrokenInvariant)
    versions = [o.queue.tasks[0].version for o in await rows.orders()]
    assert sorted(versions) == [1, 2, 2, 2, 2, 2]


BROKEN = [
    ({"state": State.CANCELLED}, "ck_order_tasks_waits"),
    ({**SUCCEEDED, "verdict": None}, "ck_order_tasks_succeeded"),
    ({**FAILED, "verdict": Verdict.PAID}, "ck_order_tasks_unpaid"),
    ({"waiting_for": Waiting.COMMIT}, "ck_order_tasks_contradicting_calls"),
    (
        {"waiting_for": Waiting.ROLLBACK, "verdict": Verdict.PAID},
        "ck_order_tasks_contradicting_calls",
    ),
    ({"wake_at": None}, "ck_order_tasks_waits"),
    ({"waiting_for": None}, "ck_order_tasks_waits"),
    ({"version": 3}, "order_tasks_version_grows_by_one"),
]


@pytest.mark.parametrize(("columns", "constraint"), BROKEN)
async def test_a_step_that_breaks_a_rule_is_refused_and_leaves_nothing(
    rows, store, order, columns, constraint
):
    work = a_forced_work(order, case=a_case(order), **columns)

    with pytest.raises(BrokenInvariant) as refused:
        await store.record(work)

    assert refused.value.constraint == constraint
    assert await untouched(rows, order)


async def test_an_order_has_one_live_attempt(store, order):
    await store.record(a_forced_work(order, **LIVE))
    moved = await store.load(order.queue_id)

    with pytest.raises(BrokenInvariant) as refused:
        await store.record(a_forced_work(moved, task=1, **LIVE))

    assert refused.value.constraint == "uq_order_tasks_one_live"


async def test_an_order_has_one_success(store, order):
    await store.record(a_forced_work(order, **SUCCEEDED))
    moved = await store.load(order.queue_id)

    with pytest.raises(BrokenInvariant) as refused:
        await store.record(a_forced_work(moved, task=1, **SUCCEEDED))

    assert refused.value.constraint == "uq_order_tasks_one_succeeded"


@pytest.mark.parametrize(
    ("ended", "columns"),
    [(SUCCEEDED, LIVE), (SUCCEEDED, FAILED), (FAILED, {**FAILED, "verdict": None})],
)
async def test_a_final_task_has_no_exit(store, order, ended, columns):
    await store.record(a_forced_work(order, **ended))
    moved = await store.load(order.queue_id)

    with pytest.raises(BrokenInvariant) as refused:
        await store.record(a_forced_work(moved, **columns))

    assert refused.value.constraint == "order_tasks_final_has_no_exit"


async def test_a_final_order_has_no_exit(store, order):
    await store.record(a_forced_work(order, queue={"state": "FAILED"}, **FAILED))
    moved = await store.load(order.queue_id)

    with pytest.raises(BrokenInvariant) as refused:
        await store.record(
            a_forced_work(moved, queue={"state": "COMPLETED"}, task=1, **FAILED)
        )

    assert refused.value.constraint == "order_queues_final_has_no_exit"


async def test_an_order_waits_with_a_time_or_not_at_all(store, order):
    waits = {"waiting_for": EngineWait.NOTIFICATION}

    with pytest.raises(BrokenInvariant) as refused:
        await store.record(a_forced_work(order, queue=waits, **LIVE))

    assert refused.value.constraint == "ck_order_queues_waits"


async def test_the_finish_of_an_order_is_kept(store, order):
    await store.record(a_forced_work(order, queue={"state": "FAILED"}, **FAILED))
    moved = await store.load(order.queue_id)

    await store.record(
        a_forced_work(moved, task=1, queue={}, now=START + LATER, **FAILED)
    )

    assert (await store.load(order.queue_id)).finished_at == START


async def test_a_case_is_opened_with_its_step(rows, store, order):
    await store.record(a_forced_work(order, case=a_case(order), **LIVE))

    (case,) = await rows.cases()
    assert (case.kind, case.order_id) == (CaseKind.CONTRADICTION, order.order_id)
    assert case.detail == {"state": "x"}


async def test_the_trail_of_many_steps_is_chained(rows, store, order):
    for trigger in (Trigger.FREEZE_CONFIRMED, Trigger.PAID, Trigger.COMMIT_CONFIRMED):
        found = await store.load(order.queue_id)
        detail = {"evidence": {"b": [1, 2.5, None], "a": "ü"}}
        await store.record(a_work(found, trigger, detail=detail, code="x"))

    evidence = oracle.Evidence(
        orders=await rows.orders(),
        trail=await rows.trail(),
        cases=(),
        entries=(),
        holds={},
        notices=(),
        paid=(),
        asked=(),
    )
    assert oracle.trail_is_whole(evidence) == []


def test_a_line_of_the_trail_is_bound_to_the_one_before_it():
    line = a_new_order().lines[0]

    assert hash_of(line, GENESIS, UNKEYED) == line.hash
    assert hash_of(line, b"\1" * 32, UNKEYED) != line.hash


async def test_a_cancelled_caller_harms_neither_its_step_nor_its_neighbours(store):
    one, two = a_new_order(order_id="w-1"), a_new_order(order_id="w-2")
    await asyncio.gather(store.submit(one), store.submit(two))
    works = [a_work(new.order, Trigger.FREEZE_CONFIRMED) for new in (one, two)]
    callers = [asyncio.ensure_future(store.record(work)) for work in works]
    await asyncio.sleep(0)

    callers[0].cancel()
    await asyncio.wait(callers)

    assert await store.load(two.order.queue_id) == works[1].order
    assert await store.load(one.order.queue_id) == works[0].order


async def test_webhook_is_stored_once_for_ever(store, order):
    webhook = a_webhook(order.queue.tasks[0].task_id)

    assert [await store.store_webhooks(webhook) for _ in range(3)] == [
        [NEW],
        [SEEN],
        [SEEN],
    ]
    stored = await store.find_webhook("acme", "e-1")
    await store.close_webhook(stored.inbox_id, WebhookEventState.IGNORED)
    later = webhook.received_at + timedelta(days=1)
    resent = replace(webhook, message="again", received_at=later, content_hash=b"2")
    assert await store.store_webhooks(resent) == [SEEN]


@pytest.mark.parametrize(
    "changes",
    [
        {"type": WebhookEventType.RETURNED},
        {"reference": NOBODY},
        {"provider_reference": "po_2"},
        {"amount": 1},
        {"currency": "USD"},
        {"code": "another"},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_what_differs_under_a_known_id_is_told_and_kept_beside_it(
    rows, store, order, changes
):
    task_id = order.queue.tasks[0].task_id
    webhook = a_webhook(
        task_id, amount=12550, currency="EUR", provider_reference="po_1"
    )
    other = replace(webhook, **changes)
    await store.store_webhooks(webhook)

    assert [await store.store_webhooks(other) for _ in range(2)] == [[DIFFERS]] * 2

    beside = disputing(webhook, other)
    stored = await store.find_webhook("acme", beside.event_id)
    assert (await store.find_webhook("acme", "e-1")).webhook == webhook
    assert (stored.webhook, stored.webhook.seen_as) == (beside, "e-1")
    assert f"webhook:acme:{beside.event_id}" in await unsent(rows)


async def test_the_events_of_a_request_are_stored_in_its_order(store, order):
    task_id = order.queue.tasks[0].task_id
    events = [a_webhook(task_id, name) for name in ("e-9", "e-1", "e-5")]

    assert await store.store_webhooks(*events, events[0]) == [NEW, NEW, NEW, SEEN]

    waiting = await store.pending_webhooks(task_id)
    assert [s.webhook.event_id for s in waiting] == ["e-9", "e-1", "e-5"]


async def test_of_a_request_that_was_partly_seen_the_rest_is_stored(store, order):
    task_id = order.queue.tasks[0].task_id
    await store.store_webhooks(a_webhook(task_id, "e-1"))

    events = [a_webhook(task_id, "e-1", code="other"), a_webhook(task_id, "e-2")]

    assert await store.store_webhooks(*events) == [DIFFERS, NEW]


async def test_one_id_twice_in_a_request_is_stored_once(store, order):
    first = a_webhook(order.queue.tasks[0].task_id)
    second = replace(first, type=WebhookEventType.RETURNED)

    assert await store.store_webhooks(first, second) == [NEW, DIFFERS]
    assert (await store.find_webhook("acme", "e-1")).webhook == first


async def test_a_request_without_events_stores_nothing(store):
    assert await store.store_webhooks() == []


async def test_webhook_kept_together_is_stored_once(store, order):
    webhook = a_webhook(order.queue.tasks[0].task_id)

    kept = await asyncio.gather(*(store.store_webhooks(webhook) for _ in range(5)))

    assert sorted(kept) == [[SEEN]] * 4 + [[NEW]]


async def test_two_providers_may_use_the_same_event_id(store, order):
    task_id = order.queue.tasks[0].task_id

    assert await store.store_webhooks(a_webhook(task_id, provider="acme"))
    assert await store.store_webhooks(a_webhook(task_id, provider="zeta"))


async def test_webhook_comes_back_as_it_was_kept(store, order):
    webhook = a_webhook(
        order.queue.tasks[0].task_id,
        amount=1,
        currency="EUR",
        code="c",
        message="m",
        provider_reference="r",
        detail={"a": [1]},
    )
    await store.store_webhooks(webhook)

    stored = await store.find_webhook("acme", "e-1")

    assert (stored.webhook, stored.state) == (webhook, WebhookEventState.WAITING)


async def test_webhook_brings_its_own_wakeup(rows, store, order):
    await store.store_webhooks(a_webhook(order.queue.tasks[0].task_id))

    assert "webhook:acme:e-1" in await unsent(rows)


async def test_only_the_tasks_own_provider_has_webhook_for_it(store, order):
    task_id = order.queue.tasks[0].task_id
    await store.store_webhooks(a_webhook(task_id, provider="zeta"))
    await store.store_webhooks(a_webhook(task_id, "e-1"))
    await store.store_webhooks(a_webhook(task_id, "e-2"))

    waiting = await store.pending_webhooks(task_id)

    assert [s.webhook.event_id for s in waiting] == ["e-1", "e-2"]
    assert {s.webhook.provider for s in waiting} == {"acme"}


async def test_a_step_settles_the_webhook_it_came_from(store, order):
    task_id = order.queue.tasks[0].task_id
    await store.store_webhooks(a_webhook(task_id))
    stored = await store.find_webhook("acme", "e-1")

    await store.record(
        a_work(
            order,
            Trigger.FREEZE_CONFIRMED,
            webhooks={stored.inbox_id: WebhookEventState.APPLIED},
        )
    )

    assert (await store.find_webhook("acme", "e-1")).state is WebhookEventState.APPLIED
    assert await store.pending_webhooks(task_id) == []


async def test_a_stale_step_settles_no_webhook(store, order):
    await store.store_webhooks(a_webhook(order.queue.tasks[0].task_id))
    stored = await store.find_webhook("acme", "e-1")
    work = a_work(order, Trigger.FREEZE_CONFIRMED)
    await store.record(work)

    with pytest.raises(StaleWrite):
        await store.record(
            replace(work, webhooks={stored.inbox_id: WebhookEventState.APPLIED})
        )

    assert (await store.find_webhook("acme", "e-1")).state is WebhookEventState.WAITING


async def test_webhook_is_settled_by_one_step_only(store, order):
    await store.store_webhooks(a_webhook(order.queue.tasks[0].task_id))
    stored = await store.find_webhook("acme", "e-1")
    settles = {stored.inbox_id: WebhookEventState.APPLIED}
    await store.record(a_work(order, Trigger.FREEZE_CONFIRMED, webhooks=settles))
    moved = await store.load(order.queue_id)

    with pytest.raises(WebhookSettled):
        await store.record(a_work(moved, Trigger.PAID, webhooks=settles))

    assert await store.load(order.queue_id) == moved


async def test_a_step_on_a_forgotten_past_with_the_same_version_is_stale(store, order):
    await store.record(a_work(order, Trigger.FREEZE_CONFIRMED))
    moved = await store.load(order.queue_id)
    other = replace(moved.queue.tasks[0], audit_hash=b"\1" * 32)
    forgotten = replace(moved, queue=moved.queue.with_tasks({other.task_id: other}))

    with pytest.raises(StaleWrite):
        await store.record(a_work(forgotten, Trigger.PAID))

    assert await store.load(order.queue_id) == moved


async def test_an_order_of_a_forgotten_past_is_stale(store, order):
    cancelled = a_cancel(order)
    before = replace(cancelled.step.queue.before, audit_hash=b"\1" * 32)
    queue = replace(cancelled.step.queue, before=before)

    with pytest.raises(StaleWrite):
        await store.record(
            replace(cancelled, step=replace(cancelled.step, queue=queue))
        )

    assert await store.load(order.queue_id) == order


async def test_only_what_was_given_up_waits_again(rows, store, order):
    task_id = order.queue.tasks[0].task_id
    said = {"actor": "key:anna", "reason": "r", "at": START}
    for event_id, state in (
        ("e-1", WebhookEventState.DEAD),
        ("e-2", WebhookEventState.APPLIED),
    ):
        await store.store_webhooks(a_webhook(task_id, event_id))
        stored = await store.find_webhook("acme", event_id)
        await store.close_webhook(stored.inbox_id, state)
        await store.dead_letter(a_letter(event_id), [])
        named = {"reopens": ("acme", event_id), **said}
        assert await rows.operator_store.mark_replayed(a_letter(event_id).id, **named)

    (waiting,) = await store.pending_webhooks(task_id)

    assert waiting.webhook.event_id == "e-1"
    assert waiting.state is WebhookEventState.WAITING


async def test_settled_webhook_stays_as_it_was_settled(store, order):
    await store.store_webhooks(a_webhook(order.queue.tasks[0].task_id))
    stored = await store.find_webhook("acme", "e-1")

    await store.close_webhook(stored.inbox_id, WebhookEventState.APPLIED)
    await store.close_webhook(stored.inbox_id, WebhookEventState.KNOWN)

    assert (await store.find_webhook("acme", "e-1")).state is WebhookEventState.APPLIED


async def test_a_mark_is_told_to_the_next_step_and_stays_until_webhook_is_settled(
    store, order
):
    task_id = order.queue.tasks[0].task_id
    await store.store_webhooks(a_webhook(task_id))
    stored = await store.find_webhook("acme", "e-1")
    assert await store.mark_waiting(task_id, 1)

    frozen = a_work(await store.load(order.queue_id), Trigger.FREEZE_CONFIRMED)
    assert (await store.record(frozen)).webhook_pending == {task_id}
    settles = {stored.inbox_id: WebhookEventState.APPLIED}
    paid = a_work(await store.load(order.queue_id), Trigger.PAID, webhooks=settles)

    assert (await store.record(paid)).webhook_pending == frozenset()


async def test_a_mark_moves_no_version(store, order):
    task = order.queue.tasks[0]

    await store.mark_waiting(task.task_id, 1)

    assert (await store.load(order.queue_id)).task(task.task_id) == replace(
        task, webhook_pending=True
    )


async def test_a_mark_for_an_older_version_fails(store, order):
    await store.record(a_work(order, Trigger.FREEZE_CONFIRMED))

    assert not await store.mark_waiting(order.queue.tasks[0].task_id, 1)
    assert not await store.mark_waiting(NOBODY, 1)


async def test_a_mark_of_a_task_that_a_step_only_follows_is_told(store, order):
    other = order.queue.tasks[2].task_id
    await store.mark_waiting(other, 1)

    recorded = await store.record(a_cancel(await store.load(order.queue_id)))

    assert recorded.webhook_pending == {other}


async def test_what_is_overdue_by_the_grace_is_found_once_a_grace(rows, clock, order):
    async def overdue():
        found = await rows.sweeps.overdue(grace=GRACE, limit=10)
        return [each.queue_id for each in found]

    assert await overdue() == []
    await later(rows, clock)
    assert await overdue() == [order.queue_id]
    assert await overdue() == []
    await later(rows, clock, timedelta(seconds=29))
    assert await overdue() == []
    await later(rows, clock, timedelta(seconds=2))
    assert await overdue() == [order.queue_id]


async def test_what_ringing_does_not_move_is_rung_for_less_and_less_often(
    rows, clock, store, order
):
    async def woken_at(horizon):
        found = []
        for second in range(0, horizon, 10):
            if await rows.sweeps.overdue(grace=GRACE, limit=10):
                found.append(second)
            await later(rows, clock, timedelta(seconds=10))
        return found

    assert await woken_at(1200) == [40, 80, 150, 280, 530, 780, 1030]
    await store.record(a_work(order, Trigger.FREEZE_CONFIRMED, now=clock.now()))
    assert await woken_at(100) == [40, 80]


async def test_nothing_overdue_starves_behind_a_small_limit(rows, clock, store):
    for n in range(7):
        await store.submit(a_new_order(order_id=f"w-{n}"))
    await later(rows, clock)

    found = set()
    for _ in range(4):
        for each in await rows.sweeps.overdue(grace=GRACE, limit=2):
            found.add(each.order_id)

    assert len(found) == 7


async def test_an_overdue_notification_is_found(rows, clock, store, order):
    waits = {
        "state": "FAILED",
        "waiting_for": EngineWait.NOTIFICATION,
        "wake_at": START,
    }
    await store.record(a_forced_work(order, queue=waits, **FAILED))
    await later(rows, clock)

    (found,) = await rows.sweeps.overdue(grace=GRACE, limit=10)

    marked = await store.load(found.queue_id)
    assert marked.queue.wake_at == clock.now()


async def test_ringing_moves_no_version(rows, clock, store, order):
    await later(rows, clock)
    await rows.sweeps.overdue(grace=GRACE, limit=10)

    await store.record(a_work(order, Trigger.FREEZE_CONFIRMED))


async def test_overdue_webhook_is_found_once_a_grace(rows, clock, store, order):
    await store.store_webhooks(a_webhook(order.queue.tasks[0].task_id))
    await later(rows, clock)

    first = await rows.sweeps.overdue_webhooks(grace=GRACE, limit=10)
    second = await rows.sweeps.overdue_webhooks(grace=GRACE, limit=10)

    assert [len(first), len(second)] == [1, 0]


async def test_webhook_is_rung_for_only_once_its_task_is_there(rows, clock, store):
    new = a_new_order()
    await store.store_webhooks(a_webhook(new.order.queue.tasks[0].task_id))
    for _ in range(60):
        await later(rows, clock, timedelta(minutes=2))
        assert not await rows.sweeps.overdue_webhooks(grace=GRACE, limit=10)

    await store.submit(new)
    await later(rows, clock, timedelta(hours=1, minutes=1))

    assert await rows.sweeps.overdue_webhooks(grace=GRACE, limit=10)


async def test_only_webhook_of_nobodys_task_expires(rows, clock, store, order):
    await store.store_webhooks(a_webhook(order.queue.tasks[0].task_id, "e-1"))
    await store.store_webhooks(a_webhook(NOBODY, "e-2"))
    await store.store_webhooks(a_webhook("not an id", "e-3"))
    await store.store_webhooks(
        a_webhook(order.queue.tasks[0].task_id, "e-4", provider="zeta")
    )
    week = timedelta(days=7)
    assert await rows.sweeps.expired_webhooks(after=week, limit=10) == []

    await later(rows, clock, week + GRACE)
    expired = await rows.sweeps.expired_webhooks(after=week, limit=10)

    assert [s.webhook.event_id for s in expired] == ["e-2", "e-4"]


OTHERS = ["", "not an id", "0195F1DE-0000-7000-8000-000000000000", str(UUID(int=4))]


async def test_what_is_about_no_task_of_ours_rings_for_nobody(rows, store, clock):
    for number, reference in enumerate(OTHERS):
        await store.store_webhooks(a_webhook(reference, f"e-{number}"))
    await later(rows, clock, timedelta(days=6))

    assert await unsent(rows) == []
    assert await rows.sweeps.overdue_webhooks(grace=GRACE, limit=10) == []


async def test_what_is_about_no_task_of_ours_is_forgotten_after_a_week(
    rows, store, clock, order
):
    await store.store_webhooks(*(a_webhook(r, f"e-{n}") for n, r in enumerate(OTHERS)))
    await store.store_webhooks(a_webhook("an invoice", provider="zeta"))
    await store.store_webhooks(a_webhook(order.queue.tasks[0].task_id, "ours"))
    week = timedelta(days=7)
    assert await rows.sweeps.forget_foreign(after=week, limit=10) == {}

    await later(rows, clock, week + GRACE)

    assert await rows.sweeps.forget_foreign(after=week, limit=3) == {"acme": 3}
    forgotten = await rows.sweeps.forget_foreign(after=week, limit=3)
    assert forgotten == {"acme": 1, "zeta": 1}
    assert await store.find_webhook("acme", "e-0") is None
    assert await store.find_webhook("acme", "ours")


async def test_a_letter_is_buried_once_with_its_messages(rows, store):
    for name in ("first", "second"):
        await store.dead_letter(
            a_letter(), [a_message(name, headers={"X-Reason": "x"})]
        )

    assert await rows.letters() == [a_letter()]
    assert await unsent(rows) == ["first"]


async def test_a_letter_that_was_dealt_with_and_dies_again_is_open_again(rows, store):
    await store.dead_letter(a_letter(), [])
    said = {"actor": "key:anna", "reason": "r", "at": START}
    await rows.operator_store.mark_replayed(a_letter().id, **said)
    assert await rows.letters() == []

    await store.dead_letter(a_letter(error="again"), [a_message("again")])

    assert [letter.error for letter in await rows.letters()] == ["again"]
    assert await unsent(rows) == ["again"]


async def test_a_letter_may_have_no_message(rows, store):
    await store.dead_letter(a_letter(), [])

    assert len(await rows.letters()) == 1


async def test_a_posted_message_is_in_the_outbox_whole(rows, store):
    message = a_message("m-1", headers={"traceparent": "00-a"}, body=b"\x00\xff")

    await store.post(message)

    (row,) = await rows.sweeps.unsent(older_than=EVERYTHING, limit=10)
    assert row.message == message


async def test_a_timer_is_in_the_outbox_whole(rows, store, order):
    timer = a_message(
        "t-1", at=START + LATER, schedule="order.timer.x.1", queue_id=order.queue_id
    )

    await store.record(a_work(order, Trigger.FREEZE_CONFIRMED, messages=[timer]))

    left = await rows.sweeps.unsent(older_than=EVERYTHING, limit=10)
    assert timer in [row.message for row in left]


@pytest.mark.usefixtures("order")
async def test_the_outbox_gives_up_rows_only_after_their_time(rows, clock):
    three = timedelta(seconds=3)
    assert await rows.sweeps.unsent(older_than=three, limit=10) == []

    await later(rows, clock)

    assert len(await rows.sweeps.unsent(older_than=three, limit=10)) == 1


@pytest.mark.usefixtures("order")
async def test_what_was_sent_is_gone(rows, store):
    await store.post(a_message("m-1"))
    left = await rows.sweeps.unsent(older_than=EVERYTHING, limit=10)

    await rows.sweeps.sent([row.seq for row in left[:1]])

    assert await unsent(rows) == ["m-1"]


async def test_the_outbox_is_read_from_its_oldest_row(rows, store):
    for n in range(5):
        await store.post(a_message(f"m-{n}"))

    left = await rows.sweeps.unsent(older_than=EVERYTHING, limit=3)

    assert [row.message.message_id for row in left] == ["m-0", "m-1", "m-2"]


@pytest.fixture
async def bundle(rows, store, order):
    """Return what a step of three messages has left in the outbox."""
    told = [
        a_message("m-1"),
        A_TIMER,
        a_message("m-3", headers={"traceparent": "00-a"}),
    ]
    await store.record(a_work(order, Trigger.FREEZE_CONFIRMED, messages=told))
    left = await rows.sweeps.unsent(older_than=EVERYTHING, limit=10)
    return [row for row in left if row.message in told]


async def test_what_a_step_posts_is_one_row_of_the_outbox(bundle):
    assert len(bundle) == 3
    assert len({row.seq for row in bundle}) == 1
    assert all(row.bundled for row in bundle)


async def test_a_bundle_is_given_whole_or_not_at_all(rows, bundle):
    one = await rows.sweeps.unsent(older_than=EVERYTHING, limit=1)
    two = await rows.sweeps.unsent(older_than=EVERYTHING, limit=2)

    assert len(one) == 1
    assert set(map(id_of, two[1:])) > set(map(id_of, bundle))
    after = bundle[0].seq
    assert await rows.sweeps.unsent(older_than=EVERYTHING, limit=2, after=after) == []


async def test_what_was_not_taken_of_a_bundle_is_left_in_rows_of_its_own(rows, bundle):
    await rows.sweeps.unbundle([bundle[0].seq], taken=["m-1"])

    left = await rows.sweeps.unsent(older_than=EVERYTHING, limit=10)
    kept = [row for row in left if row.message in [row.message for row in bundle]]
    assert [row.message for row in kept] == [row.message for row in bundle[1:]]
    assert len({row.seq for row in kept}) == 2
    assert not any(row.bundled for row in kept)


async def test_what_was_not_taken_of_a_bundle_is_as_old_as_it_was(rows, clock, bundle):
    await later(rows, clock)
    await rows.sweeps.unbundle([bundle[0].seq], taken=[])

    left = await rows.sweeps.unsent(older_than=LATER / 2, limit=10)
    assert set(map(id_of, bundle)) < set(map(id_of, left))


A_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
async def traced_bundle(rows, store):
    """Return what a step of an order with a trace has left, and what it had posted."""
    new = a_new_order(order_id="w-traced", trace_parent=A_TRACE)
    await store.submit(new)
    order = await store.load(new.order.queue_id)
    its = {"queue_id": order.queue_id}
    told = [
        a_message("t-1", headers={"traceparent": A_TRACE}, **its),
        a_message("t-2", headers={"traceparent": "00-other"}, **its),
        a_message("t-3", headers={"traceparent": A_TRACE, "x-a": "b"}, **its),
        a_message("t-4"),
    ]
    await store.record(a_work(order, Trigger.FREEZE_CONFIRMED, messages=told))
    left = await rows.sweeps.unsent(older_than=EVERYTHING, limit=10)
    ours = [row for row in left if row.message.message_id.startswith("t-")]
    return ours, told


async def test_what_is_left_of_a_bundle_is_in_its_orders_trace(traced_bundle):
    left, told = traced_bundle

    assert [row.message for row in left] == told


async def test_what_was_not_taken_of_a_bundle_stays_in_its_orders_trace(
    rows, traced_bundle
):
    left, told = traced_bundle
    await rows.sweeps.unbundle([left[0].seq], taken=[])

    kept = await rows.sweeps.unsent(older_than=EVERYTHING, limit=10)
    assert [r.message for r in kept if r.message.message_id[:2] == "t-"] == told


async def test_what_is_no_bundle_is_left_as_it_is(rows, store, bundle):
    await store.post(a_message("m-9"))
    left = await rows.sweeps.unsent(older_than=EVERYTHING, limit=10)
    before = await unsent(rows)

    await rows.sweeps.unbundle([left[-1].seq], taken=["m-9"])
    for taken in ([], ["m-1"]):
        await rows.sweeps.unbundle([bundle[0].seq], taken=taken)

    assert await unsent(rows) == before


async def test_a_stale_step_is_in_no_bundle_of_those_beside_it(rows, store, committed):
    for n in range(4):
        await store.submit(a_new_order(order_id=f"w-{n}"))
    orders = await rows.orders()
    await store.record(a_work(orders[1], Trigger.FREEZE_CONFIRMED))
    committed.clear()

    works = [
        a_work(o, Trigger.FREEZE_CONFIRMED, messages=[a_message(f"{o.order_id}!")])
        for o in orders
    ]
    await asyncio.gather(*map(store.record, works), return_exceptions=True)

    told = {f"{o.order_id}!" for o in (orders[0], *orders[2:])}
    assert {name for name in map(id_of, committed) if name.endswith("!")} == told
    assert {name for name in await unsent(rows) if name.endswith("!")} == told


async def test_every_committed_message_is_handed_on_at_once(store, committed, order):
    await store.record(
        a_work(order, Trigger.FREEZE_CONFIRMED, messages=[a_message("m-1")])
    )
    await store.post(a_message("m-2"))
    await store.dead_letter(a_letter(), [a_message("m-3")])
    await store.store_webhooks(a_webhook(NOBODY))

    handed = {row.message.message_id for row in committed}
    assert handed > {"m-1", "m-2", "m-3", "webhook:acme:e-1", order.queue_id}


async def test_a_published_row_is_removed_in_the_end(rows, store, committed, order):
    store.remove_soon([row.seq for row in committed])

    await store.record(a_work(order, Trigger.FREEZE_CONFIRMED))

    assert order.queue_id not in await unsent(rows)
