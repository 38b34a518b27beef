"""Opens a withdrawal: a task for each provider of the cascade, the first one due."""

from datetime import datetime

from fsm.domain.ids import new_id
from fsm.domain.orders import CascadeEntry, Request
from fsm.engine.rows import Task
from fsm.engine.words import EngineWait
from fsm.payout.words import Waiting


def opened(request: Request, queue_id: str, now: datetime) -> tuple[Task, ...]:
    """Return the tasks of a new order, by position."""
    entries = enumerate(request.cascade)
    return tuple(_task(queue_id, n, entry, now) for n, entry in entries)


def _task(queue_id: str, position: int, entry: CascadeEntry, now: datetime) -> Task:
    first = position == 0
    return Task(
        task_id=new_id(now),
        queue_id=queue_id,
        position=position,
        provider=entry.provider,
        terminal_id=entry.terminal_id,
        sla=entry.sla,
        waiting_for=Waiting.FREEZE if first else EngineWait.TURN,
        wake_at=now if first else None,
        created_at=now,
        updated_at=now,
    )
