"""The lifecycle of a charge as a table: a payment provider collects, or refunds.

It speaks as a step that a service does, and differs in what silence comes to: no next
provider is tried without proof that this one never charged, and nothing is refunded
that is not known to be charged. What nobody can find out is for a person.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from fsm.engine.manual_check import VOTE_ROWS
from fsm.engine.table import Keep, Otherwise, Row
from fsm.engine.words import EngineTrigger, EngineWait, State
from fsm.service.table import QUESTION, SERVICE_OTHERWISE, ServiceGuard
from fsm.service.words import ServiceWait, StepTrigger


class ChargeGuard(StrEnum):
    """A question about the facts of a charge, answered in ``guards``."""

    KEY_LIVES = "a do may be under way, and a repeat would find it by its key"
    MAY_REPEAT = "it is asked about, and may be repeated with its key"
    ABSENT = "its provider not knowing it proves that it never charged"
    NEVER = "the no is to what was sent last, and nothing proves that it is charged"
    UNPROVEN = "nothing proves yet whether it is charged"
    CHARGED = "it is known to be charged"
    AGREED = "a person has said no, and its provider has had time to know better"


KEEP: Final = Keep.KEEP
R, T, S, W, E, G, C = (
    EngineTrigger,
    StepTrigger,
    State,
    ServiceWait,
    EngineWait,
    ServiceGuard,
    ChargeGuard,
)

# fmt: off
TABLE: Final[tuple[Row, ...]] = (
    Row(R.TURN_CAME,         S.PENDING,      S.EXECUTING,    W.DO),
    Row(R.NOT_NEEDED,        S.PENDING,      S.SKIPPED,      None),
    Row(R.CANCEL_REQUESTED,  S.PENDING,      S.CANCELLED,    None),

    Row(T.DONE,              S.EXECUTING,    S.SUCCEEDED,    None),
    Row(T.REFUSED,           S.EXECUTING,    S.SKIPPED,      None,        C.NEVER),
    Row(T.NOT_SENT,          S.EXECUTING,    S.SKIPPED,      None,        G.FIRST_UNWANTED),
    Row(T.NOT_SENT,          S.EXECUTING,    S.EXECUTING,    W.RETRY,     G.FIRST_DO),
    Row(T.NOT_SENT,          S.EXECUTING,    S.EXECUTING,    W.LAST_ASK,  G.LAST_ASKING),
    Row(T.NOT_SENT,          S.EXECUTING,    S.EXECUTING,    W.ASK),
    Row(T.HELD,              S.EXECUTING,    S.EXECUTING,    W.RETRY,     G.FIRST_DO),
    Row(T.HELD,              S.EXECUTING,    S.EXECUTING,    W.RETRY,     G.UNSENT),
    Row(T.PASSED_OVER,       S.EXECUTING,    S.SKIPPED,      None,        G.FIRST_DO),
    Row(T.PASSED_OVER,       S.EXECUTING,    S.SKIPPED,      None,        G.UNSENT),
    Row(T.RETRY_DUE,         S.EXECUTING,    S.EXECUTING,    W.DO,        G.UNSENT),
    Row(T.TAKEN_OVER,        S.EXECUTING,    S.EXECUTING,    W.DO,        C.KEY_LIVES),
    Row(T.TAKEN_OVER,        S.EXECUTING,    S.EXECUTING,    W.ASK,       G.DOING),
    Row(T.UNCLEAR,           S.EXECUTING,    S.EXECUTING,    W.LAST_ASK,  G.LAST_ASKING),
    Row(T.UNCLEAR,           S.EXECUTING,    S.EXECUTING,    W.ASK),
    Row(T.PENDING,           S.EXECUTING,    S.EXECUTING,    W.LAST_ASK,  G.LAST_ASKING),
    Row(T.PENDING,           S.EXECUTING,    S.EXECUTING,    W.ASK),
    Row(T.NOT_KNOWN,         S.EXECUTING,    S.SKIPPED,      None,        C.ABSENT),
    Row(T.NOT_KNOWN,         S.EXECUTING,    S.EXECUTING,    W.LAST_ASK,  G.LAST_ASKING),
    Row(T.NOT_KNOWN,         S.EXECUTING,    S.EXECUTING,    W.DO,        C.MAY_REPEAT),
    Row(T.NOT_KNOWN,         S.EXECUTING,    S.EXECUTING,    W.ASK,       G.ASKING),
    Row(T.GIVEN_UP,          S.EXECUTING,    S.SKIPPED,      None,        G.UNSENT),
    Row(T.GIVEN_UP,          S.EXECUTING,    S.MANUAL_CHECK, E.DECISION),
    Row(R.TURNED_BACK,       S.EXECUTING,    S.SKIPPED,      None,        G.UNSENT),
    Row(R.TURNED_BACK,       S.EXECUTING,    S.EXECUTING,    KEEP,        G.LAST_ASKING),
    Row(R.TURNED_BACK,       S.EXECUTING,    S.EXECUTING,    W.LAST_ASK),
    Row(R.CANCEL_REQUESTED,  S.EXECUTING,    S.SKIPPED,      None,        G.UNSENT),
    Row(R.CANCEL_REQUESTED,  S.EXECUTING,    S.EXECUTING,    KEEP,        G.LAST_ASKING),
    Row(R.CANCEL_REQUESTED,  S.EXECUTING,    S.EXECUTING,    W.LAST_ASK),

    Row(R.UNDO_DUE,          S.SUCCEEDED,    S.REVERSING,    W.UNDO,      G.LOOSE),
    Row(T.UNDONE,            S.REVERSING,    S.REVERSED,     None),
    Row(T.UNDO_REFUSED,      S.REVERSING,    S.MANUAL_CHECK, E.DECISION),
    Row(T.NOT_SENT,          S.REVERSING,    S.REVERSING,    W.UNDO),
    Row(T.UNCLEAR,           S.REVERSING,    S.REVERSING,    W.UNDO),
    Row(T.GIVEN_UP,          S.REVERSING,    S.MANUAL_CHECK, E.DECISION),

    Row(T.DONE,              S.MANUAL_CHECK, S.SUCCEEDED,    None,        C.UNPROVEN),
    Row(T.REFUSED,           S.MANUAL_CHECK, S.SKIPPED,      None,        C.NEVER),
    Row(T.UNDONE,            S.MANUAL_CHECK, S.REVERSED,     None,        C.CHARGED),
    Row(R.RESOLVED_POSITIVE, S.MANUAL_CHECK, S.SUCCEEDED,    None,        G.DECIDABLE),
    Row(R.RESOLVED_NEGATIVE, S.MANUAL_CHECK, S.REVERSED,     None,        C.CHARGED),
    Row(T.NOT_KNOWN,         S.MANUAL_CHECK, S.FAILED,       None,        C.AGREED),
    Row(T.NOT_KNOWN,         S.MANUAL_CHECK, S.MANUAL_CHECK, W.LAST_QUESTION, G.QUESTIONED),
    *QUESTION,
    *VOTE_ROWS,
)
# fmt: on
OTHERWISE: Final[Mapping[tuple[StrEnum, State], Otherwise]] = SERVICE_OTHERWISE
