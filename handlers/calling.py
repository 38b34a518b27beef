"""What all calls out share: events about one version of a row, and a claim's age."""

from datetime import timedelta
from enum import StrEnum

from fsm.domain.errors import Tampered
from fsm.domain.orders import Order
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.engine.words import Source
from handlers.claims import Claims, ClaimTooOld
from handlers.commit import Ports
from handlers.sound import NOT_AS_REQUESTED, halted


def timed(trigger: StrEnum, task: Task, *, code: str | None = None) -> Event:
    """Return what is about this version of the row, and about no other."""
    return Event(trigger=trigger, source=Source.TIMER, version=task.version, code=code)


def unheard(
    trigger: StrEnum,
    task: Task,
    message: str,
    *,
    code: str | None = None,
    after: timedelta = timedelta(0),
    lacking: bool = False,
) -> Event:
    """Return what is no answer: it means nothing to a later version of the row."""
    return Event(
        trigger=trigger,
        version=task.version,
        message=message,
        code=code,
        after=after,
        lacking=lacking,
    )


def check_awake(task: Task, ports: Ports, claims: Claims) -> None:
    """Hold that this chain did not oversleep: others may have gone on since.

    :raises ClaimTooOld: it did.
    """
    age = ports.clock.elapsed() - claims.taken_at
    if age > ports.limits.send_within.total_seconds():
        raise ClaimTooOld(f"the picture of task {task.task_id} is {age:.1f} s old")


async def not_as_requested(order: Order, task: Task, ports: Ports) -> Tampered:
    """Open a case about an order that another request was written into."""
    return await halted(order, task, NOT_AS_REQUESTED, ports)
