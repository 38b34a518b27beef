"""The vocabularies that all flows share: states of tasks and orders, cases, sources.

They are public (contract, sections 6 and 8), and columns of the one schema hold them.
What a kind of task waits for, and what can happen to it, are words of its own.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import Final, TypeVar


class State(StrEnum):
    """Where one attempt at one provider stands (contract, section 6)."""

    PENDING = "PENDING"
    CREATING = "CREATING"
    EXECUTING = "EXECUTING"
    NEGATIVE_EVAL = "NEGATIVE_EVAL"
    RECHECKING = "RECHECKING"
    MANUAL_CHECK = "MANUAL_CHECK"
    SUCCEEDED = "SUCCEEDED"
    REVERSING = "REVERSING"
    REVERSED = "REVERSED"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


FINAL: frozenset[State] = frozenset(
    {
        State.SUCCEEDED,
        State.REVERSED,
        State.SKIPPED,
        State.FAILED,
        State.CANCELLED,
    }
)
LIVE: frozenset[State] = frozenset(
    {
        State.CREATING,
        State.EXECUTING,
        State.NEGATIVE_EVAL,
        State.RECHECKING,
        State.MANUAL_CHECK,
        State.REVERSING,
    }
)


class OrderState(StrEnum):
    """Where a whole order stands; what is neither ACTIVE nor REVERSING is final."""

    ACTIVE = "ACTIVE"
    REVERSING = "REVERSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


RUNNING: frozenset[OrderState] = frozenset({OrderState.ACTIVE, OrderState.REVERSING})


class Kind(StrEnum):
    """The flow an order follows."""

    WITHDRAWAL = "withdrawal"
    CHECKOUT = "checkout"
    PARTNER_LINK = "partner_link"
    PARTNER_UNLINK = "partner_unlink"


WITHOUT_MONEY: Final[frozenset[Kind]] = frozenset(
    {Kind.PARTNER_LINK, Kind.PARTNER_UNLINK}
)
"""Kinds of which an order may have no amount; every other must have one."""


NOT_NEEDED: Final = "not_needed"
"""The code of a task that the rule spared, since its step or its order has ended."""
OURS: Final = frozenset({NOT_NEEDED})
"""Codes that the rule goes by."""
THEIRS: Final = "their_"


CodeT = TypeVar("CodeT", str, str | None)


def as_theirs(code: CodeT, ours: Collection[str] = OURS) -> CodeT:
    """Return a stranger's code as rows have it: never as a word that rules go by."""
    return f"{THEIRS}{code}" if code in ours else code


class EngineWait(StrEnum):
    """What a row of any flow can wait for; TURN and DECISION go on by no time.

    LOAD and NOTIFICATION are the order's own: what its steps need is to be fetched, or
    core is to be told the outcome.
    """

    TURN = "turn"
    DECISION = "decision"
    LOAD = "load"
    NOTIFICATION = "notification"


IDLE: frozenset[StrEnum] = frozenset({EngineWait.TURN, EngineWait.DECISION})
"""What a task waits for that no time brings about."""


class EngineTrigger(StrEnum):
    """What can happen to a task of any kind.

    What the rule of the graph does to it, what people wish of it or of its order, and
    what they decide about a manual check.
    """

    TURN_CAME = "turn.came"
    NOT_NEEDED = "not_needed"
    CANCEL_REQUESTED = "cancel.requested"
    TURNED_BACK = "order.turned_back"
    UNDO_DUE = "undo.due"
    RESOLUTION_PROPOSED = "resolution.proposed"
    RESOLUTION_WITHDRAWN = "resolution.withdrawn"
    RESOLUTION_CONTESTED = "resolution.contested"
    RESOLVED_POSITIVE = "resolved.positive"
    RESOLVED_NEGATIVE = "resolved.negative"
    SETTLED_POSITIVE = "settled.positive"
    SETTLED_NEGATIVE = "settled.negative"


class Verdict(StrEnum):
    """What is proven about the money of an attempt; None means nothing is."""

    PAID = "paid"
    NOT_PAID = "not_paid"


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


class Invariant(StrEnum):
    """What must hold, always; ``verify`` names what breaks it by these words."""

    ONE_SUCCESS = "one_success"
    OUTCOME = "outcome"
    ONE_TURN = "one_turn"
    POSITIONS = "positions"
    VERSIONS = "versions"
    SUCCESSION = "succession"
    LEGALITY = "legality"
    CHAIN = "chain"
    PROOF = "proof"
    NOBODY_FORGOTTEN = "nobody_forgotten"
    VERDICT = "verdict"
    OVERDUE = "overdue"
    ORPHAN = "orphan"
    CORE = "core"
    PROVIDERS = "providers"
    BY_HAND = "by_hand"
    TAMPERED = "tampered"
    DECISION = "decision"
    ANCHOR = "anchor"
