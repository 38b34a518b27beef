"""The terms of a saga's step: the policy of the service that does it."""

from typing import Final

from fsm.engine.rows import Task
from fsm.service.policy import ServicePolicy
from handlers.commit import Ports

UNKNOWN_SERVICE: Final = ServicePolicy()
"""How a step is treated whose service is not configured here any more."""


def policy_of(task: Task, ports: Ports) -> ServicePolicy:
    """Return how the service of the task's step may be treated."""
    service = ports.services.get(task.name or "")
    return UNKNOWN_SERVICE if service is None else service.policy
