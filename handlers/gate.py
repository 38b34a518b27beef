"""Asks the gate before a create is prepared: go on, wait, or let the next one try.

Only what has certainly not been sent waits or is passed over. A create that may be
under way is never held back by a limit; where its provider is paused or does not
answer it is asked about, not repeated.
"""

from fsm.domain.orders import Order
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.engine.words import EngineWait, Source
from fsm.payout.words import Trigger
from handlers.engine import Engine
from handlers.ports.gate import Admission, Shut


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


def at_gate(
    order: Order, task: Task, engine: Engine, admissions: Admissions
) -> Event | None:
    """Return None where the attempt may go on, else that it waits or is passed over.

    What somebody wants cancelled goes on, since it will not be sent.
    """
    if task.cancel_requested or admissions.has(task.task_id):
        return None
    found = engine.gate.enter(task.provider, waited=task.code is not None)
    if not isinstance(found, Shut):
        admissions.keep(task.task_id, found)
        return None
    passed = found.outlasts and _another(order, task, engine)
    return Event(
        trigger=Trigger.PASSED_OVER if passed else Trigger.HELD,
        source=Source.TIMER,
        code=found.code.value,
        message=found.because,
        after=found.wait,
        # Another worker may have gone on since: then this is about nothing.
        version=task.version,
    )


def _another(order: Order, task: Task, engine: Engine) -> bool:
    """True where a provider later in the cascade can be had in its stead."""
    return any(
        other.waiting_for is EngineWait.TURN and engine.gate.admits(other.provider)
        for other in order.queue.tasks
        if other.position > task.position
    )


def may_repeat_now(task: Task, engine: Engine, admissions: Admissions) -> Shut | None:
    """Return why a create that may have arrived is asked about and not repeated."""
    found = engine.gate.repeat(task.provider)
    if isinstance(found, Shut):
        return found
    admissions.keep(task.task_id, found)
    return None
