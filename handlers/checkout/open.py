"""Opens a saga: a task for each of its steps, none of which has begun.

A step that payment providers do has a task for each of them, to be tried in order.
"""

from datetime import datetime

from fsm.charge.lifecycle import CHARGE
from fsm.domain.ids import new_id
from fsm.engine.flow import Flow, StepSpec
from fsm.engine.rows import Task
from fsm.engine.words import EngineWait
from handlers.ports.payments import PaidBy


def check_paid_by(flow: Flow, paid_by: PaidBy) -> None:
    """Hold that the steps that payment providers are to do may be done by them.

    :raises ValueError: there is no such step, or it may not go by a charge.
    """
    allowed = {step.name for step in flow.steps if CHARGE.name in step.lifecycles}
    if strange := {*paid_by} - allowed:
        raise ValueError(f"no payment provider can do {', '.join(sorted(strange))}")


def opened(
    flow: Flow, queue_id: str, now: datetime, paid_by: PaidBy | None = None
) -> tuple[Task, ...]:
    """Return the tasks of a new order, by position; the flow ``loads`` first."""
    paid_by = paid_by or {}
    asked = (
        (step, spec, provider)
        for step, spec in enumerate(flow.steps)
        for provider in paid_by.get(spec.name) or ("",)
    )
    return tuple(_task(queue_id, n, *each, now) for n, each in enumerate(asked))


def _task(
    queue_id: str,
    position: int,
    step: int,
    spec: StepSpec,
    provider: str,
    now: datetime,
) -> Task:
    return Task(
        task_id=new_id(now),
        queue_id=queue_id,
        position=position,
        provider=provider,
        lifecycle=CHARGE.name if provider else spec.lifecycle,
        step=step,
        name=spec.name,
        waiting_for=EngineWait.TURN,
        created_at=now,
        updated_at=now,
    )
