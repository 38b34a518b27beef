"""The lifecycle of a payout attempt as one table, with an answer for all the rest.

``TABLE`` has a row for every legal move: rows of one (trigger, source) are tried
in order, the first whose guard holds fires. A final state has rows, but no exit. ``OTHERWISE`` answers for the
pairs that no row fires for: already known, wait, or contradiction. Together they cover
every (state, trigger) pair, which a test holds.
"""

from enum import StrEnum
from typing import Final

from fsm.engine.manual_check import VOTE_ROWS, Ballot
from fsm.engine.table import Keep, Otherwise, Row
from fsm.engine.words import CaseKind, EngineTrigger, EngineWait, State
from fsm.payout.words import Happening, Trigger, Waiting


class Guard(StrEnum):
    """A question about the facts of a task, answered in ``guards``."""

    BEFORE_TURN = "before its turn"
    FREEZE_DUE = "a freeze may be under way"
    FREEZE_UNWANTED = "a freeze may be under way, cancel requested"
    ROLLBACK_DUE = "a rollback is due"
    ROLLBACK_CANCELS = "a rollback is due, cancel requested"
    ROLLBACK_FAILS = "a rollback is due, the provider took it or may have"
    UNSENT = "nothing is being sent"
    SENDING = "a create may be under way"
    NEVER_SENT = "no worker before may have sent it"
    UNSENT_AGAIN = "nor that; attempts left and no cancel requested"
    WEIGHING = "a no is being weighed"
    UNPROVEN = "nothing is proven"
    COMMIT_DUE = "paid, the commit is due"
    CANCEL_WISHED = "cancel requested, nothing is proven"
    AWAITED = "a webhook is awaited, nothing is proven"
    POLLS = "a webhook is awaited, the status can be polled after the SLA"
    POLLING = "the provider is being polled"
    CANCELLING = "the provider is asked to cancel"
    CANCELLING_AGAIN = "the provider is asked to cancel, attempts left"
    CANCELLING_POLLED = "the provider is asked to cancel, no SLA, it can be polled"
    CANCELLING_UNTIMED = "the provider is asked to cancel, no SLA"
    MAY_REPEAT_CREATE = "the grace is over and the create may be repeated"
    REPEAT_ASKS = "the status cannot be asked and the create may be repeated"
    ABSENCE_IS_PROOF = "the grace is over and not found is definite"
    CHECKS_LEFT = "checks are left"
    DECIDABLE = "a person is to decide"
    NO_IS_KNOWN = "a person is to decide, and it is proven that it did not pay"
    ASKING = "a person has said no, and the provider is asked once more"
    ASKED_LATE = "that, and the grace was over when it was"
    ASKED_ENOUGH = "that, and it cannot be asked or has not answered often enough"
    CORE_REFUSED = "core has refused the balance call"
    RETURNABLE = "core has not taken it back, and it returned within the finality"
    RETURN_UNPROPOSED = "that, and nobody has proposed to settle it"
    RETURN_SETTLES = "that, and the provider's policy is to settle it"
    RETURN_DUE = "core is asked to take it back"
    UNRETURNED = "core is not known to have taken it back"


KEEP: Final = Keep.KEEP
T, S, W, G, C = Trigger, State, Waiting, Guard, CaseKind
R, E, B = EngineTrigger, EngineWait, Ballot

