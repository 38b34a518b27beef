"""Events of calls that were not made, or not answered: the clock's, and our own."""

from typing import Final

from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.engine.words import Source
from fsm.payout.words import Trigger

UNCONFIGURED: Final = "provider_not_configured"


def timed(trigger: Trigger, task: Task) -> Event:
    """Return what the clock says of this version of the row, and of no other."""
    return Event(trigger=trigger, source=Source.TIMER, version=task.version)


def unasked(task: Task, because: str) -> Event:
    """Return that nothing was asked: it is about this version of the row alone."""
    return Event(trigger=Trigger.UNCLEAR, message=because, version=task.version)


def unconfigured(task: Task) -> Event:
    """Nothing can be asked of a provider that is not configured (any more)."""
    problem = f"provider {task.provider!r} is not configured here"
    trigger = Trigger.UNCLEAR if task.taken else Trigger.NOT_SENT
    return Event(trigger=trigger, code=UNCONFIGURED, message=problem)
