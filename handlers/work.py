"""Writes a step down: its audit lines, sealed rows and messages, ready to commit."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from fsm.domain.audit import audit_line
from fsm.domain.audit_keys import UNKEYED, AuditKeys
from fsm.domain.binding import RESULT, hash_of_result
from fsm.domain.case_events import returns_told
from fsm.domain.events import order_event
from fsm.domain.messages import Message, queue_wakeup, task_wakeup, traced_by
from fsm.domain.orders import Order
from fsm.domain.seals import sealed_queue, sealed_task
from fsm.domain.webhook_events import WebhookEventState
from fsm.engine.flow import Rules
from fsm.engine.records import replace
from fsm.engine.rows import Queue, Task
from fsm.engine.steps import Change, Step
from fsm.flows import RULES
from handlers.ports.store import StepWrite

Wakeups = Callable[[Order, datetime], list[Message]]


def no_wakeups(order: Order, now: datetime) -> list[Message]:
    """Ring for nothing that is due at once: the caller goes on with it."""
    del order, now
    return []


def all_wakeups(rules: Rules) -> Wakeups:
    """Ring for all that is due at once: any worker goes on with it."""

    def wakeups(order: Order, now: datetime) -> list[Message]:
        queue = order.queue
        due = [task_wakeup(task, now, rules) for task in queue.tasks if task.due(now)]
        if queue.due(now):
            due.append(queue_wakeup(queue))
        return [wakeup for wakeup in due if wakeup is not None]

    return wakeups


def work_of(  # noqa: PLR0913 - all that a commit is made of
    order: Order,
    step: Step,
    now: datetime,
    *,
    wakeups: Wakeups = no_wakeups,
    webhooks: Mapping[str, WebhookEventState],
    keys: AuditKeys = UNKEYED,
    rules: Rules = RULES,
) -> StepWrite:
    """Return the step with its audit lines and messages, ready to be committed."""
    key_id = order.signature.key_id
    changes = []
    lines = []
    for change in (_hashed(made, key_id, keys) for made in step.changes):
        line = audit_line(change, at=now, keys=keys)
        lines.append(line)
        after = sealed_task(change.after, line.hash, key_id, keys)
        changes.append(_to(change, after))
    queue_change = step.queue
    after_queue = step.after.with_tasks({c.after.task_id: c.after for c in changes})
    if queue_change is not None:
        line = audit_line(queue_change, at=now, keys=keys)
        lines.append(line)
        after_queue = sealed_queue(after_queue, line.hash, key_id, keys)
        queue_change = replace(queue_change, after=after_queue)
    finished_at = now if after_queue.final else None
    moved = replace(
        order, queue=after_queue, finished_at=order.finished_at or finished_at
    )
    told = [order_event(moved, a, now) for a in step.announcements]
    if step.cases:
        told += returns_told(moved, step, now)
    timers = [
        task_wakeup(c.after, now, rules) for c in changes if _is_later(c.after, now)
    ]
    if queue_change is not None and _is_later(after_queue, now):
        timers.append(queue_wakeup(after_queue, now))
    woken = [] if wakeups is no_wakeups else wakeups(_in_hand(moved, step), now)
    return StepWrite(
        order=moved,
        step=replace(step, changes=tuple(changes), queue=queue_change),
        lines=tuple(lines),
        messages=(*told, *traced_all((*timers, *woken), order.trace_parent)),
        at=now,
        webhooks=webhooks,
        woken=bool(woken),
    )


def _hashed(change: Change, key_id: str, keys: AuditKeys) -> Change:
    """Return the change with a hash of what its task came to, where it says so."""
    after = change.after
    if after.result is None or after.result is change.before.result:
        return change
    its = hash_of_result(after.task_id, after.result, key_id, keys)
    return replace(
        change,
        after=replace(after, result_hash=its),
        detail={**change.detail, RESULT: its},
    )


def _to(change: Change, after: Task) -> Change:
    """Return the change to a sealed row: made anew, which costs less than a copy."""
    return Change(
        before=change.before,
        after=after,
        trigger=change.trigger,
        actor=change.actor,
        detail=change.detail,
    )


def _in_hand(order: Order, step: Step) -> Order:
    """Return the order with those of its rows that the step has moved.

    In an order of several steps others may be due that somebody is at work on: they are
    woken by who has made them due.
    """
    queue = order.queue
    if all(task.step == 0 for task in queue.tasks):
        return order
    moved = {change.after.task_id for change in step.changes}
    tasks = tuple(task for task in queue.tasks if task.task_id in moved)
    wake_at = queue.wake_at if step.queue is not None else None
    return replace(order, queue=replace(queue, tasks=tasks, wake_at=wake_at))


def _is_later(row: Task | Queue, now: datetime) -> bool:
    return row.wake_at is not None and row.wake_at > now


def traced_all(
    messages: Iterable[Message | None], trace_parent: str | None
) -> list[Message]:
    """Return what there is of messages, with the order's own trace to go on in."""
    return [traced(each, trace_parent) for each in messages if each is not None]


def traced(message: Message, trace_parent: str | None) -> Message:
    """Return the message with the order's own trace to go on in."""
    if trace_parent is None:
        return message
    return replace(message, headers={**message.headers, **traced_by(trace_parent)})
