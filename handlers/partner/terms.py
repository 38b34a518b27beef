"""The terms of a link: its partner, and the policy that one is treated by."""

from typing import Final

from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.partner.policy import LinkPolicy
from fsm.partner.words import UNCONFIGURED, LinkTrigger
from handlers.calling import unheard
from handlers.commit import Ports
from handlers.ports.partners import Partner

UNKNOWN_PARTNER: Final = LinkPolicy()
"""How a link is treated whose partner is not configured here any more."""


def partner_of(task: Task, ports: Ports) -> Partner | None:
    """Return the task's partner; None where it is not configured here."""
    return ports.partners.get(task.provider)


def policy_of(task: Task, ports: Ports) -> LinkPolicy:
    """Return how the task's partner may be treated."""
    partner = partner_of(task, ports)
    return UNKNOWN_PARTNER if partner is None else partner.policy


def not_configured(task: Task) -> Event:
    """Return that a task's partner cannot be asked by this process."""
    because = f"partner {task.provider!r} is not configured here"
    return unheard(LinkTrigger.NOT_SENT, task, because, code=UNCONFIGURED)
