"""How a saga's step hears its service: late words, and what contradicts them."""

from fsm.engine.hearing import Hearing
from fsm.engine.rows import Task
from fsm.engine.steps import Announced, Change, Event
from fsm.engine.words import FINAL, CaseKind, EngineWait, State
from fsm.service.due import LOST
from fsm.service.words import DEFAULTED, ServiceWait, StepTrigger


class ServiceHearing(Hearing):
    """What a service's words mean beyond the table."""

    def agrees(self, task: Task, event: Event) -> bool:
        """Return whether a late no is about what a default holds for anyway."""
        del event
        return task.code == DEFAULTED

    def contradiction(self, task: Task, event: Event) -> CaseKind:
        """Return the kind of case: done after all, or otherwise than was said."""
        del task
        done = event.trigger is StepTrigger.DONE
        return CaseKind.LATE_SUCCESS if done else CaseKind.CONTRADICTION


def announced(change: Change) -> Announced | None:
    """Return the event that the outside is told of a change: begun, lost, a person."""
    before, after = change.before, change.after
    if before.state is State.PENDING and after.state is State.EXECUTING:
        return Announced.ATTEMPT_STARTED
    if after.waiting_for is EngineWait.DECISION and _comes_to_a_person(before):
        return Announced.MANUAL_CHECK
    begun = before.state is not State.PENDING and not before.final
    undone = after.state is State.REVERSED and after.code not in LOST
    lost = after.state in FINAL and after.state is not State.SUCCEEDED and not undone
    return Announced.ATTEMPT_FAILED if begun and lost else None


def _comes_to_a_person(before: Task) -> bool:
    """True where nobody was to decide: it is new to them, or their no was stopped."""
    questioned = before.waiting_for is ServiceWait.LAST_QUESTION
    return before.state is not State.MANUAL_CHECK or questioned
