"""Draws what the service shows: the same views for HTTP, command line and console."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, TypeVar, cast

import orjson

from fsm.domain.audit import AuditLine
from fsm.domain.dead_letters import DeadLetter
from fsm.domain.errors import InvalidRequest
from fsm.domain.events import result_of, stamp
from fsm.domain.explain import Attempt, explain, in_words, name_of
from fsm.domain.masking import masked, shortened_number
from fsm.domain.orders import Order
from fsm.domain.strict_json import SIZE_MAX, require_depth
from fsm.engine.rows import Task
from fsm.flows import RULES
from handlers.ports.reads import AuditEntry, CaseRecord, Page, ProviderStatus
from payment_service.wire.customer import LANGUAGES, shown
from payment_service.wire.shapes import (
    AttemptShape,
    CaseShape,
    DeadLetterShape,
    EventShape,
    LeftOutShape,
    LinkResult,
    OrderShape,
    ProofShape,
    ProviderShape,
    TaskShape,
    WaitingFor,
)

View = Mapping[str, Any]
Shown = TypeVar("Shown", bound=View)


def order_view(order: Order, language: str = LANGUAGES[0]) -> OrderShape:
    """Return an order with its tasks (contract, section 8).

    What its customer is told is in that language, but for words of somebody's own.
    """
    told: OrderShape = {
        "order_id": order.order_id,
        "queue_id": order.queue_id,
        "kind": order.queue.kind,
        "merchant_id": order.merchant_id,
        "customer_id": order.customer_id,
        "state": order.queue.state,
        "amount": None if order.money is None else order.money.amount,
        "currency": None if order.money is None else order.money.currency,
        "created_at": stamp(order.created_at),
        "finished_at": stamp_or_none(order.finished_at),
        "customer_message": shown(order.customer_message, language),
        "result": cast("LinkResult | None", result_of(order, RULES)),
        "tasks": [],
    }
    tasks = [task_view(task) for task in order.queue.tasks]
    return {**seen(told, left_out=OrderShape.__optional_keys__), "tasks": tasks}


def explanation_view(
    order: Order, trail: Sequence[AuditLine]
) -> tuple[list[AttemptShape], str]:
    """Return why each provider was tried, passed over or stopped at; and in words."""
    attempts = explain(order, trail, RULES)
    return [_attempt_view(attempt) for attempt in attempts], in_words(attempts)


def _attempt_view(attempt: Attempt) -> AttemptShape:
    task, line = attempt.task, attempt.proof
    proof: ProofShape | None = None
    if line is not None:
        proof = {
            "trigger": line.trigger,
            "actor": line.actor,
            "at": stamp(line.at),
            "version": line.version,
            "detail": line.detail,
        }
    told: AttemptShape = {
        "task_id": task.task_id,
        "position": task.position,
        "name": name_of(task),
        "provider": task.provider or None,
        "outcome": task.state,
        "because": [*attempt.because],
        "proof": proof,
        "words": attempt.words,
    }
    return seen(told, left_out=AttemptShape.__optional_keys__)


def task_view(task: Task) -> TaskShape:
    """Return one task; what there is none of is left out."""
    # People look for it at the provider, so enough of it stays to find it there.
    reference = task.provider_reference and shortened_number(task.provider_reference)
    told: TaskShape = {
        "task_id": task.task_id,
        "position": task.position,
        "name": name_of(task),
        "state": task.state,
        "version": task.version,
        "provider": task.provider or None,
        "terminal_id": task.terminal_id,
        "provider_reference": reference,
        "code": task.code,
        "waiting_for": cast("WaitingFor | None", task.waiting_for),
        "wake_at": stamp_or_none(task.wake_at),
        "created_at": stamp_or_none(task.created_at),
        "updated_at": stamp_or_none(task.updated_at),
    }
    return seen(told, left_out=TaskShape.__optional_keys__)


def events_view(trail: Sequence[AuditEntry]) -> list[EventShape]:
    """Return an order's trail; the trace that it names first is that of every line."""
    named = (entry.line.trace_id for entry in trail if entry.line.trace_id)
    trace_id = next(named, None)
    return [event_view(entry, trace_id) for entry in trail]


def event_view(entry: AuditEntry, trace_id: str | None = None) -> EventShape:
    """Return one line of the audit trail, in this trace unless it names one."""
    line = entry.line
    told: EventShape = {
        "seq": entry.seq,
        "task_id": line.task_id,
        "from": line.source,
        "to": line.target,
        "trigger": line.trigger,
        "actor": line.actor,
        "at": stamp(line.at),
        "version": line.version,
        "trace_id": line.trace_id or trace_id,
        "detail": line.detail,
    }
    return seen(told)


def left_out_of(page: Page[Order]) -> LeftOutShape:
    """Return how many a list leaves out, where it leaves out any."""
    return {"left_out": page.left_out} if page.left_out else {}


def case_view(case: CaseRecord, now: datetime) -> CaseShape:
    """Return a case; how old it is, or was when it was over, in whole seconds."""
    age = int(((case.closed_at or now) - case.opened_at).total_seconds())
    told: CaseShape = {
        "id": case.id,
        "kind": case.kind,
        "order_id": case.order_id,
        "queue_id": case.queue_id,
        "task_id": case.task_id,
        "state": case.state,
        "money_at_risk": case.money_at_risk,
        "currency": case.currency,
        "opened_at": stamp(case.opened_at),
        "owner": case.owner,
        "close_voter": case.close_voter,
        "age_seconds": age,
        "closed_at": stamp_or_none(case.closed_at),
        "reason": case.reason,
        "detail": case.detail,
    }
    return seen(told, left_out=CaseShape.__optional_keys__)


def dead_letter_view(letter: DeadLetter) -> DeadLetterShape:
    """Return a dead letter as lists show it: without its body."""
    told: DeadLetterShape = {
        "id": letter.id,
        "subject": letter.subject,
        "reason": letter.reason,
        "error": letter.error,
        "at": stamp(letter.at),
        "task_id": letter.task_id,
        "order_id": letter.order_id,
        "deliveries": letter.deliveries,
    }
    return seen(told, left_out=DeadLetterShape.__optional_keys__)


def dead_letter_whole(letter: DeadLetter) -> View:
    """Return a dead letter with its headers and its masked body."""
    queue = {} if letter.queue_id is None else {"queue_id": letter.queue_id}
    return {
        **dead_letter_view(letter),
        **queue,
        "headers": masked(letter.headers),
        "body": masked_body(letter.body),
    }


def provider_view(status: ProviderStatus) -> ProviderShape:
    """Return how a provider does."""
    told: ProviderShape = {
        "name": status.name,
        "adapter": status.adapter,
        "state": status.state,
        "in_flight": status.in_flight,
        "success_rate": status.success_rate,
        "because": status.because,
    }
    return given(told, ProviderShape.__optional_keys__)


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


def seen(told: Shown, *, left_out: AbstractSet[str] = frozenset()) -> Shown:
    """Return a view without what must not be seen, and what there is none of."""
    shown = given(told, left_out)
    return cast("Shown", {name: masked(value, name) for name, value in shown.items()})


def given(told: Shown, left_out: AbstractSet[str]) -> Shown:
    """Return a view without those of these fields of which there are none."""
    kept = {
        name: value
        for name, value in told.items()
        if value is not None or name not in left_out
    }
    return cast("Shown", kept)


def stamp_or_none(at: datetime | None) -> str | None:
    """Write a time, where there is one."""
    return None if at is None else stamp(at)
