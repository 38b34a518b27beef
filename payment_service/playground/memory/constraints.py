"""The constraints of the schema, for the store in memory: CHECKs, triggers, indexes.

What PostgreSQL refuses is a :class:`BrokenInvariant` here, named as there.
"""

from collections import Counter
from enum import StrEnum
from typing import Final

from fsm.domain.errors import BrokenInvariant
from fsm.domain.orders import Order
from fsm.engine.rows import Queue, Task
from fsm.engine.steps import Step
from fsm.engine.words import FINAL, LIVE, EngineWait, OrderState, State, Verdict
from fsm.payout.lifecycle import PAYOUT
from fsm.payout.words import Waiting

UNPAID: Final = FINAL - {State.SUCCEEDED}
TIMELESS: Final = frozenset({EngineWait.TURN, EngineWait.DECISION, Waiting.WEBHOOK})


def check_step(before: Order, after: Order, step: Step) -> None:
    """Refuse what the schema refuses of a step; the rows are as it leaves them.

    :raises BrokenInvariant: with the name of the constraint.
    """
    for change in step.changes:
        task_id = change.after.task_id
        old, new = before.task(task_id), after.task(task_id)
        if new.version != old.version + 1:
            raise BrokenInvariant("order_tasks_version_grows_by_one")
        if old.final and not _may_leave(old, new):
            raise BrokenInvariant("order_tasks_final_has_no_exit")
        if old.result is not None and new.result is not old.result:
            raise BrokenInvariant("pk_order_task_results")
        check_task(new)
    if step.queue is not None:
        if after.queue.version != before.queue.version + 1:
            raise BrokenInvariant("order_queues_version_grows_by_one")
        if before.queue.final and after.queue.state is not before.queue.state:
            raise BrokenInvariant("order_queues_final_has_no_exit")
        _check_loaded(before.queue, after.queue)
        check_queue(after.queue)
    check_live(after.queue)


def check_task(task: Task) -> None:
    """Refuse what the CHECKs of ``order_tasks`` refuse."""
    waits = task.waiting_for is not None and (
        task.wake_at is not None or task.waiting_for in TIMELESS
    )
    rests = task.waiting_for is None and task.wake_at is None
    if task.state is State.SUCCEEDED and task.waiting_for is Waiting.RETURN:
        rests = task.wake_at is not None
    elif task.returned and task.state is not State.SUCCEEDED:
        raise BrokenInvariant("ck_order_tasks_returned")
    if not (rests if task.final else waits):
        raise BrokenInvariant("ck_order_tasks_waits")
    pays = task.lifecycle == PAYOUT.name
    if pays and task.state is State.SUCCEEDED and task.verdict is not Verdict.PAID:
        raise BrokenInvariant("ck_order_tasks_succeeded")
    if task.state in UNPAID and task.verdict is Verdict.PAID:
        raise BrokenInvariant("ck_order_tasks_unpaid")
    due: dict[StrEnum, Verdict] = {
        Waiting.COMMIT: Verdict.PAID,
        Waiting.ROLLBACK: Verdict.NOT_PAID,
    }
    wanted = due.get(task.waiting_for) if task.waiting_for else None
    if wanted is not None and task.verdict is not wanted:
        raise BrokenInvariant("ck_order_tasks_contradicting_calls")


def check_queue(queue: Queue) -> None:
    """Refuse what the CHECKs of ``order_queues`` refuse."""
    if queue.waiting_for not in {None, EngineWait.LOAD, EngineWait.NOTIFICATION}:
        raise BrokenInvariant("ck_order_queues_waiting_for")
    if (queue.waiting_for is None) != (queue.wake_at is None):
        raise BrokenInvariant("ck_order_queues_waits")
    begins = queue.state is OrderState.ACTIVE and queue.loaded is None
    if queue.waiting_for is EngineWait.LOAD and not begins:
        raise BrokenInvariant("ck_order_queues_loads")


def check_live(queue: Queue) -> None:
    """Refuse a second live attempt of a step, or a second that has succeeded."""
    live = Counter(t.step for t in queue.tasks if _has_its_turn(t))
    won = Counter(t.step for t in queue.tasks if t.state is State.SUCCEEDED)
    if max(live.values(), default=0) > 1:
        raise BrokenInvariant("uq_order_tasks_one_live")
    if max(won.values(), default=0) > 1:
        raise BrokenInvariant("uq_order_tasks_one_succeeded")


def _has_its_turn(task: Task) -> bool:
    if task.state is State.PENDING:
        return task.waiting_for is not EngineWait.TURN
    return task.state in LIVE


def _check_loaded(old: Queue, new: Queue) -> None:
    """Refuse what the guards refuse: a load is kept once, as its stage ends."""
    if new.loaded == old.loaded:
        return
    if old.loaded is not None:
        raise BrokenInvariant("order_queues_person_is_fixed")
    if old.waiting_for is not EngineWait.LOAD:
        raise BrokenInvariant("order_queues_loaded_at_its_stage")


def _may_leave(old: Task, new: Task) -> bool:
    """Tell whether a task that is final may become so: what was done may be undone."""
    undone = old.state is State.SUCCEEDED and new.state is State.REVERSING
    stays = new.state is old.state or (undone and old.lifecycle != PAYOUT.name)
    return stays and new.verdict is old.verdict
