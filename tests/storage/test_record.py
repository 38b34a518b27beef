"""Each form of the statement that records steps does what the whole one does."""

from itertools import product

import psycopg
import pytest

from fsm.domain.webhook_events import WebhookEventState
from fsm.engine.records import replace
from fsm.engine.steps import QueueChange
from fsm.engine.words import EngineWait, OrderState, State, Verdict
from fsm.payout.words import Trigger, Waiting
from payment_service.playground.memory.clock import START
from payment_service.storage.record import RECORD, Parts
from payment_service.storage.step_rows import parts_of, record_rows
from tests.storage.builders import (
    FAILED,
    a_cancel,
    a_case,
    a_forced_work,
    a_new_order,
    a_webhook,
    a_work,
)

CREATING = {"state": State.CREATING, "waiting_for": Waiting.CREATE, "wake_at": START}
LOSING = {
    "state": State.NEGATIVE_EVAL,
    "waiting_for": Waiting.ROLLBACK,
    "verdict": Verdict.NOT_PAID,
    "wake_at": START,
}
# All that a step may change, but what each row is numbered by and the clock says.
TABLES = {
    "order_tasks": "task_id",
    "order_queues": "queue_id",
    "order_task_results": "task_id",
    "order_task_events": "seq",
    "cases": "id",
    "webhook_inbox": "inbox_id",
    "outbox": "seq",
}
BY_ITSELF = ["created_at", "settled_at"]


async def an_order(store, order_id, **columns):
    new = a_new_order(order_id=order_id)
    await store.submit(new)
    order = await store.load(new.order.queue_id)
    if columns:
        await store.record(a_forced_work(order, **CREATING))
        order = await store.load(order.queue_id)
        await store.record(a_forced_work(order, **columns))
        order = await store.load(order.queue_id)
    return order


async def a_task_alone(store):
    return a_forced_work(await an_order(store, "w-task"), **CREATING)


async def a_turn(store):
    return a_work(await an_order(store, "w-turn", **LOSING), Trigger.ROLLBACK_CONFIRMED)


async def an_end_with_a_case(store):
    order = await an_order(store, "w-end")
    waits = {"waiting_for": EngineWait.NOTIFICATION, "wake_at": START}
    ends = {"state": OrderState.FAILED, **waits}
    return a_forced_work(order, **FAILED, queue=ends, case=a_case(order))


async def a_cancelled_order(store):
    return a_cancel(await an_order(store, "w-cancel"))


async def an_order_alone(store):
    work = a_forced_work(await an_order(store, "w-queue"), queue={})
    queue = work.step.queue
    assert isinstance(queue, QueueChange)
    alone = replace(work.step, changes=())
    return replace(work, step=alone, lines=work.lines[1:])


async def a_settled_webhook(store):
    order = await an_order(store, "w-webhook")
    await store.store_webhooks(a_webhook(order.queue.tasks[0].task_id))
    (waiting,) = await store.pending_webhooks(order.queue.tasks[0].task_id)
    settles = {waiting.inbox_id: WebhookEventState.APPLIED}
    return replace(a_forced_work(order, **CREATING), webhooks=settles)


async def a_stale_task(store):
    order = await an_order(store, "w-stale")
    work = a_forced_work(order, **CREATING)
    await store.record(work)
    return work


async def a_task_that_comes_to_something(store):
    order = await an_order(store, "w-result")
    return a_forced_work(order, **CREATING, result=b'{"decision":"allow"}')


NONE = Parts(*[False] * len(Parts._fields))
STEPS = {
    a_task_alone: NONE,
    a_stale_task: NONE,
    a_turn: NONE._replace(others=True),
    an_order_alone: NONE._replace(queues=True),
    an_end_with_a_case: NONE._replace(queues=True, cases=True),
    a_cancelled_order: NONE._replace(others=True, queues=True),
    a_settled_webhook: NONE._replace(webhook=True),
    a_task_that_comes_to_something: NONE._replace(results=True),
}


@pytest.fixture
def connection(database_url):
    with psycopg.connect(database_url) as connection:
        yield connection


@pytest.fixture
def recorded(connection):
    """Record steps by one form; return the answer and all rows, and take it back."""

    def record(parts, works):
        cursor = psycopg.ClientCursor(connection)
        rows = cursor.execute(RECORD[parts], {**record_rows(works), "sent": []})
        told = sorted((str(row[:3]) for row in rows), key=str)
        left = {table: content(connection, table) for table in TABLES}
        connection.rollback()
        return told, left

    return record


def content(connection, table):
    key = TABLES[table]
    asked = f"SELECT to_jsonb(r) - %s::text[] FROM {table} r ORDER BY {key}"  # noqa: S608
    hidden = BY_ITSELF + (["seq"] if key == "seq" else [])
    return [row for (row,) in connection.execute(asked, [hidden])]


def forms_for(parts):
    """Return every form that has at least these parts."""
    return [
        form
        for form in map(Parts._make, product((False, True), repeat=len(NONE)))
        if all(has or not wants for has, wants in zip(form, parts, strict=True))
    ]


@pytest.mark.parametrize("made", STEPS)
async def test_every_form_that_has_what_a_step_has_records_it_alike(
    postgres, recorded, made
):
    work = await made(postgres.store)

    alike = [recorded(form, [work]) for form in forms_for(parts_of([work]))]

    assert alike == [recorded(Parts(*[True] * len(NONE)), [work])] * len(alike)


@pytest.mark.parametrize("made", STEPS)
async def test_a_group_has_the_parts_that_its_steps_have(postgres, made):
    assert parts_of([await made(postgres.store)]) == STEPS[made]


async def test_steps_of_all_kinds_are_recorded_together(postgres, recorded):
    works = [await made(postgres.store) for made in STEPS]

    told, left = recorded(parts_of(works), works)

    holds = [n for n, made in enumerate(STEPS) if made is not a_stale_task]
    assert [answer for answer in told if "'step'" in answer] == [
        f"('step', {n}, None)" for n in holds
    ]
    assert len(left["order_queues"]) == len(STEPS)
    assert [row["result"] for row in left["order_task_results"]] == [
        {"decision": "allow"}
    ]
    assert (len(left["cases"]), len(left["outbox"])) == (1, len(STEPS) + 3)
