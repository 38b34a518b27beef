"""The words of a payout attempt: what it waits for, and what can happen to it."""

from enum import StrEnum
from typing import TypeAlias, cast

from fsm.domain.decided import RETURN_SETTLED
from fsm.engine.rows import Task
from fsm.engine.words import EngineTrigger, EngineWait


class Waiting(StrEnum):
    """What an attempt waits for: the call that is due, or the news it expects.

    A call that is due may already be under way in some process: the row is its
    committed intent. ``CREATE_RETRY`` alone says that nothing has been sent.
    """

    FREEZE = "freeze"
    CREATE = "create"
    CREATE_RETRY = "create_retry"
    WEIGHING = "weighing"
    RECHECK = "recheck"
    RECREATE = "recreate"
    WEBHOOK = "webhook"
    POLL = "poll"
    CANCEL = "cancel"
    COMMIT = "commit"
    ROLLBACK = "rollback"
    RETURN = "return"
    LAST_QUESTION = "last_question"


class Trigger(StrEnum):
    """What can happen to an attempt: news as participles, wishes as requests."""

    FREEZE_CONFIRMED = "freeze.confirmed"
    FREEZE_REFUSED = "freeze.refused"
    COMMIT_CONFIRMED = "commit.confirmed"
    COMMIT_REFUSED = "commit.refused"
    ROLLBACK_CONFIRMED = "rollback.confirmed"
    ROLLBACK_REFUSED = "rollback.refused"
    HELD = "provider.held"
    PASSED_OVER = "provider.passed_over"
    RETRY_DUE = "retry.due"
    TAKEN_OVER = "create.taken_over"
    REPEAT_DUE = "create.repeat_due"
    PAID = "provider.paid"
    ACCEPTED = "provider.accepted"
    DECLINED = "provider.declined"
    NOT_SENT = "provider.not_sent"
    NOT_FOUND = "provider.not_found"
    UNCLEAR = "provider.unclear"
    RETURNED = "provider.returned"
    MISMATCHED = "provider.mismatched"
    TAMPERED = "request.tampered"
    WEIGHED = "no.weighed"
    SLA_PASSED = "sla.passed"
    DEADLINE_PASSED = "deadline.passed"
    CANCEL_CONFIRMED = "cancel.confirmed"
    CANCEL_TOO_LATE = "cancel.too_late"
    CANCEL_UNCLEAR = "cancel.unclear"
    RESOLUTION_STOPPED = "resolution.stopped"
    RESOLUTION_UNANSWERED = "resolution.unanswered"
    RESOLUTION_NOT_FOUND = "resolution.not_found"
    RESOLUTION_UNASKED = "resolution.unasked"
    RETURN_PROPOSED = "return.proposed"
    RETURN_WITHDRAWN = "return.withdrawn"
    RETURN_CONTESTED = "return.contested"
    RETURN_REQUESTED = "return.requested"
    RETURN_CONFIRMED = RETURN_SETTLED
    RETURN_REFUSED = "return.refused"


Wait: TypeAlias = EngineWait | Waiting
"""All that an attempt can wait for."""
Happening: TypeAlias = EngineTrigger | Trigger
"""All that can happen to an attempt."""


def waits_for(task: Task) -> Wait | None:
    """Return what an attempt waits for, in the words that it is matched by."""
    return cast("Wait | None", task.waiting_for)