# fmt: off
TABLE: Final = (
    #   trigger               source           dest             then            when                 case
    Row(R.TURN_CAME,          S.PENDING,       S.PENDING,       W.FREEZE,       G.BEFORE_TURN),
    Row(R.NOT_NEEDED,         S.PENDING,       S.SKIPPED,       None,           G.BEFORE_TURN),
    Row(T.FREEZE_CONFIRMED,   S.PENDING,       S.CREATING,      W.ROLLBACK,     G.FREEZE_UNWANTED),
    Row(T.FREEZE_CONFIRMED,   S.PENDING,       S.CREATING,      W.CREATE,       G.FREEZE_DUE),
    Row(T.FREEZE_REFUSED,     S.PENDING,       S.CANCELLED,     None,           G.FREEZE_UNWANTED),
    Row(T.FREEZE_REFUSED,     S.PENDING,       S.SKIPPED,       None,           G.FREEZE_DUE),
    Row(R.CANCEL_REQUESTED,   S.PENDING,       S.CANCELLED,     None,           G.BEFORE_TURN),
    Row(T.HELD,               S.PENDING,       S.PENDING,       W.FREEZE,       G.FREEZE_DUE),
    Row(T.PASSED_OVER,        S.PENDING,       S.PENDING,       W.ROLLBACK,     G.FREEZE_DUE),
    Row(T.ROLLBACK_CONFIRMED, S.PENDING,       S.CANCELLED,     None,           G.ROLLBACK_CANCELS),
    Row(T.ROLLBACK_CONFIRMED, S.PENDING,       S.SKIPPED,       None,           G.ROLLBACK_DUE),
    Row(T.ROLLBACK_REFUSED,   S.PENDING,       S.CREATING,      W.ROLLBACK,     G.ROLLBACK_DUE),
    Row(R.CANCEL_REQUESTED,   S.PENDING,       S.PENDING,       W.FREEZE,       G.FREEZE_DUE),
    Row(R.CANCEL_REQUESTED,   S.PENDING,       S.PENDING,       KEEP),

    Row(T.PAID,               S.CREATING,      S.EXECUTING,     W.COMMIT,       G.UNPROVEN),
    Row(T.ACCEPTED,           S.CREATING,      S.EXECUTING,     W.CANCEL,       G.CANCEL_WISHED),
    Row(T.ACCEPTED,           S.CREATING,      S.EXECUTING,     W.WEBHOOK,      G.UNPROVEN),
    Row(T.DECLINED,           S.CREATING,      S.NEGATIVE_EVAL, W.ROLLBACK,     G.UNPROVEN),
    Row(T.UNCLEAR,            S.CREATING,      S.NEGATIVE_EVAL, W.WEIGHING,     G.UNPROVEN),
    Row(T.NOT_SENT,           S.CREATING,      S.CREATING,      W.CREATE_RETRY, G.UNSENT_AGAIN),
    Row(T.NOT_SENT,           S.CREATING,      S.NEGATIVE_EVAL, W.ROLLBACK,     G.NEVER_SENT),
    Row(T.TAKEN_OVER,         S.CREATING,      S.CREATING,      W.CREATE,       G.SENDING),
    Row(T.TAMPERED,           S.CREATING,      S.NEGATIVE_EVAL, W.ROLLBACK,     G.ROLLBACK_DUE),
    Row(T.TAMPERED,           S.CREATING,      S.NEGATIVE_EVAL, W.WEIGHING),
    Row(T.RETRY_DUE,          S.CREATING,      S.CREATING,      W.CREATE,       G.UNSENT),
    Row(T.HELD,               S.CREATING,      S.CREATING,      W.CREATE_RETRY, G.UNSENT),
    Row(T.PASSED_OVER,        S.CREATING,      S.NEGATIVE_EVAL, W.ROLLBACK,     G.UNSENT),
    Row(R.CANCEL_REQUESTED,   S.CREATING,      S.CREATING,      W.ROLLBACK,     G.UNSENT),
    Row(R.CANCEL_REQUESTED,   S.CREATING,      S.CREATING,      KEEP),
    Row(T.ROLLBACK_CONFIRMED, S.CREATING,      S.CANCELLED,     None,           G.ROLLBACK_CANCELS),
    Row(T.ROLLBACK_CONFIRMED, S.CREATING,      S.NEGATIVE_EVAL, W.ROLLBACK,     G.ROLLBACK_DUE),
    Row(T.ROLLBACK_REFUSED,   S.CREATING,      S.NEGATIVE_EVAL, W.ROLLBACK,     G.ROLLBACK_DUE),

    Row(T.PAID,               S.EXECUTING,     S.EXECUTING,     W.COMMIT,       G.UNPROVEN),
    Row(T.DECLINED,           S.EXECUTING,     S.NEGATIVE_EVAL, W.ROLLBACK,     G.UNPROVEN),
    Row(T.ACCEPTED,           S.EXECUTING,     S.EXECUTING,     W.POLL,         G.POLLING),
    Row(T.NOT_FOUND,          S.EXECUTING,     S.EXECUTING,     W.POLL,         G.POLLING),
    Row(T.UNCLEAR,            S.EXECUTING,     S.EXECUTING,     W.POLL,         G.POLLING),
    Row(T.NOT_SENT,           S.EXECUTING,     S.EXECUTING,     W.POLL,         G.POLLING),
    Row(T.RETURNED,           S.EXECUTING,     S.MANUAL_CHECK,  E.DECISION,     G.UNPROVEN,          C.CONTRADICTION),
    Row(T.MISMATCHED,         S.EXECUTING,     S.MANUAL_CHECK,  E.DECISION,     G.UNPROVEN,          C.AMOUNT_MISMATCH),
    Row(T.SLA_PASSED,         S.EXECUTING,     S.EXECUTING,     W.POLL,         G.POLLS),
    Row(T.SLA_PASSED,         S.EXECUTING,     S.MANUAL_CHECK,  E.DECISION,     G.AWAITED),
    Row(T.DEADLINE_PASSED,    S.EXECUTING,     S.MANUAL_CHECK,  E.DECISION,     G.POLLING),
    Row(T.COMMIT_CONFIRMED,   S.EXECUTING,     S.SUCCEEDED,     None,           G.COMMIT_DUE),
    Row(T.COMMIT_REFUSED,     S.EXECUTING,     S.MANUAL_CHECK,  E.DECISION,     G.COMMIT_DUE,        C.BALANCE_REFUSED),
    Row(T.TAMPERED,           S.EXECUTING,     S.MANUAL_CHECK,  E.DECISION,     None,                C.TAMPERED),
    Row(R.CANCEL_REQUESTED,   S.EXECUTING,     S.EXECUTING,     W.CANCEL,       G.UNPROVEN),
    Row(R.CANCEL_REQUESTED,   S.EXECUTING,     S.EXECUTING,     KEEP),
    Row(T.CANCEL_CONFIRMED,   S.EXECUTING,     S.NEGATIVE_EVAL, W.ROLLBACK,     G.UNPROVEN),
    Row(T.CANCEL_TOO_LATE,    S.EXECUTING,     S.EXECUTING,     W.WEBHOOK,      G.CANCELLING),
    Row(T.CANCEL_UNCLEAR,     S.EXECUTING,     S.EXECUTING,     W.CANCEL,       G.CANCELLING_AGAIN),
    Row(T.CANCEL_UNCLEAR,     S.EXECUTING,     S.EXECUTING,     W.POLL,         G.CANCELLING_POLLED),
    Row(T.CANCEL_UNCLEAR,     S.EXECUTING,     S.MANUAL_CHECK,  E.DECISION,     G.CANCELLING_UNTIMED),
    Row(T.CANCEL_UNCLEAR,     S.EXECUTING,     S.EXECUTING,     W.WEBHOOK,      G.CANCELLING),

    Row(T.WEIGHED,            S.NEGATIVE_EVAL, S.RECHECKING,    W.RECHECK,      G.WEIGHING),
    Row(T.TAMPERED,           S.NEGATIVE_EVAL, S.MANUAL_CHECK,  E.DECISION,     None,                C.TAMPERED),
    Row(T.ROLLBACK_CONFIRMED, S.NEGATIVE_EVAL, S.CANCELLED,     None,           G.ROLLBACK_CANCELS),
    Row(T.ROLLBACK_CONFIRMED, S.NEGATIVE_EVAL, S.FAILED,        None,           G.ROLLBACK_FAILS),
    Row(T.ROLLBACK_CONFIRMED, S.NEGATIVE_EVAL, S.SKIPPED,       None,           G.ROLLBACK_DUE),
    Row(T.ROLLBACK_REFUSED,   S.NEGATIVE_EVAL, S.MANUAL_CHECK,  E.DECISION,     G.ROLLBACK_DUE,      C.BALANCE_REFUSED),
    Row(R.CANCEL_REQUESTED,   S.NEGATIVE_EVAL, S.NEGATIVE_EVAL, KEEP),

    Row(T.PAID,               S.RECHECKING,    S.EXECUTING,     W.COMMIT),
    Row(T.ACCEPTED,           S.RECHECKING,    S.EXECUTING,     W.CANCEL,       G.CANCEL_WISHED),
    Row(T.ACCEPTED,           S.RECHECKING,    S.EXECUTING,     W.WEBHOOK),
    Row(T.DECLINED,           S.RECHECKING,    S.NEGATIVE_EVAL, W.ROLLBACK),
    Row(T.REPEAT_DUE,         S.RECHECKING,    S.RECHECKING,    W.RECREATE,     G.REPEAT_ASKS),
    Row(T.NOT_FOUND,          S.RECHECKING,    S.RECHECKING,    W.RECREATE,     G.MAY_REPEAT_CREATE),
    Row(T.NOT_FOUND,          S.RECHECKING,    S.NEGATIVE_EVAL, W.ROLLBACK,     G.ABSENCE_IS_PROOF),
    Row(T.NOT_FOUND,          S.RECHECKING,    S.RECHECKING,    W.RECHECK,      G.CHECKS_LEFT),
    Row(T.NOT_FOUND,          S.RECHECKING,    S.MANUAL_CHECK,  E.DECISION),
    Row(T.UNCLEAR,            S.RECHECKING,    S.RECHECKING,    W.RECHECK,      G.CHECKS_LEFT),
    Row(T.UNCLEAR,            S.RECHECKING,    S.MANUAL_CHECK,  E.DECISION),
    Row(T.NOT_SENT,           S.RECHECKING,    S.RECHECKING,    W.RECHECK,      G.CHECKS_LEFT),
    Row(T.NOT_SENT,           S.RECHECKING,    S.MANUAL_CHECK,  E.DECISION),
    Row(T.RETURNED,           S.RECHECKING,    S.MANUAL_CHECK,  E.DECISION,     None,                C.CONTRADICTION),
    Row(T.MISMATCHED,         S.RECHECKING,    S.MANUAL_CHECK,  E.DECISION,     None,                C.AMOUNT_MISMATCH),
    Row(T.TAMPERED,           S.RECHECKING,    S.MANUAL_CHECK,  E.DECISION,     None,                C.TAMPERED),
    Row(R.CANCEL_REQUESTED,   S.RECHECKING,    S.RECHECKING,    KEEP),

    Row(T.PAID,               S.MANUAL_CHECK,  S.EXECUTING,     W.COMMIT,       G.UNPROVEN),
    Row(T.DECLINED,           S.MANUAL_CHECK,  S.NEGATIVE_EVAL, W.ROLLBACK,     G.UNPROVEN),
    *VOTE_ROWS,
    Row(R.RESOLVED_POSITIVE,  S.MANUAL_CHECK,  S.EXECUTING,     W.COMMIT,       G.DECIDABLE),
    Row(R.RESOLVED_NEGATIVE,  S.MANUAL_CHECK,  S.NEGATIVE_EVAL, W.ROLLBACK,     G.NO_IS_KNOWN),
    Row(R.RESOLVED_NEGATIVE,  S.MANUAL_CHECK,  S.MANUAL_CHECK,  W.LAST_QUESTION,G.DECIDABLE),
    Row(T.RESOLUTION_STOPPED, S.MANUAL_CHECK,  S.MANUAL_CHECK,  E.DECISION,     G.ASKING),
    Row(T.RESOLUTION_UNANSWERED,S.MANUAL_CHECK,S.MANUAL_CHECK,  W.LAST_QUESTION,G.ASKING),
    Row(T.RESOLUTION_NOT_FOUND,S.MANUAL_CHECK, S.NEGATIVE_EVAL, W.ROLLBACK,     G.ASKED_LATE),
    Row(T.RESOLUTION_NOT_FOUND,S.MANUAL_CHECK, S.MANUAL_CHECK,  W.LAST_QUESTION,G.ASKING),
    Row(T.RESOLUTION_UNASKED, S.MANUAL_CHECK,  S.NEGATIVE_EVAL, W.ROLLBACK,     G.ASKED_ENOUGH),
    Row(T.TAMPERED,           S.MANUAL_CHECK,  S.MANUAL_CHECK,  E.DECISION,     G.ASKING,            C.TAMPERED),
    Row(T.RETURNED,           S.MANUAL_CHECK,  S.NEGATIVE_EVAL, W.ROLLBACK,     G.ASKING),
    Row(T.MISMATCHED,         S.MANUAL_CHECK,  S.MANUAL_CHECK,  E.DECISION,     G.ASKING,            C.AMOUNT_MISMATCH),
    Row(T.CANCEL_CONFIRMED,   S.MANUAL_CHECK,  S.NEGATIVE_EVAL, W.ROLLBACK,     G.UNPROVEN),
    Row(R.CANCEL_REQUESTED,   S.MANUAL_CHECK,  S.MANUAL_CHECK,  KEEP),
    Row(R.SETTLED_POSITIVE,   S.MANUAL_CHECK,  S.SUCCEEDED,     None,           G.CORE_REFUSED),
    Row(R.SETTLED_NEGATIVE,   S.MANUAL_CHECK,  S.FAILED,        None,           G.NO_IS_KNOWN),
    Row(R.SETTLED_NEGATIVE,   S.MANUAL_CHECK,  S.MANUAL_CHECK,  W.LAST_QUESTION,G.CORE_REFUSED),

    Row(T.RETURNED,           S.SUCCEEDED,     S.SUCCEEDED,     W.RETURN,       G.RETURN_SETTLES,    C.RETURN_AFTER_SUCCESS),
    Row(T.RETURN_PROPOSED,    S.SUCCEEDED,     S.SUCCEEDED,     None,           G.RETURN_UNPROPOSED),
    Row(T.RETURN_WITHDRAWN,   S.SUCCEEDED,     S.SUCCEEDED,     None,           B.PROPOSED),
    Row(T.RETURN_CONTESTED,   S.SUCCEEDED,     S.SUCCEEDED,     None,           B.PROPOSED),
    Row(T.RETURN_REQUESTED,   S.SUCCEEDED,     S.SUCCEEDED,     W.RETURN,       G.RETURNABLE),
    Row(T.RETURN_CONFIRMED,   S.SUCCEEDED,     S.SUCCEEDED,     None,           G.UNRETURNED),
    Row(T.RETURN_REFUSED,     S.SUCCEEDED,     S.SUCCEEDED,     None,           G.RETURN_DUE),
)

