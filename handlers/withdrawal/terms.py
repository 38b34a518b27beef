"""The terms of a payout: the policy of its provider, as its cascade entry has it."""

from typing import Final

from fsm.engine.rows import Task
from fsm.payout.policy import ProviderPolicy, policy_for
from handlers.commit import Ports

UNKNOWN_PROVIDER: Final = ProviderPolicy()
"""How an attempt is treated whose provider is not configured here any more."""


def policy_of(task: Task, ports: Ports) -> ProviderPolicy:
    """Return how the task's provider may be treated."""
    provider = ports.providers.get(task.provider)
    policy = UNKNOWN_PROVIDER if provider is None else provider.policy
    return policy_for(policy, task.sla)
