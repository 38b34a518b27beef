"""Claims of a chain: which calls it may make, since it entered their rows itself."""

from dataclasses import dataclass, field
from datetime import timedelta

from fsm.domain.errors import Fault
from fsm.engine.records import quickly_made
from fsm.engine.rows import Task
from handlers.ports.admission import Admission


class Admissions:
    """What one chain has been let in for, by task; whoever ends gives it back."""

    def __init__(self) -> None:
        self._held: dict[str, Admission] = {}

    def keep(self, task_id: str, admission: Admission) -> None:
        """Keep the admission until it is given back."""
        self._held[task_id] = admission

    def has(self, task_id: str) -> bool:
        """True where the task was let in and has not been answered since."""
        return task_id in self._held

    def give_back(self, task_id: str) -> None:
        """Free the place of one task, if it has any."""
        admission = self._held.pop(task_id, None)
        if admission is not None:
            admission.give_back()

    def give_all_back(self) -> None:
        """Free every place: the chain is over."""
        for task_id in [*self._held]:
            self.give_back(task_id)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """How fresh this chain's picture is, and which versions it entered itself.

    ``taken_at`` is a local time before which nobody else can have moved the rows.
    Whoever only finds a row from which a create is sent cannot know whether a worker
    that died has sent it; whoever entered that version in this chain knows.
    ``admissions`` are what the chain's providers have let it in for.
    """

    taken_at: float
    entered: frozenset[tuple[str, int]] = frozenset()
    admissions: Admissions = field(default_factory=Admissions)

    def claims(self, task: Task) -> bool:
        """True where this chain itself committed the intent it is to act on."""
        return (task.task_id, task.version) in self.entered


class InFlight(Fault):
    """A create that somebody else has claimed may still be under way."""

    def __init__(self, task_id: str, left: timedelta) -> None:
        super().__init__(f"the create of task {task_id} may be under way")
        self.left = left


class ClaimTooOld(Fault):
    """The process slept so long that another worker may have taken over."""
