"""Messages: the subjects, and how each one can be made again from a row."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import orjson

from fsm.engine.flow import Rules
from fsm.engine.records import quickly_made
from fsm.engine.rows import Queue, Task
from fsm.engine.words import EngineWait

WITHDRAWAL_REQUESTED: Final = "withdrawal.requested"
WITHDRAWAL_CANCEL: Final = "withdrawal.cancel.requested"
STEP_DUE: Final = "order.task.step.due"
RECHECK_TICK: Final = "order.task.recheck.tick"
WEBHOOK_TIMEOUT: Final = "order.task.webhook.timeout"
WEBHOOK_RECEIVED: Final = "order.task.webhook.received"
STATUS_TICK: Final = "order.task.status.tick"
STATUS_TIMEOUT: Final = "order.task.status.timeout"
MANUAL_RESOLVED: Final = "order.task.manual.resolved"
TASK_CANCEL: Final = "order.task.cancel.requested"
QUEUE_CANCEL: Final = "order.queue.cancel.requested"
NOTIFICATION_DUE: Final = "order.queue.notification.due"
LOAD_DUE: Final = "order.queue.load.due"
DEAD_LETTER: Final = "order.task.dlq"

SCHEDULES: Final = "order.timer"
"""Schedules' own subjects are ``order.timer.{task_id}.{version}``."""

_TRACE_PARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def trace_parent_of(text: str | None) -> str | None:
    """Return a W3C ``traceparent`` as it came in, None for what is none."""
    if text is None or _TRACE_PARENT.fullmatch(text) is None:
        return None
    return text


def trace_parent_in(headers: Mapping[str, str]) -> str | None:
    """Return the ``traceparent`` among headers, however its sender spelt the name."""
    found = (v for n, v in headers.items() if n.lower() == "traceparent")
    return trace_parent_of(next(found, None))


def trace_id_of(trace_parent: str | None) -> str | None:
    """Return the trace id of a W3C ``traceparent``."""
    parts = (trace_parent or "").split("-")
    return parts[1] if len(parts) == 4 else None  # noqa: PLR2004 - its four fields


def traced_by(trace_parent: str | None) -> dict[str, str]:
    """Return the headers by which what follows of a message goes on in a trace."""
    return {} if trace_parent is None else {"traceparent": trace_parent}


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Something to publish: at once, or on the server's clock at ``at``.

    ``message_id`` is derived from its cause and becomes the ``Nats-Msg-Id``.
    """

    subject: str
    body: bytes
    message_id: str
    headers: Mapping[str, str] = field(default_factory=dict)
    at: datetime | None = None
    schedule: str | None = None
    queue_id: str | None = None


def _wakeup(
    subject: str, row: Task | Queue, *, at: datetime | None = None, again: str = ""
) -> Message:
    body: dict[str, object] = {"queue_id": row.queue_id, "version": row.version}
    entity = row.queue_id
    if isinstance(row, Task):
        body = {"task_id": row.task_id, **body}
        entity = row.task_id
    cause = f"{entity}:{row.version}:{subject}"
    return Message(
        subject=subject,
        body=orjson.dumps(body),
        message_id=f"{cause}:{again}" if again else cause,
        at=at,
        schedule=None if at is None else f"{SCHEDULES}.{entity}.{row.version}",
        queue_id=row.queue_id,
    )


def subject_for(task: Task, rules: Rules) -> str:
    """Return the subject of the message that drives a task from where it is."""
    if task.waiting_for is None:
        return STEP_DUE
    timer = rules.of(task).timers.get(task.waiting_for)
    return STEP_DUE if timer is None else timer.subject_of(task)


def task_wakeup(
    task: Task, now: datetime, rules: Rules, *, again: str = ""
) -> Message | None:
    """Return the message a task needs to go on, or None if nothing is due ever.

    ``again`` tells a repeat from the first ring, which JetStream would drop.
    """
    if task.wake_at is None:
        return None
    at = task.wake_at if task.wake_at > now else None
    return _wakeup(subject_for(task, rules), task, at=at, again=again)


def queue_wakeup(
    queue: Queue, now: datetime | None = None, *, again: str = ""
) -> Message | None:
    """Return the message that lets an order's own row do what is due; None if nothing.

    That is to tell core the outcome, or to fetch what its steps need. What is due after
    ``now`` comes then; without it, it comes at once.
    """
    if queue.wake_at is None:
        return None
    at = None if now is None or queue.wake_at <= now else queue.wake_at
    loads = queue.waiting_for is EngineWait.LOAD
    subject = LOAD_DUE if loads else NOTIFICATION_DUE
    return _wakeup(subject, queue, at=at, again=again)


def resolved_wakeup(task: Task) -> Message:
    """A person's decision is in the row: go on with it."""
    return _wakeup(MANUAL_RESOLVED, task)


def step_wakeup(task: Task) -> Message:
    """A call is due from the row: go on with it."""
    return _wakeup(STEP_DUE, task)


def cancel_wakeup(row: Task | Queue) -> Message:
    """A cancellation is in the row: go on with it."""
    return _wakeup(TASK_CANCEL if isinstance(row, Task) else QUEUE_CANCEL, row)
