"""Asks the gate before new work is given to a provider: go on, wait, or the next one.

Only what has certainly not been sent waits or is passed over. What may be under way is
never held back by a limit; where its provider is paused or does not answer it is asked
about, not repeated.
"""

from enum import StrEnum

from fsm.domain.orders import Order
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.engine.words import EngineWait, Source
from handlers.claims import Admissions
from handlers.commit import Ports
from handlers.ports.admission import NotAdmitted


def at_gate(
    order: Order,
    task: Task,
    ports: Ports,
    admissions: Admissions,
    *,
    held: StrEnum,
    passed_over: StrEnum,
) -> Event | None:
    """Return None where the attempt may go on, else that it waits or is passed over.

    What somebody wants cancelled goes on, since it will not be sent. ``held`` and
    ``passed_over`` are the words of its lifecycle for what becomes of it else.
    """
    if task.cancel_requested or admissions.has(task.task_id):
        return None
    found = ports.gate.admit(task.provider, waited=task.code is not None)
    if not isinstance(found, NotAdmitted):
        admissions.keep(task.task_id, found)
        return None
    passed = found.outlasts and _another(order, task, ports)
    return Event(
        trigger=passed_over if passed else held,
        source=Source.TIMER,
        code=found.code.value,
        message=found.because,
        after=found.wait,
        # Another worker may have gone on since: then this is about nothing.
        version=task.version,
    )


def _another(order: Order, task: Task, ports: Ports) -> bool:
    """True where a later provider of the same step can be had in its stead."""
    return any(
        other.waiting_for is EngineWait.TURN and ports.gate.admits(other.provider)
        for other in order.queue.tasks
        if other.step == task.step and other.position > task.position
    )


def may_repeat_now(
    task: Task, ports: Ports, admissions: Admissions
) -> NotAdmitted | None:
    """Return why what may have arrived is asked about and not repeated."""
    found = ports.gate.repeat(task.provider)
    if isinstance(found, NotAdmitted):
        return found
    admissions.keep(task.task_id, found)
    return None
