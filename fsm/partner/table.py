"""The lifecycles of a link and of its removal, as tables.

A link asks its partner, and has core grant a membership where the partner says yes. Of
several matches nothing follows but further checks, with a provisional membership or
without; that one is confirmed, or revoked: a grant may have been done as soon as it is
due, so from then on nothing but a revoke undoes it. Rows of one (trigger, source) are
tried in order, the first whose guard holds fires. What no row fires for is known
already, unless ``OTHERWISE`` says that it contradicts.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeAlias

from fsm.engine.manual_check import VOTE_ROWS
from fsm.engine.table import Keep, Otherwise, Row
from fsm.engine.words import CaseKind, EngineTrigger, EngineWait, State
from fsm.partner.words import LinkTrigger, LinkWait


class LinkGuard(StrEnum):
    """A question about the facts of a link, answered in ``guards``."""

    NO_TURN = "before its turn"
    ASKING = "its partner is asked for the first time"
    PROVISIONAL = "that, and of several matches the partner has one granted for now"
    GRANTING = "a grant is due"
    CHECKING = "it is checked again after several matches"
    CHECKING_MEMBER = "that, and it is a member for now"
    MEMBER = "it may be a member, and nothing says yet for how long"
    CONFIRMING = "a confirmation is due"
    REVOKING = "a revoke is due"
    NOTIFYING = "its partner is to be told"
    TAKEN = "it may be a member"


KEEP: Final = Keep.KEEP
R, T, S, W, E, G = (
    EngineTrigger,
    LinkTrigger,
    State,
    LinkWait,
    EngineWait,
    LinkGuard,
)
REFUSED: Final = CaseKind.BALANCE_REFUSED
Rows: TypeAlias = tuple[Row, ...]

# fmt: off
_BEGINS: Final = (
    Row(R.TURN_CAME,         S.PENDING,      S.PENDING,      W.VALIDATE,      G.NO_TURN),
    Row(R.NOT_NEEDED,        S.PENDING,      S.SKIPPED,      None,            G.NO_TURN),
    Row(R.CANCEL_REQUESTED,  S.PENDING,      S.CANCELLED,    None),
)
LINK_TABLE: Final[Rows] = (
    *_BEGINS,
    Row(T.VALIDATED,         S.PENDING,      S.EXECUTING,    W.ELIGIBILITY),
    Row(T.NOT_COVERED,       S.PENDING,      S.SKIPPED,      None),
    Row(T.ALREADY_LINKED,    S.PENDING,      S.SUCCEEDED,    None),
    Row(T.NOT_SENT,          S.PENDING,      S.PENDING,      W.VALIDATE),
    Row(T.EXPIRED,           S.PENDING,      S.FAILED,       None),

    Row(T.ELIGIBLE,          S.EXECUTING,    S.EXECUTING,    W.GRANT,         G.ASKING),
    Row(T.NOT_ELIGIBLE,      S.EXECUTING,    S.FAILED,       None,            G.ASKING),
    Row(T.MULTI_MATCH,       S.EXECUTING,    S.RECHECKING,   W.GRANT,         G.PROVISIONAL),
    Row(T.MULTI_MATCH,       S.EXECUTING,    S.RECHECKING,   W.FALLBACK,      G.ASKING),
    Row(T.PENDING,           S.EXECUTING,    S.EXECUTING,    W.ELIGIBILITY,   G.ASKING),
    Row(T.NOT_SENT,          S.EXECUTING,    S.EXECUTING,    W.ELIGIBILITY,   G.ASKING),
    Row(T.UNCLEAR,           S.EXECUTING,    S.EXECUTING,    W.ELIGIBILITY,   G.ASKING),
    Row(T.EXPIRED,           S.EXECUTING,    S.FAILED,       None,            G.ASKING),
    Row(R.CANCEL_REQUESTED,  S.EXECUTING,    S.CANCELLED,    None,            G.ASKING),
    Row(R.CANCEL_REQUESTED,  S.EXECUTING,    S.REVERSING,    W.REVOKE),
    Row(T.GRANTED,           S.EXECUTING,    S.SUCCEEDED,    None,            G.GRANTING),
    Row(T.GRANT_REFUSED,     S.EXECUTING,    S.FAILED,       None,            G.GRANTING),

    Row(T.GRANTED,           S.RECHECKING,   S.RECHECKING,   W.FALLBACK,      G.GRANTING),
    Row(T.GRANT_REFUSED,     S.RECHECKING,   S.FAILED,       None,            G.GRANTING),
    Row(T.ELIGIBLE,          S.RECHECKING,   S.RECHECKING,   W.CONFIRM,       G.CHECKING_MEMBER),
    Row(T.ELIGIBLE,          S.RECHECKING,   S.EXECUTING,    W.GRANT,         G.CHECKING),
    Row(T.NOT_ELIGIBLE,      S.RECHECKING,   S.REVERSING,    W.REVOKE,        G.MEMBER),
    Row(T.NOT_ELIGIBLE,      S.RECHECKING,   S.FAILED,       None,            G.CHECKING),
    Row(T.MULTI_MATCH,       S.RECHECKING,   S.RECHECKING,   W.FALLBACK,      G.CHECKING),
    Row(T.PENDING,           S.RECHECKING,   S.RECHECKING,   W.FALLBACK,      G.CHECKING),
    Row(T.NOT_SENT,          S.RECHECKING,   S.RECHECKING,   W.FALLBACK,      G.CHECKING),
    Row(T.UNCLEAR,           S.RECHECKING,   S.RECHECKING,   W.FALLBACK,      G.CHECKING),
    Row(T.EXPIRED,           S.RECHECKING,   S.REVERSING,    W.REVOKE,        G.CHECKING_MEMBER),
    Row(T.EXPIRED,           S.RECHECKING,   S.FAILED,       None,            G.CHECKING),
    Row(R.CANCEL_REQUESTED,  S.RECHECKING,   S.REVERSING,    W.REVOKE,        G.TAKEN),
    Row(R.CANCEL_REQUESTED,  S.RECHECKING,   S.CANCELLED,    None),
    Row(T.CONFIRMED,         S.RECHECKING,   S.SUCCEEDED,    None,            G.CONFIRMING),
    Row(T.CONFIRM_REFUSED,   S.RECHECKING,   S.MANUAL_CHECK, E.DECISION,      G.CONFIRMING, REFUSED),

    Row(T.REVOKED,           S.REVERSING,    S.REVERSING,    W.REVOKE_NOTICE, G.REVOKING),
    Row(T.REVOKE_REFUSED,    S.REVERSING,    S.MANUAL_CHECK, E.DECISION,      G.REVOKING, REFUSED),
    Row(T.NOT_SENT,          S.REVERSING,    S.REVERSING,    W.REVOKE_NOTICE, G.NOTIFYING),
    Row(T.UNCLEAR,           S.REVERSING,    S.REVERSING,    W.REVOKE_NOTICE, G.NOTIFYING),
    Row(T.NOTIFIED,          S.REVERSING,    S.REVERSED,     None,            G.NOTIFYING),
    Row(T.NOTICE_GIVEN_UP,   S.REVERSING,    S.REVERSED,     None,            G.NOTIFYING),

    Row(R.RESOLVED_POSITIVE, S.MANUAL_CHECK, S.SUCCEEDED,    None),
    Row(R.RESOLVED_NEGATIVE, S.MANUAL_CHECK, S.REVERSED,     None),
    *VOTE_ROWS,
)
UNLINK_TABLE: Final[Rows] = (
    *_BEGINS,
    Row(T.VALIDATED,         S.PENDING,      S.EXECUTING,    W.REVOKE),
    Row(T.NOT_LINKED,        S.PENDING,      S.SUCCEEDED,    None),
    Row(R.CANCEL_REQUESTED,  S.EXECUTING,    S.EXECUTING,    KEEP),
    Row(T.REVOKED,           S.EXECUTING,    S.EXECUTING,    W.REVOKE_NOTICE, G.REVOKING),
    Row(T.REVOKE_REFUSED,    S.EXECUTING,    S.MANUAL_CHECK, E.DECISION,      G.REVOKING, REFUSED),
    Row(T.NOT_SENT,          S.EXECUTING,    S.EXECUTING,    W.REVOKE_NOTICE, G.NOTIFYING),
    Row(T.UNCLEAR,           S.EXECUTING,    S.EXECUTING,    W.REVOKE_NOTICE, G.NOTIFYING),
    Row(T.NOTIFIED,          S.EXECUTING,    S.SUCCEEDED,    None,            G.NOTIFYING),
    Row(T.NOTICE_GIVEN_UP,   S.EXECUTING,    S.SUCCEEDED,    None,            G.NOTIFYING),

    Row(R.RESOLVED_POSITIVE, S.MANUAL_CHECK, S.SUCCEEDED,    None),
    Row(R.RESOLVED_NEGATIVE, S.MANUAL_CHECK, S.FAILED,       None),
    *VOTE_ROWS,
)
# fmt: on
_C, _V = Otherwise.CONTRADICTION, Otherwise.BY_PROOF
_KNOWN: Final[Mapping[tuple[StrEnum, State], Otherwise]] = {
    (t, s): Otherwise.KNOWN for t in (*R, *T) for s in State
}
LINK_OTHERWISE: Final[Mapping[tuple[StrEnum, State], Otherwise]] = {
    **_KNOWN,
    (T.GRANTED, S.FAILED): _C,
    (T.GRANT_REFUSED, S.SUCCEEDED): _C,
    **{(T.ELIGIBLE, s): _V for s in (S.REVERSING, S.REVERSED, S.FAILED)},
    **{(T.NOT_ELIGIBLE, s): _V for s in (S.EXECUTING, S.RECHECKING, S.SUCCEEDED)},
}
UNLINK_OTHERWISE: Final[Mapping[tuple[StrEnum, State], Otherwise]] = _KNOWN
