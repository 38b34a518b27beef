"""The lifecycles of a saga's steps as tables: one to be undone, a check, the pivot.

A ``service`` step can be undone; a ``check`` leaves nothing that would have to be; the
``pivot`` is the point of no return, of which nothing may be guessed. Rows of one
(trigger, source) are tried in order, the first whose guard holds fires. What no row
fires for is known already, unless ``OTHERWISE`` says that it contradicts.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeAlias

from fsm.engine.manual_check import VOTE_ROWS
from fsm.engine.table import Keep, Otherwise, Row
from fsm.engine.words import EngineTrigger, EngineWait, State
from fsm.service.words import ServiceWait, StepTrigger


class ServiceGuard(StrEnum):
    """A question about the facts of a step, answered in ``guards``."""

    UNSENT = "nothing was ever sent"
    DOING = "a do may be under way"
    FIRST_DO = "this was the first do that anybody may have sent"
    FIRST_UNWANTED = "that, and somebody has given it up"
    LAST_ASKING = "it is not wanted any more, and is asked about before it is undone"
    ASKING = "it is asked what became of it"
    MAY_REPEAT = "that, and the do may be repeated with its key"
    LOOSE = "no person has said that it stands"
    DECIDABLE = "a person is to decide"
    QUESTIONED = "a person has said no, and it is asked about once more"


KEEP: Final = Keep.KEEP
R, T, S, W, E, G = (
    EngineTrigger,
    StepTrigger,
    State,
    ServiceWait,
    EngineWait,
    ServiceGuard,
)
Rows: TypeAlias = tuple[Row, ...]

# fmt: off
_BEGINS: Final = (
    Row(R.TURN_CAME,         S.PENDING,      S.EXECUTING,    W.DO),
    Row(R.NOT_NEEDED,        S.PENDING,      S.SKIPPED,      None),
    Row(R.CANCEL_REQUESTED,  S.PENDING,      S.CANCELLED,    None),
    Row(T.DONE,              S.EXECUTING,    S.SUCCEEDED,    None),
    Row(T.REFUSED,           S.EXECUTING,    S.SKIPPED,      None),
    Row(T.NOT_SENT,          S.EXECUTING,    S.SKIPPED,      None,        G.FIRST_UNWANTED),
    Row(T.NOT_SENT,          S.EXECUTING,    S.EXECUTING,    W.RETRY,     G.FIRST_DO),
    Row(T.RETRY_DUE,         S.EXECUTING,    S.EXECUTING,    W.DO,        G.UNSENT),
    Row(T.TAKEN_OVER,        S.EXECUTING,    S.EXECUTING,    W.DO,        G.DOING),
    Row(T.GIVEN_UP,          S.EXECUTING,    S.SKIPPED,      None,        G.UNSENT),
)
_ASKED: Final = (
    Row(T.NOT_SENT,          S.EXECUTING,    S.EXECUTING,    W.ASK),
    Row(T.UNCLEAR,           S.EXECUTING,    S.EXECUTING,    W.ASK),
    Row(T.PENDING,           S.EXECUTING,    S.EXECUTING,    W.ASK),
    Row(T.NOT_KNOWN,         S.EXECUTING,    S.EXECUTING,    W.DO,        G.MAY_REPEAT),
    Row(T.NOT_KNOWN,         S.EXECUTING,    S.EXECUTING,    W.ASK,       G.ASKING),
)
_DECIDED: Final = (
    Row(R.RESOLVED_POSITIVE, S.MANUAL_CHECK, S.SUCCEEDED,    None,        G.DECIDABLE),
    *VOTE_ROWS,
)
QUESTION: Final = (
    Row(R.RESOLVED_NEGATIVE, S.MANUAL_CHECK, S.MANUAL_CHECK, W.LAST_QUESTION, G.DECIDABLE),
    Row(T.PENDING,           S.MANUAL_CHECK, S.MANUAL_CHECK, E.DECISION,  G.QUESTIONED),
    Row(T.NOT_SENT,          S.MANUAL_CHECK, S.MANUAL_CHECK, W.LAST_QUESTION, G.QUESTIONED),
    Row(T.UNCLEAR,           S.MANUAL_CHECK, S.MANUAL_CHECK, W.LAST_QUESTION, G.QUESTIONED),
    Row(T.UNASKED,           S.MANUAL_CHECK, S.FAILED,       None,        G.QUESTIONED),
)
"""A person's no to what may have been done: it is asked about before it is acted on."""
SERVICE_TABLE: Final[Rows] = (
    *_BEGINS,
    Row(T.NOT_SENT,          S.EXECUTING,    S.EXECUTING,    W.LAST_ASK,  G.LAST_ASKING),
    Row(T.UNCLEAR,           S.EXECUTING,    S.EXECUTING,    W.LAST_ASK,  G.LAST_ASKING),
    Row(T.PENDING,           S.EXECUTING,    S.EXECUTING,    W.LAST_ASK,  G.LAST_ASKING),
    Row(T.NOT_KNOWN,         S.EXECUTING,    S.REVERSING,    W.UNDO,      G.LAST_ASKING),
    Row(T.UNASKED,           S.EXECUTING,    S.REVERSING,    W.UNDO,      G.LAST_ASKING),
    *_ASKED,
    Row(T.GIVEN_UP,          S.EXECUTING,    S.REVERSING,    W.UNDO),
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
    Row(T.UNDONE,            S.MANUAL_CHECK, S.REVERSED,     None),
    Row(R.RESOLVED_NEGATIVE, S.MANUAL_CHECK, S.REVERSED,     None),
    *_DECIDED,
)
CHECK_TABLE: Final[Rows] = (
    *_BEGINS,
    *_ASKED,
    Row(T.GIVEN_UP,          S.EXECUTING,    S.FAILED,       None),
    Row(T.DEFAULTED,         S.EXECUTING,    S.SUCCEEDED,    None),
    Row(R.TURNED_BACK,       S.EXECUTING,    S.SKIPPED,      None),
    Row(R.CANCEL_REQUESTED,  S.EXECUTING,    S.SKIPPED,      None),
)
PIVOT_TABLE: Final[Rows] = (
    *_BEGINS,
    *_ASKED,
    Row(T.UNASKED,           S.EXECUTING,    S.MANUAL_CHECK, E.DECISION),
    Row(T.GIVEN_UP,          S.EXECUTING,    S.MANUAL_CHECK, E.DECISION),
    Row(T.DEFAULTED,         S.EXECUTING,    S.SUCCEEDED,    None),
    Row(R.CANCEL_REQUESTED,  S.EXECUTING,    S.SKIPPED,      None,        G.UNSENT),
    Row(R.CANCEL_REQUESTED,  S.EXECUTING,    S.EXECUTING,    KEEP),
    Row(T.DONE,              S.MANUAL_CHECK, S.SUCCEEDED,    None),
    Row(T.REFUSED,           S.MANUAL_CHECK, S.FAILED,       None),
    Row(T.NOT_KNOWN,         S.MANUAL_CHECK, S.FAILED,       None,        G.QUESTIONED),
    *QUESTION,
    *_DECIDED,
)
# fmt: on
_NEVER: Final = (State.SKIPPED, State.FAILED, State.CANCELLED)
_C, _V = Otherwise.CONTRADICTION, Otherwise.BY_PROOF


def _otherwise(
    contradicts: Mapping[tuple[StrEnum, State], Otherwise],
) -> Mapping[tuple[StrEnum, State], Otherwise]:
    known = {(t, s): Otherwise.KNOWN for t in (*R, *T) for s in State}
    return {**known, **contradicts}


CHECK_OTHERWISE: Final = _otherwise({})
PIVOT_OTHERWISE: Final = _otherwise(
    {(T.REFUSED, S.SUCCEEDED): _V, **{(T.DONE, state): _C for state in _NEVER}}
)
SERVICE_OTHERWISE: Final = _otherwise(
    {
        (T.REFUSED, S.SUCCEEDED): _C,
        (T.UNDONE, S.SUCCEEDED): _C,
        **{(T.DONE, state): _C for state in _NEVER},
    }
)
