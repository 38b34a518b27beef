"""How a payout hears its provider: webhooks too early, other names, late money."""

from enum import StrEnum
from typing import Final

from fsm.engine.hearing import Hearing
from fsm.engine.records import replace
from fsm.engine.rows import Task
from fsm.engine.steps import Announced, Case, CaseMove, Change, Event
from fsm.engine.table import Row
from fsm.engine.words import (
    FINAL,
    CaseKind,
    CaseState,
    EngineWait,
    Source,
    State,
    Verdict,
)
from fsm.payout.words import Trigger, Waiting

WEBHOOK: Final = frozenset(
    {
        Trigger.PAID,
        Trigger.ACCEPTED,
        Trigger.DECLINED,
        Trigger.RETURNED,
        Trigger.MISMATCHED,
    }
)
_CASES_MOVED: Final[dict[StrEnum, CaseState]] = {
    Trigger.RETURNED: CaseState.SETTLING,
    Trigger.RETURN_REQUESTED: CaseState.SETTLING,
    Trigger.RETURN_CONFIRMED: CaseState.SETTLED,
    Trigger.RETURN_REFUSED: CaseState.OPEN,
}


class PayoutHearing(Hearing):
    """What a provider's words mean beyond the table."""

    def is_early(self, task: Task, event: Event) -> bool:
        """Return whether news must wait for the step that is under way.

        A webhook that overtakes the create's own answer would let the cascade go on
        while that create is still in flight; and a no that is being weighed lasts
        for one step only.
        """
        if event.trigger not in WEBHOOK:
            return False
        if task.waiting_for is Waiting.WEIGHING:
            return True
        unanswered = task.state in {State.PENDING, State.CREATING}
        return unanswered and event.source is Source.WEBHOOK

    def understood(self, task: Task, event: Event) -> Event:
        """The no of another payout proves nothing about this one."""
        if event.trigger is Trigger.DECLINED and _names_another(task, event):
            return replace(event, trigger=Trigger.MISMATCHED)
        return event

    def disagrees(self, task: Task, event: Event) -> Event | None:
        """What is known is said of an attempt of another name."""
        if event.trigger in WEBHOOK and _names_another(task, event):
            return replace(event, trigger=Trigger.MISMATCHED)
        return None

    def agrees(self, task: Task, event: Event) -> bool:
        """Return whether the event says what is proven about the money."""
        if task.verdict is None and not task.final:
            return False
        return (task.verdict is Verdict.PAID) is (event.trigger is Trigger.PAID)

    def contradiction(self, task: Task, event: Event) -> CaseKind:
        """Return the kind of case: money that came late, back, or otherwise."""
        trigger = event.trigger
        if trigger is Trigger.MISMATCHED and _names_another(task, event):
            return CaseKind.REFERENCE_MISMATCH
        if trigger is Trigger.MISMATCHED:
            return CaseKind.AMOUNT_MISMATCH
        if trigger is Trigger.RETURNED and task.verdict is Verdict.PAID:
            return CaseKind.RETURN_AFTER_SUCCESS
        if trigger is Trigger.PAID and task.final:
            return CaseKind.LATE_SUCCESS
        return CaseKind.CONTRADICTION

    def case(self, kind: CaseKind, task: Task, event: Event) -> Case:
        """Return the case with the provider's name, and both references it gave."""
        case = super().case(kind, task, event)
        detail = {"provider": task.provider, **case.detail}
        if _names_another(task, event):
            detail["provider_reference"] = task.provider_reference
            detail["other_reference"] = event.reference
        return replace(case, detail=detail)

    def cases(self, task: Task, row: Row, event: Event) -> tuple[Case, ...]:
        """Return the case of the row, and one about a second name for the attempt."""
        named = _names_another(task, event)
        kinds = [CaseKind.REFERENCE_MISMATCH] if named else []
        if row.case is not None and not (named and event.trigger is Trigger.MISMATCHED):
            kinds.append(row.case)
        state = CaseState.SETTLING if row.then is Waiting.RETURN else CaseState.OPEN
        return tuple(
            replace(self.case(kind, task, event), state=state) for kind in kinds
        )

    def case_moves(self, task: Task, row: Row, event: Event) -> tuple[CaseMove, ...]:
        """Return how a step of a settlement moves the cases about the return."""
        state = _CASES_MOVED.get(event.trigger)
        if state is None or row.source is not State.SUCCEEDED:
            return ()
        said = event.detail.get("reason") or event.message or event.code
        move = CaseMove(
            task_id=task.task_id,
            state=state,
            actor=event.actor,
            reason=said if isinstance(said, str) else None,
        )
        return (move,)


def announced(change: Change) -> Announced | None:
    """Return the event that the outside is told of a change: begun, over, a person."""
    before, after = change.before, change.after
    if before.state is State.PENDING and after.waiting_for is Waiting.CREATE:
        return Announced.ATTEMPT_STARTED
    if after.waiting_for is EngineWait.DECISION and _comes_to_a_person(before):
        return Announced.MANUAL_CHECK
    begun = before.waiting_for is not EngineWait.TURN
    negative = after.state in FINAL and after.state is not State.SUCCEEDED
    if begun and negative and not before.final:
        return Announced.ATTEMPT_FAILED
    return None


def _names_another(task: Task, event: Event) -> bool:
    """True where the provider calls this attempt otherwise than it did before."""
    return None not in {event.reference, task.provider_reference} and (
        event.reference != task.provider_reference
    )


def _comes_to_a_person(before: Task) -> bool:
    """True where nobody was to decide: it is new to them, or their no was stopped."""
    return (
        before.state is not State.MANUAL_CHECK
        or before.waiting_for is Waiting.LAST_QUESTION
    )
