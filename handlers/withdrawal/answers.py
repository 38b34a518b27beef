"""Translates what a provider answers to a create, a status or a cancel into events."""

from fsm.domain.orders import Order
from fsm.engine.records import replace
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.engine.words import as_theirs
from fsm.payout.words import Trigger
from handlers.ports.provider import (
    Accepted,
    CancelAnswer,
    Cancelled,
    CreateAnswer,
    Declined,
    NotFound,
    NotSent,
    Returned,
    StatusAnswer,
    Succeeded,
    TooLate,
    Unclear,
)
from handlers.withdrawal.webhooks import differing


def event_of_create(answer: CreateAnswer, order: Order, task: Task) -> Event:
    """Translate what a create was answered with; another amount proves nothing."""
    event = event_of_status(answer, order, task)
    if event.trigger is Trigger.MISMATCHED:
        return replace(event, trigger=Trigger.UNCLEAR)
    return event


def event_of_status(answer: StatusAnswer, order: Order, task: Task) -> Event:
    """Translate what a provider says about one attempt."""
    actor = f"provider:{task.provider}"
    match answer:
        case Succeeded():
            return _paid(answer, order, actor, Trigger.PAID)
        case Returned():
            told = _paid(answer, order, actor, Trigger.RETURNED)
            code = told.code or as_theirs(answer.code)
            return replace(told, code=code, message=answer.message)
        case Accepted():
            return Event(
                trigger=Trigger.ACCEPTED,
                actor=actor,
                reference=answer.reference,
                detail={"evidence": answer.evidence},
            )
        case Declined():
            return Event(
                trigger=Trigger.DECLINED,
                actor=actor,
                code=as_theirs(answer.code),
                message=answer.message,
                detail={"evidence": answer.evidence},
            )
        case NotFound():
            return Event(
                trigger=Trigger.NOT_FOUND,
                actor=actor,
                code="not_found",
                detail={"evidence": answer.evidence},
            )
        case NotSent():
            return Event(
                trigger=Trigger.NOT_SENT,
                code="not_sent",
                message=answer.because,
                after=answer.after,
                lacking=answer.lacking,
            )
        case Unclear():
            return Event(
                trigger=Trigger.UNCLEAR,
                message=answer.because,
                reference=answer.reference,
                after=answer.after,
                detail={"evidence": answer.evidence},
            )


def _paid(
    answer: Succeeded | Returned, order: Order, actor: str, trigger: Trigger
) -> Event:
    differs = differing(order, answer.amount, answer.currency)
    told = Event(
        trigger=trigger,
        actor=actor,
        reference=answer.reference,
        detail={"evidence": {**answer.evidence, **differs}},
    )
    if not differs:
        return told
    # However often it is asked: the same answer is one fact, and one case.
    said = f"{actor} {trigger} {answer.reference} {sorted(differs.items())}"
    mismatched = Trigger.MISMATCHED
    return replace(told, trigger=mismatched, code="amount_mismatch", content=said)


def event_of_cancel(answer: CancelAnswer, task: Task) -> Event:
    """Translate what became of a cancellation."""
    actor = f"provider:{task.provider}"
    match answer:
        case Cancelled():
            return Event(
                trigger=Trigger.CANCEL_CONFIRMED,
                actor=actor,
                code="cancelled",
                detail={"evidence": answer.evidence},
            )
        case TooLate():
            return Event(
                trigger=Trigger.CANCEL_TOO_LATE,
                actor=actor,
                detail={"evidence": answer.evidence},
            )
        case NotSent():
            return Event(
                trigger=Trigger.CANCEL_UNCLEAR,
                message=answer.because,
                after=answer.after,
                lacking=answer.lacking,
            )
        case Unclear():
            return Event(
                trigger=Trigger.CANCEL_UNCLEAR,
                message=answer.because,
                after=answer.after,
                detail={"evidence": answer.evidence},
            )
