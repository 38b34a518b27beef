"""What has to have happened in a large run: danger that never came proves nothing."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from fsm.charge.lifecycle import CHARGE
from fsm.charge.table import ChargeGuard
from fsm.engine.manual_check import VOTE_ROWS
from fsm.engine.table import Row
from fsm.engine.words import CaseKind, EngineTrigger, State
from fsm.partner.lifecycle import LINK, UNLINK
from fsm.partner.words import LinkTrigger
from fsm.payout.table import TABLE
from fsm.payout.words import Trigger
from fsm.service.lifecycle import PIVOT, SERVICE
from fsm.service.table import ServiceGuard
from fsm.service.words import StepTrigger
from handlers.ports.admission import NotAdmittedCode
from payment_service.playground.memory.effects import FailureForm
from tests.simulation.campaign import Tally
from tests.simulation.simulation import CELLS, LINK_ROWS, ROWS, STEP_ROWS

T, R, S, ST, G = Trigger, EngineTrigger, State, StepTrigger, ServiceGuard
C: Final = ChargeGuard
LT: Final = LinkTrigger
EFFECTS: Final = (
    "store.load",
    "store.record",
    "store.submit",
    "store.store_webhooks",
    "store.close_news",
    "store.dead_letter",
    "core.freeze",
    "core.commit",
    "core.rollback",
    "core.notify",
    "bus.publish",
)
FAULTS: Final = (
    "message lost",
    "message repeated",
    "message delayed",
    "acknowledgement lost",
    "timer lost",
    "timer twice",
    "timer late",
    "timer early",
    "clock skew of NATS",
    "pause",
    "pause beyond AckWait",
    "process killed",
    "bus down",
    "stream wiped",
    "core down",
    "store down",
    "sweeper off",
    "provider down: hangs",
    "provider paused",
    "provider down: refuses connections",
    "provider: not_done_died",
    "provider: done_died",
    "provider: done_lost",
    "provider: refused",
    "provider: not sent",
    "provider: executes after the time-out",
    "provider: does not find it yet",
    "webhook lost",
    "webhook late",
    "webhook repeated",
    "webhook repeated under another id",
    "webhook of nobody's task",
    "another amount in an answer",
    "another amount in a webhook",
    "another reference in a webhook",
    "broken word: declined, then paid",
    "broken word: failed, then paid",
    "broken word: paid, then payout.failed",
    "broken word: paid, then payout.returned",
    "broken word: returned before it was told as paid",
    "service down",
    "service: not_done_died",
    "service: done_died",
    "service: done_lost",
    "service: refused",
    "service: not sent",
    "service: executes after the time-out",
    "service: is still at it",
    "payment down",
    "payment: not_done_died",
    "payment: done_died",
    "payment: done_lost",
    "payment: refused",
    "payment: not sent",
    "payment: executes after the time-out",
    "payment: does not find it yet",
    "payment: is still at it",
    "partner down",
    "partner: done_lost",
    "partner: refused",
    "partner: not sent",
    "partner: executes after the time-out",
    "core says no: freeze",
    "core says no: commit",
    "core says no: rollback",
    "database amnesia",
)
SEEN: Final = (
    *(f"case {kind}" for kind in CaseKind if kind is not CaseKind.TAMPERED),
    "a repeated create found the first",
    "cancel forged",
    "cancel of a task",
    "cancel of an order",
    "cancel refused: NotNow",
    "checkout CANCELLED",
    "checkout COMPLETED",
    "checkout FAILED",
    "partner_link COMPLETED FAILED",
    "partner_link COMPLETED REVERSED",
    "partner_link COMPLETED SUCCEEDED",
    "partner_link COMPLETED SUCCEEDED already_linked",
    "partner_unlink COMPLETED SUCCEEDED",
    "partner_unlink COMPLETED SUCCEEDED already_unlinked",
    "conflict lost",
    "dead letter: crashed",
    "dead letter: exhausted",
    "dead letter replayed",
    "dead letter discarded",
    "decision negative",
    "decision positive",
    "decision contested",
    "decision proposed",
    "decision refused: NotNow",
    "decision wrong: no",
    "duplicate publish suppressed",
    *(f"kept out: {code}" for code in NotAdmittedCode),
    "outbox resend",
    "outbox resend stored again",
    "outcome duplicate",
    "outcome early",
    "outcome handed_on",
    "outcome overtaken",
    "outcome stale",
    "outcome the timer rang early",
    "outcome unmatched",
    "request by message",
    "service: a load is refused",
    "service: do, done",
    "service: do, refused",
    "service: repeated, done",
    "service: repeated, undone before it was done",
    "service: undo, done for good",
    "service: undo, undone",
    "service: undo, undone before it was done",
    "payment: charge, charged",
    "payment: charge, refused",
    "payment: a no to a repeat",
    "payment: repeated, charged",
    "payment: refund, charged for good",
    "payment: refund, refunded",
    "settlement asked",
    "settlement withdrawn",
    "vote withdrawn",
    "request resumed",
    "submit: accepted",
    "submit: conflict",
    "submit: duplicate",
    "sweeper rescue of a row",
    "sweeper rescue of a webhook",
    "unknown state parked",
    "webhook duplicate suppressed",
    "webhook expired",
    "webhook first",
    "woke late",
)
# Rows that need several rare things at once; the model checker goes through them.
RARE_ROWS: Final = {
    (T.RETURN_CONTESTED, S.SUCCEEDED, S.SUCCEEDED): "two cases of one return",
    (T.TAMPERED, S.CREATING, S.NEGATIVE_EVAL): "nobody changes a row by hand there",
    (T.TAMPERED, S.NEGATIVE_EVAL, S.MANUAL_CHECK): "as above",
    (T.TAMPERED, S.RECHECKING, S.MANUAL_CHECK): "as above",
    (T.TAMPERED, S.EXECUTING, S.MANUAL_CHECK): "as above",
    (T.TAMPERED, S.MANUAL_CHECK, S.MANUAL_CHECK): "as above",
    (
        T.FREEZE_REFUSED,
        S.PENDING,
        S.CANCELLED,
    ): "a freeze is refused while a cancel waits",
    (
        T.ROLLBACK_REFUSED,
        S.CREATING,
        S.NEGATIVE_EVAL,
    ): "so is a rollback of nothing sent",
    (
        T.ROLLBACK_CONFIRMED,
        S.PENDING,
        S.CANCELLED,
    ): "cancelled while it is being passed over",
    (
        T.ROLLBACK_REFUSED,
        S.PENDING,
        S.CREATING,
    ): "core refuses the rollback of one that is passed over",
    (
        T.ROLLBACK_CONFIRMED,
        S.CREATING,
        S.NEGATIVE_EVAL,
    ): "and then confirms it after all",
    (
        EngineTrigger.CANCEL_REQUESTED,
        S.PENDING,
        S.PENDING,
    ): "cancelled while it is being passed over",
    (
        T.RETURNED,
        S.RECHECKING,
        S.MANUAL_CHECK,
    ): "returned while nobody knows it as paid",
    (
        T.CANCEL_CONFIRMED,
        S.MANUAL_CHECK,
        S.NEGATIVE_EVAL,
    ): "contradicted while cancelling",
    (
        T.CANCEL_UNCLEAR,
        S.EXECUTING,
        S.MANUAL_CHECK,
    ): "no word on a cancel, no SLA, and nobody who can be asked",
    (
        T.CANCEL_UNCLEAR,
        S.EXECUTING,
        S.EXECUTING,
    ): "of its three, the one without an SLA: once in a thousand seeds",
    (
        T.RESOLUTION_NOT_FOUND,
        S.MANUAL_CHECK,
        S.MANUAL_CHECK,
    ): "a person says no before the grace is over",
    (
        T.RETURNED,
        S.MANUAL_CHECK,
        S.NEGATIVE_EVAL,
    ): "a broken word returns it while a person's no is asked about",
    (
        T.MISMATCHED,
        S.MANUAL_CHECK,
        S.MANUAL_CHECK,
    ): "a person says no to what was paid with another amount",
    (
        R.SETTLED_NEGATIVE,
        S.MANUAL_CHECK,
        S.MANUAL_CHECK,
    ): "by hand, to what a broken word has paid and core would not commit",
    (
        T.RETURN_REFUSED,
        S.SUCCEEDED,
        S.SUCCEEDED,
    ): "core refuses to take back what a broken word returned",
    (
        EngineTrigger.CANCEL_REQUESTED,
        S.EXECUTING,
        S.EXECUTING,
    ): "cancelled while the commit is due",
}
# The same of a saga's steps: by what happens, in which state, under which guard; of one
# kind of step, or of all.
RARE_STEPS: Final[Mapping[Any, str]] = {
    ("", ST.NOT_SENT, S.EXECUTING, G.FIRST_UNWANTED): (
        "given up between the claim of its do and the call"
    ),
    ("", R.CANCEL_REQUESTED, S.EXECUTING, None): "given up while it is asked",
    ("", R.CANCEL_REQUESTED, S.EXECUTING, G.UNSENT): "given up before its next try",
    ("", R.CANCEL_REQUESTED, S.EXECUTING, G.LAST_ASKING): "given up a second time",
    ("", R.TURNED_BACK, S.EXECUTING, G.LAST_ASKING): "given up, and then turned back",
    ("", ST.NOT_SENT, S.EXECUTING, G.LAST_ASKING): "two faults of one step in a row",
    ("", ST.PENDING, S.EXECUTING, G.LAST_ASKING): "as above",
    ("", ST.NOT_KNOWN, S.EXECUTING, G.ASKING): "unknown at its last try, or given up",
    (PIVOT.name, ST.UNASKED, S.EXECUTING, None): "given up, and it cannot be asked",
    (PIVOT.name, ST.DONE, S.MANUAL_CHECK, None): "an answer after it was given up",
    (PIVOT.name, ST.REFUSED, S.MANUAL_CHECK, None): "as above",
    (SERVICE.name, ST.UNDONE, S.MANUAL_CHECK, None): "as above",
    (CHARGE.name, ST.DONE, S.MANUAL_CHECK, C.UNPROVEN): "as above",
    (CHARGE.name, ST.REFUSED, S.MANUAL_CHECK, C.UNPROVEN): "as above",
    (CHARGE.name, ST.UNDONE, S.MANUAL_CHECK, C.CHARGED): "as above",
    (CHARGE.name, R.RESOLVED_NEGATIVE, S.MANUAL_CHECK, C.CHARGED): (
        "refunded by hand, after a refund that was refused"
    ),
    (CHARGE.name, ST.PASSED_OVER, S.EXECUTING, G.UNSENT): (
        "a provider is broken or paused for long while a charge waits for it"
    ),
    (CHARGE.name, ST.NOT_SENT, S.MANUAL_CHECK, G.QUESTIONED): (
        "of the few that a person says no to, the line is down once more"
    ),
    ("", R.RESOLVED_POSITIVE, S.MANUAL_CHECK, G.DECIDABLE): (
        "done, and its service says so neither to a repeat nor when it is asked"
    ),
    **{
        (PIVOT.name, trigger, S.MANUAL_CHECK, G.QUESTIONED): (
            "of the few that a person says no to, what is asked then goes wrong"
        )
        for trigger in (
            ST.PENDING,
            ST.NOT_KNOWN,
            ST.NOT_SENT,
            ST.UNCLEAR,
            ST.UNASKED,
        )
    },
    **{
        ("", row.trigger, row.source, row.when): "four eyes are drawn for some seeds"
        for row in VOTE_ROWS
    },
}
# The same of links: one seed of five has them.
RARE_LINKS: Final[Mapping[Any, str]] = {
    **{
        (name, trigger, S.PENDING): why
        for name in (LINK.name, UNLINK.name)
        for trigger, why in (
            (R.TURN_CAME, "the one task of such an order is due from its first"),
            (R.NOT_NEEDED, "as above"),
            (R.CANCEL_REQUESTED, "given up before it is looked at"),
        )
    },
    (LINK.name, LT.NOT_COVERED, S.PENDING): "every card there is covered",
    (LINK.name, LT.EXPIRED, S.PENDING): "a partner that is not configured, for days",
    (LINK.name, LT.EXPIRED, S.EXECUTING): "a partner that is away for days",
    (LINK.name, R.CANCEL_REQUESTED, S.EXECUTING): "given up while it is asked",
    (LINK.name, R.CANCEL_REQUESTED, S.RECHECKING): "few are given up",
    (UNLINK.name, R.CANCEL_REQUESTED, S.EXECUTING): "given up while it is revoked",
    **dict.fromkeys(
        (
            (LINK.name, LT.GRANT_REFUSED, S.EXECUTING),
            (LINK.name, LT.GRANT_REFUSED, S.RECHECKING),
            (LINK.name, LT.CONFIRM_REFUSED, S.RECHECKING),
            (LINK.name, LT.REVOKE_REFUSED, S.REVERSING),
            (LINK.name, R.RESOLVED_POSITIVE, S.MANUAL_CHECK),
            (LINK.name, R.RESOLVED_NEGATIVE, S.MANUAL_CHECK),
            (UNLINK.name, LT.REVOKE_REFUSED, S.EXECUTING),
            (UNLINK.name, R.RESOLVED_POSITIVE, S.MANUAL_CHECK),
            (UNLINK.name, R.RESOLVED_NEGATIVE, S.MANUAL_CHECK),
        ),
        "core says no in a few seeds",
    ),
    (LINK.name, LT.NOTICE_GIVEN_UP, S.REVERSING): "a partner that is away for days",
    (UNLINK.name, LT.NOTICE_GIVEN_UP, S.EXECUTING): "as above",
    **{
        (name, row.trigger, row.source): "four eyes are drawn for some seeds"
        for name in (LINK.name, UNLINK.name)
        for row in VOTE_ROWS
    },
}
# Answers without a row that a run of two thousand seeds must have given.
GIVEN: Final = {
    T.FREEZE_CONFIRMED: (S.CREATING, S.EXECUTING, S.RECHECKING, S.SUCCEEDED),
    T.FREEZE_REFUSED: (S.SKIPPED,),
    T.COMMIT_CONFIRMED: (S.SUCCEEDED,),
    T.ROLLBACK_CONFIRMED: (S.SKIPPED, S.FAILED, S.CANCELLED),
    T.PAID: (S.EXECUTING, S.MANUAL_CHECK, S.SUCCEEDED, S.SKIPPED, S.FAILED),
    T.ACCEPTED: (S.EXECUTING, S.MANUAL_CHECK, S.SUCCEEDED, S.FAILED),
    T.DECLINED: (S.NEGATIVE_EVAL, S.MANUAL_CHECK, S.SUCCEEDED, S.SKIPPED, S.FAILED),
    T.NOT_FOUND: (S.NEGATIVE_EVAL, S.MANUAL_CHECK, S.FAILED),
    T.UNCLEAR: (S.MANUAL_CHECK, S.SUCCEEDED),
    T.RETURNED: (S.SUCCEEDED,),
    T.MISMATCHED: (S.MANUAL_CHECK, S.SUCCEEDED),
}
NOT_FINAL: Final = tuple(list(S)[:6])
EVERY: Final = tuple(S)
ALREADY_UNSENT: Final = "a row of the table fires in this state, whatever else holds"
# Answers that cannot be asked for, each with the reason; one that is given is news.
IMPOSSIBLE: Final = {
    (
        EngineTrigger.TURN_CAME,
        EVERY,
    ): "the rule fires it itself, on a task that waits for its turn",
    (EngineTrigger.NOT_NEEDED, EVERY): "as above",
    (
        R.RESOLUTION_PROPOSED,
        EVERY,
    ): "a decision holds for the version that was seen",
    (R.RESOLUTION_WITHDRAWN, EVERY): "as above",
    (R.RESOLUTION_CONTESTED, EVERY): "as above",
    (T.RETURN_WITHDRAWN, EVERY): "as above",
    (T.RETURN_CONTESTED, EVERY): "as above",
    (T.RESOLUTION_STOPPED, EVERY): "an answer is about the question that was asked",
    (T.RESOLUTION_UNANSWERED, EVERY): "as above",
    (T.RESOLUTION_NOT_FOUND, EVERY): "as above",
    (T.RESOLUTION_UNASKED, EVERY): "a timer holds for the version that it was made for",
    (
        R.RESOLVED_POSITIVE,
        EVERY,
    ): "a decision holds for the version that was seen",
    (R.RESOLVED_NEGATIVE, EVERY): "as above",
    (T.TAMPERED, EVERY): "nobody changes a row by hand there",
    (T.RETRY_DUE, EVERY): "a timer holds for the version that it was made for",
    (T.TAKEN_OVER, EVERY): "as above",
    (T.REPEAT_DUE, EVERY): "as above",
    (T.HELD, EVERY): "as above",
    (
        R.SETTLED_POSITIVE,
        EVERY,
    ): "a decision holds for the version that was seen",
    (R.SETTLED_NEGATIVE, EVERY): "as above",
    (T.RETURN_PROPOSED, EVERY): "as above",
    (T.RETURN_REQUESTED, EVERY): "as above",
    (T.PASSED_OVER, EVERY): "as above",
    (T.SLA_PASSED, EVERY): "as above",
    (T.DEADLINE_PASSED, EVERY): "as above",
    (EngineTrigger.CANCEL_REQUESTED, NOT_FINAL): ALREADY_UNSENT,
    (T.COMMIT_CONFIRMED, (S.PENDING, S.CREATING)): "nothing is proven by then",
    (T.ROLLBACK_CONFIRMED, (S.PENDING,)): "nothing is held by then",
    (T.PAID, (S.RECHECKING,)): ALREADY_UNSENT,
    (T.DECLINED, (S.RECHECKING,)): ALREADY_UNSENT,
    (T.NOT_FOUND, (S.RECHECKING,)): ALREADY_UNSENT,
    (T.UNCLEAR, (S.RECHECKING,)): ALREADY_UNSENT,
    (T.NOT_SENT, (S.RECHECKING,)): ALREADY_UNSENT,
}
REST_OF_THEM: Final = (
    "only an answer that lost a race comes there: it may, and rarely does"
)


def expected() -> list[str]:
    """Return the names of everything that must have happened."""
    forms = [form.name.lower() for form in FailureForm]
    return [
        *FAULTS,
        *(f"{effect}: {form}" for effect in EFFECTS for form in forms),
        *SEEN,
        *(name for key, name in _rows() if key not in RARE_ROWS),
        *(name for (of, row), name in STEP_ROWS.items() if not _is_rare(of, row)),
        *(
            name
            for (of, row), name in LINK_ROWS.items()
            if (of, row.trigger, row.source) not in RARE_LINKS
        ),
        *(
            CELLS[trigger, state]
            for trigger, states in GIVEN.items()
            for state in states
        ),
    ]


def impossible() -> list[str]:
    """Return the names of what must not have happened."""
    # A state that no lifecycle of these orders has is in no cell.
    cells = ((trigger, state) for trigger, states in IMPOSSIBLE for state in states)
    return [CELLS[cell] for cell in cells if cell in CELLS]


def _rows() -> list[tuple[tuple[StrEnum, State, State], str]]:
    return [((r.trigger, r.source, r.dest), ROWS[id(r)]) for r in TABLE]


def _is_rare(lifecycle: str, row: Row) -> bool:
    key = row.trigger, row.source, row.when
    return any((of, *key) in RARE_STEPS for of in ("", lifecycle))


def missing(total: Tally) -> list[str]:
    """Return what stayed at zero although it must not, and what must be and is not."""
    seen = total.seen + total.faults
    never = [name for name in expected() if not seen[name]]
    return never + [f"NEWS: {name}" for name in impossible() if seen[name]]
