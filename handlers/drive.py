"""Drives an order from wherever its rows stand until it has to wait."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from fsm.domain.dead_letters import Reason
from fsm.domain.errors import Fault, Tampered
from fsm.domain.events import outcome_of
from fsm.domain.orders import Order
from fsm.engine.decide import notified
from fsm.engine.records import replace
from fsm.engine.rows import Queue, Task
from fsm.engine.steps import Step
from fsm.engine.words import EngineWait
from handlers.claims import Claims, InFlight
from handlers.commit import Applied, Ports, commit
from handlers.inbox import apply_waiting
from handlers.load import load
from handlers.ports.outcomes import Done, Outcome, Park, Retry
from handlers.serialized import SerializedCommits, heard
from handlers.sound import NOT_AS_REQUESTED, TAMPERED, halted, looked_over
from handlers.work import all_wakeups, no_wakeups

STEPS_MAX: Final = 1000
EARLY_MAX: Final = timedelta(seconds=60)
Rows: TypeAlias = Sequence[Task | Queue]
"""What a chain goes on with: tasks, and the order's own row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wakeup:
    """A message about a row: a task's, or (without ``task_id``) the order's own.

    ``again`` says that it was delivered before, to a worker that did not finish.
    """

    queue_id: str
    task_id: str | None
    version: int
    again: bool = False


async def wake(wakeup: Wakeup, *, ports: Ports) -> Outcome:
    """Answer a wake-up: go on with the order if its row still is what it rang for.

    A wake-up for an older version is stale. One that is delivered again may be what is
    left of a worker that died further on: it goes on with whatever is due.
    """
    taken_at = ports.clock.elapsed()
    order = await ports.store.load(wakeup.queue_id)
    row = None if order is None else _row(order, wakeup)
    if order is None or row is None:
        return Park(
            because=f"no order queue {wakeup.queue_id} with this task",
            reason=Reason.UNKNOWN_TASK,
        )
    now = ports.clock.now()
    if row.version != wakeup.version and not wakeup.again and not _acted_on(row, now):
        return Done(what="stale", order_id=order.order_id)
    if row.version == wakeup.version and row.wake_at is not None and row.wake_at > now:
        return _early(row.wake_at - now)
    if next_due(order, ports) is None:
        return Done(what="stale", order_id=order.order_id)
    if row.version == wakeup.version and row.wake_at is not None:
        ports.watch.woke((now - row.wake_at).total_seconds())
    woken: Rows | None = None if wakeup.again else [row] if row.due(now) else []
    return await drive(
        order, ports=ports, claims=Claims(taken_at=taken_at), woken=woken
    )


def _row(order: Order, wakeup: Wakeup) -> Task | Queue | None:
    if wakeup.task_id is None:
        return order.queue
    return next((t for t in order.queue.tasks if t.task_id == wakeup.task_id), None)


def _acted_on(row: Task | Queue, now: datetime) -> bool:
    """Tell whether a wake-up for an older version may be all that comes for the row.

    What people do about an order is a version of its own row, and leaves due what was.
    """
    return isinstance(row, Queue) and row.due(now)


def _early(wait: timedelta) -> Outcome:
    """Come back in time; what is far away the sweeper rings for."""
    if wait > EARLY_MAX:
        return Done(what="early")
    return Retry(because="the timer rang early", delay=wait, in_vain=False)


def next_due(order: Order, ports: Ports) -> Task | Queue | None:
    """Return the row whose call is due now, by position; None where the order waits."""
    now, queue = ports.clock.now(), order.queue
    for task in queue.tasks:
        if task.due(now):
            return task
    return queue if queue.due(now) else None


def all_due(order: Order, ports: Ports) -> list[Task | Queue]:
    """Return every row whose call is due now, by position, the order's own last."""
    now = ports.clock.now()
    rows: Rows = (*order.queue.tasks, order.queue)
    return [row for row in rows if row.due(now)]


async def drive(
    order: Order, *, ports: Ports, claims: Claims, woken: Rows | None = None
) -> Outcome:
    """Make call after call until nothing is due, each step committed by itself.

    What is left after ``limits.chain`` is handed on to a message in the outbox. What
    another hand has changed is left alone: the sweeper comes back to it. Of an order of
    several steps ``woken`` are the rows to go on with, and with what follows of them:
    others that are due may be under way elsewhere.
    """
    began = ports.clock.elapsed()
    try:
        outcome = await _looked_over(order, ports, claims, woken, began)
    except Tampered:
        outcome = Done(what=TAMPERED)
    finally:
        claims.admissions.give_all_back()
    return replace(outcome, order_id=order.order_id)


async def _looked_over(
    order: Order, ports: Ports, claims: Claims, woken: Rows | None, began: float
) -> Done | Retry:
    try:
        order = await looked_over(order, ports)
    except Fault as fault:
        return Retry(because=str(fault))
    if len(ports.flow_of(order).flow.steps) == 1:
        return await _drive(order, ports, claims, began)
    return await _drive_all(order, ports, claims, woken, began)