_K, _W, _C, _V = Otherwise.KNOWN, Otherwise.WAIT, Otherwise.CONTRADICTION, Otherwise.BY_PROOF

_BY_STATE: Final[dict[Happening, tuple[Otherwise, ...]]] = {
    # in the order of State:  PEND CREA EXEC NEGA RECH MANU SUCC SKIP FAIL CANC
    R.TURN_CAME:             (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    R.NOT_NEEDED:            (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    T.FREEZE_CONFIRMED:      (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    T.FREEZE_REFUSED:        (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    T.COMMIT_CONFIRMED:      (_C,  _C,  _C,  _C,  _C,  _C,  _K,  _C,  _C,  _C),
    T.COMMIT_REFUSED:        (_K,  _K,  _K,  _K,  _K,  _K,  _C,  _K,  _K,  _K),
    T.ROLLBACK_CONFIRMED:    (_C,  _C,  _C,  _C,  _C,  _C,  _C,  _K,  _K,  _K),
    T.ROLLBACK_REFUSED:      (_K,  _K,  _K,  _K,  _K,  _K,  _C,  _K,  _K,  _K),
    T.HELD:                  (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    T.PASSED_OVER:           (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    T.RETRY_DUE:             (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    T.TAKEN_OVER:            (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    T.REPEAT_DUE:            (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    T.PAID:                  (_W,  _V,  _V,  _V,  _V,  _V,  _V,  _V,  _V,  _V),
    T.ACCEPTED:              (_W,  _C,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    T.DECLINED:              (_W,  _V,  _V,  _V,  _V,  _V,  _V,  _V,  _V,  _V),
    T.NOT_SENT:              (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    T.NOT_FOUND:             (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    T.UNCLEAR:               (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    T.RETURNED:              (_W,  _W,  _C,  _C,  _C,  _C,  _C,  _C,  _C,  _C),
    T.MISMATCHED:            (_W,  _W,  _C,  _C,  _C,  _C,  _C,  _C,  _C,  _C),
    T.TAMPERED:              (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    T.WEIGHED:               (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    T.SLA_PASSED:            (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    T.DEADLINE_PASSED:       (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    R.CANCEL_REQUESTED:      (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    T.CANCEL_CONFIRMED:      (_K,  _K,  _V,  _K,  _K,  _V,  _V,  _K,  _K,  _K),
    T.CANCEL_TOO_LATE:       (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    T.CANCEL_UNCLEAR:        (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    R.RESOLUTION_PROPOSED:   (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    R.RESOLUTION_WITHDRAWN:  (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    R.RESOLUTION_CONTESTED:  (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    T.RESOLUTION_STOPPED:    (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    T.RESOLUTION_UNANSWERED: (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    T.RESOLUTION_NOT_FOUND:  (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    T.RESOLUTION_UNASKED:    (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    R.RESOLVED_POSITIVE:     (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    R.RESOLVED_NEGATIVE:     (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    R.SETTLED_POSITIVE:      (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    R.SETTLED_NEGATIVE:      (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    T.RETURN_PROPOSED:       (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    T.RETURN_WITHDRAWN:      (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    T.RETURN_CONTESTED:      (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    T.RETURN_REQUESTED:      (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    T.RETURN_CONFIRMED:      (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
    T.RETURN_REFUSED:        (_K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K,  _K),
}
# fmt: on
_STATES: Final = (
    S.PENDING,
    S.CREATING,
    S.EXECUTING,
    S.NEGATIVE_EVAL,
    S.RECHECKING,
    S.MANUAL_CHECK,
    S.SUCCEEDED,
    S.SKIPPED,
    S.FAILED,
    S.CANCELLED,
)

OTHERWISE: Final[dict[tuple[StrEnum, State], Otherwise]] = {
    (trigger, state): answer
    for trigger, answers in _BY_STATE.items()
    for state, answer in zip(_STATES, answers, strict=True)
}
# fmt: on
