"""Rows to and from the words of the business; pure, in both directions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from fsm.domain.audit import AuditLine
from fsm.domain.binding import Signature
from fsm.domain.canonical import written
from fsm.domain.case_events import case_opened, case_settled
from fsm.domain.cases import case_id, money_at_risk
from fsm.domain.errors import BrokenInvariant
from fsm.domain.messages import Message
from fsm.domain.orders import Order, money_for
from fsm.engine.flow import Rules
from fsm.engine.rows import Queue, Task
from fsm.engine.steps import Case, CaseMove
from fsm.engine.words import UNSETTLED, EngineWait, Kind, OrderState, State, Verdict
from fsm.flows import RULES
from handlers.ports.store import NewOrder, StepWrite

Json = dict[str, Any]


def hexed(value: bytes) -> str:
    """Write bytes as PostgreSQL reads them from text."""
    return "\\x" + value.hex()


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def time_from(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _canonical(content: object) -> bytes | None:
    return None if content is None else written(content)


def order_from(text: str, rules: Rules = RULES) -> Order:
    """Read an order from the JSON of the LOAD statement, in the words of ``rules``."""
    row: Json = orjson.loads(text)
    request = row["request"]
    return Order(
        queue=_queue_from(row, rules),
        order_id=row["order_id"],
        merchant_id=row["merchant_id"],
        customer_id=row["customer_id"],
        money=money_for(Kind(row["kind"]), row["amount"], row["currency"]),
        destination=request["destination"],
        metadata=request["metadata"],
        details=request.get("details", {}),
        content_hash=_bytes(row["content_hash"]),
        created_at=datetime.fromisoformat(row["created_at"]),
        finished_at=time_from(row["finished_at"]),
        trace_parent=row["trace_parent"],
        signature=Signature(row["signed_by"], _bytes(row["signature"])),
    )


def _queue_from(row: Json, rules: Rules) -> Queue:
    """Read an order's own row, and its tasks."""
    queue_id, kind = row["queue_id"], Kind(row["kind"])
    steps = len(rules.flows[kind, row["flow_version"]].steps)
    tasks: list[Json] = row["tasks"]
    for task in tasks if row["results"] is not None else ():
        task.update(row["results"].get(task["task_id"], {}))
    if any(task["step"] >= steps for task in tasks):
        raise ValueError("a task is of a step that its flow does not have")
    return Queue(
        queue_id=queue_id,
        kind=kind,
        flow_version=row["flow_version"],
        exclusive_key=row["exclusive_key"],
        state=OrderState(row["state"]),
        version=row["version"],
        cancel_requested=row["cancel_requested"],
        waiting_for=EngineWait(row["waiting_for"]) if row["waiting_for"] else None,
        wake_at=time_from(row["wake_at"]),
        tries=row["tries"],
        loaded=_canonical(row["loaded"]),
        customer_message=row["customer_message"],
        audit_hash=_bytes(row["audit_hash"]),
        tasks=tuple(task_from(task, queue_id, rules) for task in tasks),
    )


def task_from(row: Json, queue_id: str, rules: Rules) -> Task:
    """Read one task, in the words of its lifecycle."""
    lifecycle = rules.lifecycle(row["lifecycle"])
    return Task(
        task_id=row["task_id"],
        queue_id=queue_id,
        position=row["position"],
        lifecycle=lifecycle.name,
        step=row["step"],
        name=row["name"],
        provider=row["provider"] or "",
        terminal_id=row["terminal_id"],
        sla=row["sla"],
        state=State(row["state"]),
        version=row["version"],
        waiting_for=lifecycle.waiting(row["waiting_for"]),
        wake_at=time_from(row["wake_at"]),
        tries=row["tries"],
        verdict=Verdict(row["verdict"]) if row["verdict"] else None,
        taken=row["taken"],
        cancel_requested=row["cancel_requested"],
        webhook_pending=row["webhook_pending"],
        sent_first_at=time_from(row["sent_first_at"]),
        sent_last_at=time_from(row["sent_last_at"]),
        sla_at=time_from(row["sla_at"]),
        deadline_at=time_from(row["deadline_at"]),
        provider_reference=row["provider_reference"],
        webhook_sequence=row["webhook_sequence"],
        returned=row["returned"],
        code=row["code"],
        proposed_by=row["proposed_by"],
        proposed_decision=row["proposed_decision"],
        result=_canonical(row.get("result")),
        result_hash=row.get("result_hash"),
        audit_hash=_bytes(row["audit_hash"]),
        created_at=time_from(row["created_at"]),
        updated_at=time_from(row["updated_at"]),
    )


def task_row(task: Task) -> Json:
    """Write the columns of a task that a step may move."""
    return {
        "task_id": task.task_id,
        "state": task.state,
        "version": task.version,
        "waiting_for": task.waiting_for,
        "wake_at": task.wake_at,
        "tries": task.tries,
        "verdict": task.verdict,
        "taken": task.taken,
        "cancel_requested": task.cancel_requested,
        "sent_first_at": task.sent_first_at,
        "sent_last_at": task.sent_last_at,
        "sla_at": task.sla_at,
        "deadline_at": task.deadline_at,
        "provider_reference": task.provider_reference,
        "webhook_sequence": task.webhook_sequence,
        "returned": task.returned,
        "code": task.code,
        "proposed_by": task.proposed_by,
        "proposed_decision": task.proposed_decision,
        "audit_hash": hexed(task.audit_hash),
        "updated_at": task.updated_at,
    }


