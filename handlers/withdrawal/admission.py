"""Asks the gate before a create is prepared: go on, wait, or let the next one try."""

from fsm.domain.orders import Order
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.payout.words import Trigger
from handlers import admission
from handlers.claims import Admissions
from handlers.commit import Ports


def at_gate(
    order: Order, task: Task, ports: Ports, admissions: Admissions
) -> Event | None:
    """Return None where the payout may go on, else that it waits or is passed over."""
    held, passed = Trigger.HELD, Trigger.PASSED_OVER
    given = (order, task, ports, admissions)
    return admission.at_gate(*given, held=held, passed_over=passed)
