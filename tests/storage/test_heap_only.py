"""What a step leaves alone: the indexes, while a chain of steps runs."""

from datetime import timedelta

import orjson
import psycopg
import pytest

from fsm.engine.records import replace
from fsm.engine.steps import Step
from fsm.engine.words import EngineWait, State, Verdict
from fsm.payout.words import Trigger, Waiting
from handlers.work import work_of
from payment_service.playground.memory.clock import START
from payment_service.storage.record import RECORD
from payment_service.storage.step_rows import parts_of, record_rows
from tests.storage.builders import FAILED, a_cancel, a_forced_work, a_new_order, a_work

SECOND = timedelta(seconds=1)
GRACE = timedelta(seconds=30)
LONG = timedelta(minutes=15)
CREATING = {"state": State.CREATING, "waiting_for": Waiting.CREATE}


@pytest.fixture
def store(postgres):
    return postgres.store


@pytest.fixture
async def order(store):
    new = a_new_order()
    await store.submit(new)
    return await store.load(new.order.queue_id)


@pytest.fixture
def watched(database_url):
    """Return what the sweeper finds a task by, as seconds after its wake-up."""

    def ask(position=0):
        with psycopg.connect(database_url) as connection:
            row = connection.execute(
                "SELECT extract(epoch FROM watch_at - wake_at)::float8 "
                "FROM order_tasks WHERE position = %s",
                [position],
            ).fetchone()
        return row and row[0]

    return ask


async def moved(store, order, **columns):
    await store.record(a_forced_work(order, **columns))
    return await store.load(order.queue_id)


async def test_a_chain_of_steps_is_found_by_where_it_began(store, order, watched):
    for seconds in (1, 2, 30):
        order = await moved(store, order, **CREATING, wake_at=START + seconds * SECOND)
        assert watched() == -seconds


@pytest.mark.parametrize("wake_at", [START + 31 * SECOND, START + LONG, START - SECOND])
async def test_a_row_that_waits_or_is_due_before_is_found_by_its_own_time(
    store, order, watched, wake_at
):
    await moved(store, order, **CREATING, wake_at=wake_at)

    assert watched() == 0


async def test_what_waited_and_is_due_at_once_is_found_by_that(store, order, watched):
    order = await moved(store, order, **CREATING, wake_at=START + LONG)
    await moved(store, order, **CREATING, wake_at=START + LONG - SECOND)

    assert watched() == 0


async def test_what_waits_for_nothing_is_not_looked_at(store, order, watched):
    decision = {"state": State.MANUAL_CHECK, "waiting_for": EngineWait.DECISION}
    await moved(store, order, **decision, wake_at=None)

    assert watched() is None


async def test_what_is_found_early_is_not_rung_for_early(postgres, store, order, clock):
    await moved(store, order, **CREATING, wake_at=START + 20 * SECOND)

    clock.advance(GRACE + 19 * SECOND)
    await postgres.tell_time()
    early = await postgres.sweeps.overdue(grace=GRACE, limit=10)
    clock.advance(2 * SECOND)
    await postgres.tell_time()
    late = await postgres.sweeps.overdue(grace=GRACE, limit=10)

    assert (early, [o.queue_id for o in late]) == ([], [order.queue_id])


async def test_what_is_found_early_takes_no_place_in_a_page(postgres, store, clock):
    for n in range(4):
        await store.submit(a_new_order(order_id=f"w-{n}"))
    orders = await postgres.orders()
    for order in orders[:3]:
        await moved(store, order, **CREATING, wake_at=START + 20 * SECOND)
    clock.advance(GRACE + SECOND)
    await postgres.tell_time()

    found = await postgres.sweeps.overdue(grace=GRACE, limit=1)

    assert [o.queue_id for o in found] == [orders[3].queue_id]


@pytest.mark.parametrize("last_first", [False, True])
async def test_a_turn_ends_and_another_begins_in_one_step(store, order, last_first):
    order = await moved(store, order, **CREATING, wake_at=START)
    order = await moved(
        store,
        order,
        state=State.NEGATIVE_EVAL,
        waiting_for=Waiting.ROLLBACK,
        verdict=Verdict.NOT_PAID,
        wake_at=START,
    )
    work = a_work(order, Trigger.ROLLBACK_CONFIRMED)
    changes = work.step.changes[:: -1 if last_first else 1]

    await store.record(replace(work, step=replace(work.step, changes=changes)))

    found = await store.load(order.queue_id)
    assert [task.state for task in found.queue.tasks[:2]] == ["SKIPPED", "PENDING"]
    assert found.queue.tasks[1].waiting_for is Waiting.FREEZE


