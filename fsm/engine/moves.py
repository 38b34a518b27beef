"""How a row of a table moves a task, and the change that its audit line is made of."""

from datetime import datetime
from typing import Any

from fsm.engine.lifecycle import Lifecycle
from fsm.engine.records import replace
from fsm.engine.rows import Task
from fsm.engine.steps import Change, Event
from fsm.engine.table import Keep, Row
from fsm.engine.words import EngineTrigger


def moved(
    lifecycle: Lifecycle[Any],
    task: Task,
    row: Row,
    event: Event,
    terms: Any,  # noqa: ANN401 - each lifecycle has its own
    now: datetime,
) -> Task:
    """Return the task as the row leaves it, and what is due then."""
    # Gathered, and copied once: each copy is of all columns.
    changes: dict[str, Any] = {
        "state": row.dest,
        "version": task.version + 1,
        "updated_at": moved_at(task, now),
        "cancel_requested": task.cancel_requested
        or event.trigger is EngineTrigger.CANCEL_REQUESTED,
        "provider_reference": task.provider_reference or event.reference,
        "webhook_sequence": newest(task, event),
    }
    if isinstance(row.then, Keep):
        return replace(task, **changes)
    if event.trigger in lifecycle.proposals:
        changes |= {"proposed_by": event.voter, "proposed_decision": event.decision}
        return replace(task, **changes)
    changes |= {"proposed_by": None, "proposed_decision": None}
    if row.then is None:
        return lifecycle.ended(replace(task, **changes), task, event)
    due = lifecycle.due[row.then]
    return due(replace(task, **changes, waiting_for=row.then), task, event, terms, now)


def moved_at(task: Task, now: datetime) -> datetime | None:
    """What is final keeps the time at which it became so."""
    return task.updated_at if task.final else now


def newest(task: Task, event: Event) -> int | None:
    """Return the highest number that the other side has given to what it said."""
    heard, said = task.webhook_sequence, event.sequence
    return heard if said is None else said if heard is None else max(heard, said)


def change_of(task: Task, after: Task, event: Event) -> Change:
    """Return the change that an event has made of a task."""
    said = (
        ("code", event.code),
        ("message", event.message),
        ("reference", event.reference),
        ("decision", event.decision),
        ("person", event.person),
    )
    detail: dict[str, object] = {"source": str(event.source), **event.detail}
    detail |= {name: value for name, value in said if value is not None}
    return Change(
        before=task,
        after=after,
        trigger=str(event.trigger),
        actor=event.actor,
        detail=detail,
    )