async def _drive(
    order: Order, ports: Ports, claims: Claims, began: float
) -> Done | Retry:
    for _ in range(STEPS_MAX):
        row = next_due(order, ports)
        if row is None:
            return Done()
        made = await _made(order, row, ports, claims, began)
        if isinstance(made, Done | Retry):
            return made
        order, claims = made.order, _claims(made, claims)
        if made.webhook_pending:
            order = await apply_waiting(order, made.webhook_pending, ports=ports)
        if order is not made.order:
            claims = replace(claims, entered=frozenset())
        elif made.woken:
            return Done(what="handed_on")
    return Retry(because=f"more than {STEPS_MAX} steps at once")


async def _drive_all(
    order: Order, ports: Ports, claims: Claims, woken: Rows | None, began: float
) -> Done | Retry:
    """Go on with all that is due at once, each row in a chain of its own.

    A chain goes on with what its own steps have made due; what is more than one row
    forks. Each commits by itself, one by one: two that end at once meet in one row.
    """
    outcomes, commits = list[Done | Retry](), SerializedCommits(order)

    async def chain(order: Order, row: Task | Queue, claims: Claims) -> None:
        try:
            outcomes.append(await go_on(order, row, claims))
        except (Tampered, Fault) as error:
            outcomes.append(_failed(error))

    async def go_on(
        order: Order, row: Task | Queue | None, claims: Claims
    ) -> Done | Retry:
        while row is not None:
            made = await _made(order, row, ports, claims, began, commits)
            if isinstance(made, Done | Retry):
                return made
            claims = _claims(made, claims)
            order = await apply_waiting(made.order, made.webhook_pending, ports=ports)
            if order is not made.order:
                claims = replace(claims, entered=frozenset())
            elif made.woken:
                break
            due = _due_of(made, order, row, ports)
            fork(order, due[1:], claims)
            row = due[0] if due else None
        return Done()

    def fork(order: Order, rows: Rows, claims: Claims) -> None:
        for row in rows:
            group.create_task(chain(order, row, claims))

    async with asyncio.TaskGroup() as group:
        fork(order, all_due(order, ports) if woken is None else woken, claims)
    failed = [outcome for outcome in outcomes if isinstance(outcome, Retry)]
    return failed[0] if failed else Done()


def _failed(error: Exception) -> Done | Retry:
    if isinstance(error, Tampered):
        return Done(what=TAMPERED)
    return Retry(because=str(error))


async def _made(
    order: Order,
    row: Task | Queue,
    ports: Ports,
    claims: Claims,
    began: float,
    commits: SerializedCommits | None = None,
) -> Applied | Done | Retry:
    """Make the call of one row, and commit what it means."""
    spent = ports.clock.elapsed() - began
    hand_on = spent > ports.limits.chain.total_seconds()
    try:
        applied = await _step(order, row, ports, claims, commits, hand_on=hand_on)
    except InFlight as claimed:
        return Retry(because=str(claimed), delay=claimed.left, in_vain=False)
    except Tampered:
        return Done(what=TAMPERED)
    except Fault as fault:
        return Retry(because=str(fault))
    if not isinstance(applied.decision, Step):
        # Somebody else moved the row: they go on with it.
        return Done(what="overtaken")
    return applied


def _due_of(made: Applied, order: Order, row: Task | Queue, ports: Ports) -> Rows:
    """Return what a chain goes on with: of what is due, the rows that it has moved."""
    if not isinstance(made.decision, Step):
        return []
    moved = {change.after.task_id for change in made.decision.changes}
    if isinstance(row, Task):
        moved.add(row.task_id)
    return [
        each
        for each in all_due(order, ports)
        if (each.task_id in moved if isinstance(each, Task) else made.decision.queue)
    ]


def _claims(applied: Applied, before: Claims) -> Claims:
    entered: frozenset[tuple[str, int]] = frozenset()
    if applied.claimed and isinstance(applied.decision, Step):
        changes = applied.decision.changes
        entered = frozenset((c.after.task_id, c.after.version) for c in changes)
    return Claims(
        taken_at=applied.taken_at, entered=entered, admissions=before.admissions
    )


async def _step(
    order: Order,
    row: Task | Queue,
    ports: Ports,
    claims: Claims,
    commits: SerializedCommits | None,
    *,
    hand_on: bool,
) -> Applied:
    if isinstance(row, Queue):
        if row.waiting_for is EngineWait.LOAD:
            wakeups = all_wakeups(ports.rules) if hand_on else no_wakeups
            return await load(order, ports=ports, wakeups=wakeups)
        return await _notify(order, ports)
    flow = ports.flow_of(order)
    if order.sound:
        event = await flow.call(order, row, ports=ports, claims=claims)
    else:
        event = await flow.give_up(order, row, ports=ports)
    lifecycle = ports.rules.of(row)
    redrives = hand_on and event.trigger not in lifecycle.unbroken
    wakeups = all_wakeups(ports.rules) if redrives else no_wakeups
    return await heard(order, row, event, ports=ports, wakeups=wakeups, commits=commits)


async def _notify(order: Order, ports: Ports) -> Applied:
    if not order.sound:
        raise await halted(order, order.queue.tasks[0], NOT_AS_REQUESTED, ports)
    at = order.finished_at or ports.clock.now()
    flow = ports.rules.flow_of(order.queue)
    await ports.core.notify(outcome_of(order, at, flow))
    return await commit(order, lambda queue, _: notified(queue), ports=ports)
