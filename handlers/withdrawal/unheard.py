"""What a payout's call means that was not made: it is no answer of anybody."""

from typing import Final

from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.payout.words import Trigger
from handlers.calling import unheard

UNCONFIGURED: Final = "provider_not_configured"


def unasked(task: Task, because: str) -> Event:
    """Return that nothing was asked: it is about this version of the row alone."""
    return unheard(Trigger.UNCLEAR, task, because)


def unconfigured(task: Task) -> Event:
    """Nothing can be asked of a provider that is not configured (any more)."""
    problem = f"provider {task.provider!r} is not configured here"
    trigger = Trigger.UNCLEAR if task.taken else Trigger.NOT_SENT
    return Event(trigger=trigger, code=UNCONFIGURED, message=problem)
