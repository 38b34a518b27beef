"""Prints an order part by part: attempts, audit trail, timers and open cases."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from fsm.domain.events import stamp
from fsm.domain.explain import Attempt, in_words, name_of, proposals
from fsm.domain.masking import masked
from fsm.domain.money import with_money
from fsm.domain.orders import Order
from fsm.engine.rows import Queue, Task
from handlers.ports.reads import (
    AuditEntry,
    CaseRecord,
)
from payment_service.cli.printing import (
    heading,
    print_pairs,
    print_prose,
    print_table,
)
from payment_service.cli.tables import Fall
from payment_service.wire.views import (
    View,
    event_view,
    order_view,
)

TRAIL: Final = Fall(
    first=("version", "actor", "at", "trigger"),
    prose=("detail",),
)


def timers(order: Order) -> list[dict[str, Any]]:
    """Return what is waited for, and until when, of an order and its tasks."""
    now = datetime.now(UTC)
    rows: list[tuple[str | None, Task | Queue]] = [
        *((task.task_id, task) for task in order.queue.tasks),
        (None, order.queue),
    ]
    return [
        {
            "task_id": task_id,
            "waiting_for": row.waiting_for.value,
            "wake_at": stamp(row.wake_at) if row.wake_at else None,
            "due": row.wake_at is not None and row.wake_at <= now,
        }
        for task_id, row in rows
        if row.waiting_for is not None
    ]


def print_order(order: Order) -> None:
    """Print what an order is about and how it stands."""
    view: View = order_view(order)
    told = view["customer_message"]
    names = ("order_id", "queue_id", "kind", "merchant_id", "customer_id")
    print_pairs(
        {
            **{name: view[name] for name in names},
            "amount": order.money,
            "state": view["state"],
            "created_at": view["created_at"],
            "finished_at": view["finished_at"],
            "result": view.get("result"),
            "cancel": "requested" if order.queue.cancel_requested else None,
            "customer_message": told and f"{told['text']} ({told['code']})",
        }
    )


def print_attempts(attempts: Sequence[Attempt]) -> None:
    """Print why each attempt was made, passed over or stopped at."""
    heading("Attempts")
    print_prose(in_words(attempts))
    for attempt in attempts:
        task = attempt.task
        terminal = f" ({task.terminal_id})" if task.terminal_id else ""
        at = f" at {task.provider}" if task.name and task.provider else ""
        print_prose(f"{task.position}. {name_of(task)}{at}{terminal}: {task.state}")
        print_prose(f"task {task.task_id}, version {task.version}", indent=3)
        for sentence in attempt.because:
            print_prose(sentence, indent=3)


def print_proposals(trail: Sequence[AuditEntry]) -> None:
    """Print what waits for somebody with a key, where there is any."""
    told = proposals([entry.line for entry in trail])
    if told:
        heading("Proposed without a key")
    for each in told:
        print_prose(each)


def row_of(entry: AuditEntry, places: Mapping[str, int]) -> Sequence[object]:
    """Return a line of the trail for people; ``places`` are the tasks' positions."""
    view, line = event_view(entry), entry.line
    place = "order" if line.task_id is None else f"task {places[line.task_id]}"
    move = f"{line.source or '∅'} → {line.target}"
    detail = with_money(view["detail"]) or ""
    told = (line.version, move, line.trigger, line.actor, detail)
    return (view["at"], place, *told)


def print_trail(
    order: Order, trail: Sequence[AuditEntry], *, wide: bool = False
) -> None:
    """Print the audit trail of an order and its tasks."""
    heading("Audit trail")
    places = {task.task_id: task.position for task in order.queue.tasks}
    rows = [row_of(entry, places) for entry in trail]
    columns = ("at", "of", "version", "move", "trigger", "actor", "detail")
    print_table(columns, rows, empty="There is none.", fall=TRAIL, wide=wide)


def print_timers(order: Order, *, wide: bool) -> None:
    """Print what an order waits for."""
    heading("Timers")
    print_table(
        ("task", "waits for", "until", "due"),
        [
            (t["task_id"] or "the order", t["waiting_for"], t["wake_at"], t["due"])
            for t in timers(order)
        ],
        empty="Nothing is waited for.",
        fall=Fall(first=("due", "until")),
        wide=wide,
    )


def print_cases(cases: Sequence[CaseRecord], *, wide: bool) -> None:
    """Print the cases that are open."""
    heading("Open cases")
    print_table(
        ("case", "kind", "task", "opened", "detail"),
        [
            (case.id, case.kind, case.task_id, stamp(case.opened_at), detail)
            for case in cases
            for detail in (with_money(masked(case.detail, "detail")),)
        ],
        empty="None.",
        fall=Fall(first=("opened", "task"), prose=("detail",)),
        wide=wide,
    )
