"""Events about cases, payouts that came back, and providers that are paused."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import orjson

from fsm.domain.cases import case_id
from fsm.domain.events import event_body, stamp
from fsm.domain.ids import derived_id
from fsm.domain.masking import masked_text
from fsm.domain.messages import Message, traced_by
from fsm.domain.orders import Order
from fsm.engine.steps import Announced, Announcement, Case, CaseMove, Step
from fsm.engine.words import CaseKind, CaseState

Body = dict[str, object]
PROVIDER: Final = "order.event.provider"
_UNSURE: Final = frozenset(
    {
        *("merchant_id", "customer_id", "amount", "currency", "provider"),
        *("terminal_id", "provider_reference", "attempts"),
    }
)
"""What another hand may have written, where rows were tampered with."""


def case_opened(order: Order, case: Case, at: datetime) -> Message:
    """Return the message that tells of a case, by the id that the case has."""
    its = _id_of(order, case)
    return _message(order, _opened(order, case, its, at), derived_id("opened", its))


def _opened(order: Order, case: Case, its: str, at: datetime) -> Body:
    facts = {"case_id": its, "case_kind": case.kind, "case_state": case.state}
    body = _about(order, case.task_id, Announced.CASE_OPENED, at) | facts
    if case.kind is CaseKind.TAMPERED:
        return {name: value for name, value in body.items() if name not in _UNSURE}
    return body


def returns_told(order: Order, step: Step, at: datetime) -> Iterator[Message]:
    """Give a message for each payout that a step says has come back.

    The same statement is told by the same id, however often it is made.
    """
    for case in step.cases:
        if case.kind is CaseKind.RETURN_AFTER_SUCCESS:
            its = _id_of(order, case)
            body = _about(order, case.task_id, Announced.RETURNED, at)
            yield _message(order, body | {"case_id": its}, derived_id("returned", its))


def case_closed(
    order: Order,
    *,
    case_id: str,
    task_id: str,
    kind: CaseKind,
    reason: str,
    at: datetime,
) -> Message:
    """Return the message that tells that a person has closed a case."""
    body = _closed(order, task_id, kind, CaseState.CLOSED, reason, at)
    return _message(order, body | {"case_id": case_id}, closed_id(case_id))


def case_settled(order: Order, move: CaseMove, case_id: str, at: datetime) -> Message:
    """Return the message that tells that a return was settled, and its case is over."""
    body = settled_body(order, move, at)
    return _message(order, body | {"case_id": case_id}, closed_id(case_id))


def settled_body(order: Order, move: CaseMove, at: datetime) -> Body:
    """Return its body, all but the ids: only the rows know which cases there are."""
    kind = CaseKind.RETURN_AFTER_SUCCESS
    return _closed(order, move.task_id, kind, move.state, move.reason, at)


def closed_id(case_id: str) -> str:
    """Return the id of the event that a case is over, which happens to it once.

    The statement that settles cases makes it of their rows, so it is one that SQL can.
    """
    made = hashlib.md5(f"closed{case_id}".encode(), usedforsecurity=False).hexdigest()
    return str(UUID(f"{made[:12]}5{made[13:16]}8{made[17:]}"))


def provider_event(
    provider: str,
    word: Literal["paused", "resumed"],
    *,
    actor: str,
    reason: str,
    until: datetime | None,
    at: datetime,
) -> Message:
    """Return the message that tells that somebody has paused or resumed a provider."""
    identity = derived_id(f"provider.{word}", provider, at.isoformat())
    body = {
        "event_id": identity,
        "type": f"provider.{word}",
        "at": stamp(at),
        "provider": provider,
        "actor": actor,
        "message": masked_text(reason),
        **({} if until is None else {"until": stamp(until)}),
    }
    subject = f"{PROVIDER}.{word}"
    return Message(subject=subject, body=orjson.dumps(body), message_id=identity)


def _id_of(order: Order, case: Case) -> str:
    return case_id(case, order.task(case.task_id).version)


def _about(order: Order, task_id: str, kind: Announced, at: datetime) -> Body:
    announcement = Announcement(type=kind, task=order.task(task_id))
    return event_body(order, announcement, at)


def _closed(
    order: Order,
    task_id: str,
    kind: CaseKind,
    state: CaseState,
    reason: str | None,
    at: datetime,
) -> Body:
    told = {} if reason is None else {"message": masked_text(reason)}
    facts = {"case_kind": kind, "case_state": state, **told}
    body = _about(order, task_id, Announced.CASE_CLOSED, at) | facts
    if kind is CaseKind.TAMPERED:
        return {name: value for name, value in body.items() if name not in _UNSURE}
    return body


def _message(order: Order, body: Mapping[str, object], event_id: str) -> Message:
    return Message(
        headers=traced_by(order.trace_parent),
        subject=f"order.event.{body['type']}",
        body=orjson.dumps({**body, "event_id": event_id}),
        message_id=event_id,
        queue_id=order.queue_id,
    )
