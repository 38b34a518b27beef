"""Draws what the service shows: the same views for HTTP, command line and console."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from fsm.domain.audit import AuditLine
from fsm.domain.errors import InvalidRequest
from fsm.domain.events import stamp
from fsm.domain.explain import Attempt, explain, in_words
from fsm.domain.letters import DeadLetter
from fsm.domain.masking import masked, shortened_number
from fsm.domain.orders import Order, Submission
from fsm.domain.strict_json import SIZE_MAX, require_depth
from fsm.engine.rows import Task
from handlers.ports.reads import AuditEntry, CaseRecord

View = dict[str, Any]


def order_view(order: Order) -> View:
    """Return an order with its tasks (contract, section 8)."""
    head = {
        "order_id": order.order_id,
        "queue_id": order.queue_id,
        "kind": order.queue.kind.value,
        "merchant_id": order.merchant_id,
        "customer_id": order.customer_id,
        "state": order.queue.state.value,
        "amount": order.money.amount,
        "currency": order.money.currency,
        "created_at": stamp(order.created_at),
        "finished_at": _stamp(order.finished_at),
        "customer_message": order.customer_message,
    }
    return {**_seen(head), "tasks": [task_view(task) for task in order.queue.tasks]}


def explanation_view(
    order: Order, trail: Sequence[AuditLine]
) -> tuple[list[View], str]:
    """Return why each provider was tried, passed over or stopped at; and in words."""
    attempts = explain(order, trail)
    return [_attempt_view(attempt) for attempt in attempts], in_words(attempts)


def _attempt_view(attempt: Attempt) -> View:
    task, line = attempt.task, attempt.proof
    proof = None
    if line is not None:
        proof = {
            "trigger": line.trigger,
            "actor": line.actor,
            "at": stamp(line.at),
            "version": line.version,
            "detail": line.detail,
        }
    told = {
        "task_id": task.task_id,
        "position": task.position,
        "provider": task.provider,
        "outcome": task.state.value,
        "because": [*attempt.because],
        "proof": proof,
        "words": attempt.words,
    }
    return _seen(told)


def task_view(task: Task) -> View:
    """Return one task; what there is none of is left out."""
    # People look for it at the provider, so enough of it stays to find it there.
    reference = task.provider_reference and shortened_number(task.provider_reference)
    told = {
        "task_id": task.task_id,
        "position": task.position,
        "name": task.provider,
        "state": task.state.value,
        "version": task.version,
        **_given(
            provider=task.provider,
            terminal_id=task.terminal_id,
            provider_reference=reference,
            code=task.code,
            waiting_for=task.waiting_for and task.waiting_for.value,
            wake_at=_stamp(task.wake_at),
        ),
        "created_at": _stamp(task.created_at),
        "updated_at": _stamp(task.updated_at),
    }
    return _seen(told)


def event_view(entry: AuditEntry) -> View:
    """Return one line of the audit trail."""
    line = entry.line
    told = {
        "seq": entry.seq,
        "task_id": line.task_id,
        "from": line.source,
        "to": line.target,
        "trigger": line.trigger,
        "actor": line.actor,
        "at": stamp(line.at),
        "version": line.version,
        "trace_id": line.trace_id,
        "detail": line.detail,
    }
    return _seen(told)


def case_view(case: CaseRecord, now: datetime | None = None) -> View:
    """Return a case; with ``now`` also how old it is, or was when it was over."""
    until = case.closed_at or now
    age = None if until is None else int((until - case.opened_at).total_seconds())
    told = {
        "id": case.id,
        "kind": case.kind.value,
        "order_id": case.order_id,
        "queue_id": case.queue_id,
        "task_id": case.task_id,
        "state": case.state.value,
        "money_at_risk": case.money_at_risk,
        "currency": case.currency,
        "opened_at": stamp(case.opened_at),
        **_given(
            owner=case.owner,
            close_voter=case.close_voter,
            age_seconds=age,
            closed_at=_stamp(case.closed_at),
            reason=case.reason,
        ),
        "detail": case.detail,
    }
    return _seen(told)


def dead_letter_view(letter: DeadLetter) -> View:
    """Return a dead letter as lists show it: without its body."""
    told = {
        "id": letter.id,
        "subject": letter.subject,
        "reason": letter.reason.value,
        "error": letter.error,
        "at": stamp(letter.at),
        **_given(task_id=letter.task_id, order_id=letter.order_id),
        "deliveries": letter.deliveries,
    }
    return _seen(told)


def dead_letter_whole(letter: DeadLetter) -> View:
    """Return a dead letter with its headers and its masked body."""
    return {
        **dead_letter_view(letter),
        **_given(queue_id=letter.queue_id),
        "headers": masked(letter.headers),
        "body": masked_body(letter.body),
    }


def answer_view(submission: Submission) -> View:
    """Return the answer to a request that was read (contract, section 3)."""
    return {
        "order_id": submission.order_id,
        **_given(queue_id=submission.queue_id),
        "status": submission.status,
    }


def rejection_view(refusal: InvalidRequest) -> View:
    """Return the answer to a request that could not be accepted."""
    told = {
        **_given(order_id=refusal.order_id),
        "status": "rejected",
        "error": refusal.problem,
    }
    return _seen(told)


def masked_body(body: bytes) -> object:
    """Return what a dead message says, masked; hidden where it cannot be read."""
    hidden = f"({len(body)} bytes that cannot be read as JSON are not shown)"
    if len(body) > SIZE_MAX:
        return hidden
    try:
        tree = orjson.loads(body)
        require_depth(tree)
    except (orjson.JSONDecodeError, InvalidRequest):
        return hidden
    # A bare string or number has no field that says whether it is secret.
    return masked(tree) if isinstance(tree, dict | list) else hidden


def _seen(told: View) -> View:
    """Return a view without what must not be seen."""
    return {name: masked(value, name) for name, value in told.items()}


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else stamp(at)


def _given(**fields: object) -> View:
    return {name: value for name, value in fields.items() if value is not None}
