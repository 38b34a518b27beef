"""Opens a partner's link, or the removal of one: a single task, due at once."""

from datetime import datetime

from fsm.domain.ids import new_id
from fsm.domain.orders import Request
from fsm.engine.flow import Flow
from fsm.engine.rows import Task
from fsm.partner.words import LinkWait


def opened(
    flow: Flow, request: Request, queue_id: str, now: datetime
) -> tuple[Task, ...]:
    """Return the task of a new order."""
    (step,) = flow.steps
    task = Task(
        task_id=new_id(now),
        queue_id=queue_id,
        position=0,
        provider=str(request.details["partner"]),
        lifecycle=step.lifecycle,
        name=step.name,
        waiting_for=LinkWait.VALIDATE,
        wake_at=now,
        created_at=now,
        updated_at=now,
    )
    return (task,)
