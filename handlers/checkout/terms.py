"""The terms of a saga's step: who does it, and the policy they are treated by."""

from typing import Final

from fsm.charge.lifecycle import CHARGE
from fsm.charge.policy import ChargePolicy
from fsm.engine.rows import Task
from fsm.service.policy import ServicePolicy
from handlers.checkout.charges import Charging
from handlers.commit import Ports
from handlers.ports.services import StepService

UNKNOWN_SERVICE: Final = ServicePolicy()
"""How a step is treated whose service is not configured here any more."""
UNKNOWN_PROVIDER: Final = ChargePolicy()
"""How a charge is treated whose provider is not configured here any more."""


def is_charge(task: Task) -> bool:
    """Tell whether a payment provider does the task's step, not a service."""
    return task.lifecycle == CHARGE.name


def service_of(task: Task, ports: Ports) -> StepService | None:
    """Return who does the task's step; None where they are not configured here."""
    if not is_charge(task):
        return ports.services.get(task.name or "")
    provider = ports.payments.get(task.provider)
    return None if provider is None else Charging(provider)


def policy_of(task: Task, ports: Ports) -> ServicePolicy:
    """Return how who does the task's step may be treated."""
    service = service_of(task, ports)
    if service is not None:
        return service.policy
    return UNKNOWN_PROVIDER if is_charge(task) else UNKNOWN_SERVICE
