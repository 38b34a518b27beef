"""The closed vocabularies of the lifecycle: states, what a task waits for, verdicts."""

from enum import StrEnum


class State(StrEnum):
    """Where one attempt at one provider stands (contract, section 6)."""

    PENDING = "PENDING"
    CREATING = "CREATING"
    EXECUTING = "EXECUTING"
    NEGATIVE_EVAL = "NEGATIVE_EVAL"
    RECHECKING = "RECHECKING"
    MANUAL_CHECK = "MANUAL_CHECK"
    SUCCEEDED = "SUCCEEDED"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


FINAL: frozenset[State] = frozenset(
    {State.SUCCEEDED, State.SKIPPED, State.FAILED, State.CANCELLED}
)
LIVE: frozenset[State] = frozenset(
    {
        State.CREATING,
        State.EXECUTING,
        State.NEGATIVE_EVAL,
        State.RECHECKING,
        State.MANUAL_CHECK,
    }
)


class OrderState(StrEnum):
    """Where a whole order stands; all but ACTIVE are final."""

    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class Kind(StrEnum):
    """The flow an order follows."""

    WITHDRAWAL = "withdrawal"


class Waiting(StrEnum):
    """What a row waits for: the call that is due, or the news it expects.

    A call that is due may already be under way in some process: the row is its
    committed intent. ``CREATE_RETRY`` alone says that nothing has been sent.
    """

    TURN = "turn"
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
    DECISION = "decision"
    LAST_QUESTION = "last_question"
    NOTIFICATION = "notification"


CALLS: frozenset[Waiting] = frozenset(
    {
        Waiting.FREEZE,
        Waiting.CREATE,
        Waiting.CREATE_RETRY,
        Waiting.WEIGHING,
        Waiting.RECHECK,
        Waiting.RECREATE,
        Waiting.WEBHOOK,
        Waiting.POLL,
        Waiting.CANCEL,
        Waiting.COMMIT,
        Waiting.ROLLBACK,
        Waiting.RETURN,
        Waiting.LAST_QUESTION,
        Waiting.NOTIFICATION,
    }
)
"""Everything that goes on by itself once ``wake_at`` has come."""


class Verdict(StrEnum):
    """What is proven about the money of an attempt; None means nothing is."""

    PAID = "paid"
    NOT_PAID = "not_paid"


class Trigger(StrEnum):
    """What can happen to a task: news as participles, wishes as requests."""

    TURN_CAME = "turn.came"
    NOT_NEEDED = "not_needed"
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
    CANCEL_REQUESTED = "cancel.requested"
    CANCEL_CONFIRMED = "cancel.confirmed"
    CANCEL_TOO_LATE = "cancel.too_late"
    CANCEL_UNCLEAR = "cancel.unclear"
    RESOLUTION_PROPOSED = "resolution.proposed"
    RESOLUTION_WITHDRAWN = "resolution.withdrawn"
    RESOLUTION_CONTESTED = "resolution.contested"
    RESOLUTION_STOPPED = "resolution.stopped"
    RESOLUTION_UNANSWERED = "resolution.unanswered"
    RESOLUTION_NOT_FOUND = "resolution.not_found"
    RESOLUTION_UNASKED = "resolution.unasked"
    RESOLVED_POSITIVE = "resolved.positive"
    RESOLVED_NEGATIVE = "resolved.negative"
    SETTLED_POSITIVE = "settled.positive"
    SETTLED_NEGATIVE = "settled.negative"
    RETURN_PROPOSED = "return.proposed"
    RETURN_WITHDRAWN = "return.withdrawn"
    RETURN_CONTESTED = "return.contested"
    RETURN_REQUESTED = "return.requested"
    RETURN_CONFIRMED = "return.confirmed"
    RETURN_REFUSED = "return.refused"


class Source(StrEnum):
    """Through which door an event came in."""

    ANSWER = "answer"
    WEBHOOK = "webhook"
    TIMER = "timer"
    PERSON = "person"


class CaseKind(StrEnum):
    """Contradictions that a person has to look at (contract, section 8)."""

    LATE_SUCCESS = "late_success"
    RETURN_AFTER_SUCCESS = "return_after_success"
    AMOUNT_MISMATCH = "amount_mismatch"
    REFERENCE_MISMATCH = "reference_mismatch"
    CONTRADICTION = "contradiction"
    BALANCE_REFUSED = "balance_refused"
    TAMPERED = "tampered"


class CaseState(StrEnum):
    """Where a case stands; it is over once it is settled through core, or closed."""

    OPEN = "open"
    SETTLING = "settling"
    SETTLED = "settled"
    CLOSED = "closed"


UNSETTLED: frozenset[CaseState] = frozenset({CaseState.OPEN, CaseState.SETTLING})
