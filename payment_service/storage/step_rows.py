"""The parameters of the statement that records steps: rows as JSON, by table."""

from collections.abc import Sequence
from typing import Final

from fsm.engine.graph import begins
from fsm.engine.rows import Queue, Task
from fsm.engine.steps import Change, QueueChange, Step
from handlers.ports.store import StepWrite
from payment_service.storage.outbox_rows import message_row
from payment_service.storage.record import Parts
from payment_service.storage.rows import (
    Json,
    as_json,
    case_move_row,
    case_row,
    event_row,
    hexed,
    queue_row,
    result_row,
    task_row,
)

TURNS: Final[Json] = {"turns": True}
"""What a row says whose turn begins; every other says nothing of it."""


def record_rows(works: Sequence[StepWrite]) -> dict[str, str]:
    """Return the parameters of RECORD, all but the rows that were published.

    Each row names its step by the place of that in ``works``.
    """
    every = list(enumerate(works))
    return {
        **_moved(works),
        "events": as_json(
            [_of_step(n, event_row(line)) for n, w in every for line in w.lines]
        ),
        **_about_cases(every),
        "webhook": as_json(
            [
                {"step": n, "inbox_id": int(inbox_id), "state": state}
                for n, w in every
                for inbox_id, state in w.webhooks.items()
            ]
        ),
        "messages": as_json(
            [
                {"step": n, "message": message_row(m, w.order)}
                for n, w in every
                for m in w.messages
            ]
        ),
        "results": as_json(
            [
                {"step": n, **result_row(change.after)}
                for n, w in every
                for change in w.step.changes
                if _comes_to(change)
            ]
        ),
    }


def _about_cases(every: Sequence[tuple[int, StepWrite]]) -> dict[str, str]:
    """Return the cases that steps open, and what they do to those that there are."""
    return {
        "cases": as_json(
            [
                {"step": n, **case_row(each, w.order, w.at)}
                for n, w in every
                for each in w.step.cases
            ]
        ),
        "case_moves": as_json(
            [
                {"step": n, **case_move_row(move, w)}
                for n, w in every
                for move in w.step.case_moves
            ]
        ),
    }


def parts_of(works: Sequence[StepWrite]) -> Parts:
    """Return what RECORD has to have for these steps beside the tasks that lead."""
    return Parts(
        others=any(_has_others(work.step) for work in works),
        queues=any(work.step.queue is not None for work in works),
        webhook=any(work.webhooks for work in works),
        cases=any(work.step.cases or work.step.case_moves for work in works),
        results=any(_comes_to(c) for work in works for c in work.step.changes),
    )


def _comes_to(change: Change) -> bool:
    """Tell whether a task comes to something; that it did so twice is refused."""
    return change.after.result is not change.before.result


def _has_others(step: Step) -> bool:
    leader = _leader(step)
    return leader is None or any(change is not leader for change in step.changes)


def _moved(works: Sequence[StepWrite]) -> dict[str, str]:
    """Return the steps, and the rows that they move."""
    steps: list[Json] = []
    tasks: list[Json] = []
    queues: list[Json] = []
    # Whoever moves the same rows takes them in the same order: see RECORD.
    for step, work in sorted(enumerate(works), key=_queue_of_numbered):
        changes, queue = work.step.changes, work.step.queue
        leader = _leader(work.step)
        steps.append(
            {
                "step": step,
                "led": leader is not None,
                # What is held before: all but the one that leads.
                "tasks": sum(change is not leader for change in changes),
                "queues": int(queue is not None and queue is not leader),
                "webhook": len(work.webhooks),
            }
        )
        tasks += [
            task_row(change.after)
            | {
                "step": step,
                "leads": change is leader,
                **_base(change.before),
                # The first change is the task's that the webhook is about.
                "settles_webhook": bool(work.webhooks) and change is changes[0],
                **(TURNS if begins(change) else {}),
            }
            for change in sorted(changes, key=_position, reverse=True)
        ]
        if queue is not None:
            leads, base = queue is leader, _base(queue.before)
            row = queue_row(queue.after, work)
            queues.append({"step": step, "leads": leads, **base, **row})
    return {
        "steps": as_json(steps),
        "tasks": as_json(tasks),
        "queues": as_json(queues),
    }


def _of_step(step: int, row: Json) -> Json:
    """Name its step in a row that was made for it."""
    row["step"] = step
    return row


def _queue_of_numbered(numbered: tuple[int, StepWrite]) -> str:
    return numbered[1].order.queue_id


def _position(change: Change) -> int:
    return change.after.position


def _leader(step: Step) -> Change | QueueChange | None:
    """Return what of a step is moved first, and not held before: see RECORD.

    Where that would take a turn that another has to end first there is none.
    """
    if not step.changes:
        return step.queue
    first = min(step.changes, key=_position)
    return None if begins(first) and len(step.changes) > 1 else first


def _base(before: Task | Queue) -> Json:
    """Return what a row must be for a step that was decided on it."""
    return {"base": before.version, "base_hash": hexed(before.audit_hash)}