async def test_steps_within_a_turn_are_heap_only(postgres, store, order, database_url):
    for n in range(5):
        order = await moved(store, order, **CREATING, wake_at=START + n * SECOND)

    # What a session has counted it tells at its end.
    await postgres.close()
    with psycopg.connect(database_url) as connection:
        updates = connection.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables "
            "WHERE relname = 'order_tasks'"
        ).fetchone()
    assert updates == (5, 5)


def written_for_who_leads(database_url, work, leader="led"):
    """Record a step; return the records written ahead until its first row has moved."""
    with psycopg.connect(database_url) as connection:
        cursor = psycopg.ClientCursor(connection)
        asked = {**record_rows([work]), "sent": []}
        statement = RECORD[parts_of([work])]
        cursor.execute(f"EXPLAIN (ANALYZE, WAL, FORMAT JSON) {statement}", asked)
        ((found,),) = cursor.fetchall()
    (led,) = (
        node
        for node in nodes_of(found[0]["Plan"])
        if node.get("Subplan Name") == f"CTE {leader}"
    )
    return led["WAL Records"]


def nodes_of(node):
    yield node
    for child in node.get("Plans", []):
        yield from nodes_of(child)


async def test_who_leads_a_step_is_not_locked_before_it_is_moved(
    store, order, database_url
):
    async def least(leader="led", *, alone=False, **moved):
        """Return the fewest records of some steps: a page that is pruned adds one."""
        written = []
        for _ in range(8):
            now = await store.load(order.queue_id)
            work = a_forced_work(now, **moved, **CREATING, wake_at=START)
            if alone:
                only = replace(work.step, changes=())
                work = replace(work, step=only, lines=work.lines[1:])
            written.append(written_for_who_leads(database_url, work, leader))
        return min(written)

    assert await least() == 1
    # And the lock of the order's own row, which is held before.
    assert await least(queue={}) == 2
    assert await least("queues_led", alone=True, queue={}) == 1


async def test_the_rows_of_a_step_are_taken_from_the_last_to_the_first(order):
    """Two steps that take the same rows the same way round never wait in a ring."""
    rows = record_rows([a_cancel(order)])

    places = [
        order.task(row["task_id"]).position for row in orjson.loads(rows["tasks"])
    ]
    assert places == sorted(places, reverse=True)


@pytest.mark.parametrize("queue", [None, {}])
async def test_the_first_task_of_a_step_leads_and_its_order_does_not(order, queue):
    rows = record_rows([a_forced_work(order, queue=queue, **CREATING)])

    assert [row["leads"] for row in orjson.loads(rows["tasks"])] == [True]
    assert [r["leads"] for r in orjson.loads(rows["queues"])] == [False] * (queue == {})


async def test_nobody_leads_where_a_turn_would_be_taken_first(order):
    first = replace(order.queue.tasks[0], waiting_for=EngineWait.TURN)
    queue = order.queue.with_tasks({first.task_id: first})
    order = replace(order, queue=queue)
    changes = tuple(
        a_forced_work(order, task=task, **columns).step.changes[0]
        for task, columns in ((0, CREATING), (1, FAILED))
    )
    after = queue.with_tasks({c.after.task_id: c.after for c in changes})
    step = Step(changes=changes, queue=None, announcements=(), cases=(), after=after)

    rows = record_rows([work_of(order, step, START, webhooks={})])

    tasks = orjson.loads(rows["tasks"])
    assert not any(row["leads"] for row in tasks)
    assert ["turns" in row for row in tasks] == [False, True]


async def test_of_whom_no_turn_begins_the_first_leads(order):
    tasks = orjson.loads(record_rows([a_cancel(order)])["tasks"])

    assert [row["leads"] for row in tasks] == [False, False, True]
    assert not any("turns" in row for row in tasks)
