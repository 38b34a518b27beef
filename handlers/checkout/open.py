"""Opens a saga: a task for each of its steps, none of which has begun."""

from datetime import datetime

from fsm.domain.ids import new_id
from fsm.engine.flow import Flow, StepSpec
from fsm.engine.rows import Task
from fsm.engine.words import EngineWait


def opened(flow: Flow, queue_id: str, now: datetime) -> tuple[Task, ...]:
    """Return the tasks of a new order, by position; the flow ``loads`` first."""
    return tuple(_task(queue_id, n, spec, now) for n, spec in enumerate(flow.steps))


def _task(queue_id: str, step: int, spec: StepSpec, now: datetime) -> Task:
    return Task(
        task_id=new_id(now),
        queue_id=queue_id,
        position=step,
        lifecycle=spec.lifecycle,
        step=step,
        name=spec.name,
        waiting_for=EngineWait.TURN,
        created_at=now,
        updated_at=now,
    )