def result_row(task: Task) -> Json:
    """Write what a task came to; nothing is not written over something."""
    if task.result is None or task.result_hash is None:
        raise BrokenInvariant("pk_order_task_results")
    return {
        "queue_id": task.queue_id,
        "task_id": task.task_id,
        "result_hash": f"\\x{task.result_hash}",
        "result": orjson.Fragment(task.result),
    }


def queue_row(queue: Queue, work: StepWrite) -> Json:
    """Write the columns of an order's own row that a step may move."""
    change = work.step.queue
    load = change is not None and change.before.loaded is None and queue.loaded
    told = queue.customer_message
    return {
        **({"loaded": orjson.Fragment(load)} if load else {}),
        **({"customer_message": told} if told is not None else {}),
        "queue_id": queue.queue_id,
        "state": queue.state,
        "version": queue.version,
        "cancel_requested": queue.cancel_requested,
        "waiting_for": queue.waiting_for,
        "wake_at": queue.wake_at,
        "tries": queue.tries,
        "audit_hash": hexed(queue.audit_hash),
        "updated_at": work.at,
        "finished_at": work.at if queue.final else None,
    }


def event_row(line: AuditLine) -> Json:
    """Write an audit line."""
    return {
        "entity_id": line.entity_id,
        "queue_id": line.queue_id,
        "version": line.version,
        "source": line.source,
        "target": line.target,
        "trigger": line.trigger,
        "actor": line.actor,
        "at": line.at,
        "trace_id": line.trace_id,
        "detail": line.detail,
        "key_id": line.key_id,
        "hash": hexed(line.hash),
    }


NO_CASE: Final = ""
"""Stands for the id of a case that the statement finds."""


def case_row(case: Case, order: Order, at: datetime) -> Json:
    """Write a case; its id is derived, so that no replay opens it twice."""
    task, opened = order.task(case.task_id), case_opened(order, case, at)
    return {
        **told_row(opened),
        "id": case_id(case, task.version),
        "kind": case.kind,
        "queue_id": order.queue_id,
        "order_id": order.order_id,
        "task_id": case.task_id,
        "provider": task.provider or None,
        "amount": order.money and order.money.amount,
        "currency": order.money and order.money.currency,
        "money_at_risk": money_at_risk(case, order.money),
        "detail": case.detail,
        "state": case.state,
        "opened_at": at,
    }


def told_row(message: Message) -> Json:
    """Write the event that is told where the row that it is about is written."""
    return {
        "message_id": message.message_id,
        "subject": message.subject,
        "told": message.body.decode(),
        "headers": dict(message.headers) or None,
    }


def case_move_row(move: CaseMove, work: StepWrite) -> Json:
    """Write what becomes of the open cases about a return.

    Only their rows know which they are: those that are over are told of by their ids.
    """
    over = move.state not in UNSETTLED
    settled = case_settled(work.order, move, NO_CASE, work.at)
    return {
        **(told_row(settled) if over else {}),
        "queue_id": work.order.queue_id,
        "task_id": move.task_id,
        "state": move.state,
        "closed_at": work.at if over else None,
        "closed_by": move.actor if over else None,
        "reason": move.reason,
    }


def new_order_row(new: NewOrder) -> Json:
    """Write the row of a new order."""
    order, request = new.order, new.request
    return {
        "queue_id": order.queue_id,
        "kind": request.kind,
        "flow_version": order.queue.flow_version,
        "exclusive_key": order.queue.exclusive_key,
        "order_id": request.order_id,
        "merchant_id": request.merchant_id,
        "customer_id": request.customer_id,
        "amount": request.money and request.money.amount,
        "currency": request.money and request.money.currency,
        "waiting_for": order.queue.waiting_for,
        "wake_at": order.queue.wake_at,
        "request": {
            "destination": dict(request.destination),
            "metadata": dict(request.metadata),
            **({"details": dict(request.details)} if request.details else {}),
        },
        "content_hash": hexed(order.content_hash),
        "trace_parent": order.trace_parent,
        "signed_by": order.signature.key_id,
        "signature": hexed(order.signature.mac),
        "audit_hash": hexed(order.queue.audit_hash),
        "created_at": order.created_at,
    }


def new_task_row(task: Task) -> Json:
    """Write the row of a new task."""
    return {
        "task_id": task.task_id,
        "queue_id": task.queue_id,
        "position": task.position,
        "lifecycle": task.lifecycle,
        "state": task.state,
        "step": task.step,
        "name": task.name,
        "provider": task.provider or None,
        "terminal_id": task.terminal_id,
        "sla": task.sla,
        "waiting_for": task.waiting_for,
        "wake_at": task.wake_at,
        "audit_hash": hexed(task.audit_hash),
        "created_at": task.created_at,
    }


def as_json(rows: Sequence[Mapping[str, object]]) -> str:
    """Write rows as the one parameter they travel in."""
    try:
        return orjson.dumps(rows).decode()
    except orjson.JSONEncodeError as error:
        raise BrokenInvariant(f"a row cannot be written: {error}") from error
