"""How news about a task is heard: too early, old, a contradiction that opens a case."""

from fsm.engine.rows import Task
from fsm.engine.steps import Case, CaseMove, Event
from fsm.engine.table import Row
from fsm.engine.words import CaseKind


class Hearing:
    """What events mean to one kind of task beyond its table.

    As it stands here everything is heard as it is said, and whatever contradicts opens
    a case. A kind of task overrides what it knows better.
    """

    def is_early(self, task: Task, event: Event) -> bool:
        """Return whether news must wait for the step that is under way."""
        del task, event
        return False

    def understood(self, task: Task, event: Event) -> Event:
        """Return the event as what it is, where it says something else of itself."""
        del task
        return event

    def disagrees(self, task: Task, event: Event) -> Event | None:
        """Return what known news says that is new; None where there is nothing."""
        del task, event
        return None

    def agrees(self, task: Task, event: Event) -> bool:
        """Return whether the event says what is proven already."""
        del task, event
        return False

    def contradiction(self, task: Task, event: Event) -> CaseKind:
        """Return the kind of case that a contradiction opens."""
        del task, event
        return CaseKind.CONTRADICTION

    def case(self, kind: CaseKind, task: Task, event: Event) -> Case:
        """Return the case to open about a task, with what a person has to see."""
        detail: dict[str, object] = {
            "state": task.state.value,
            "trigger": event.trigger.value,
            **({"code": event.code} if event.code else {}),
            **event.detail,
        }
        return Case(
            kind=kind, task_id=task.task_id, detail=detail, content=event.content
        )

    def cases(self, task: Task, row: Row, event: Event) -> tuple[Case, ...]:
        """Return the cases that a move opens."""
        return () if row.case is None else (self.case(row.case, task, event),)

    def case_moves(self, task: Task, row: Row, event: Event) -> tuple[CaseMove, ...]:
        """Return how a move moves the open cases about the task."""
        del task, row, event
        return ()
