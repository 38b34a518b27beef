"""What the core looks at: a task and its order, as their rows say.

A row has the columns of every kind of task; each kind uses its own.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from fsm.engine.records import quickly_made, replace
from fsm.engine.words import (
    FINAL,
    IDLE,
    RUNNING,
    EngineWait,
    Kind,
    OrderState,
    State,
    Verdict,
)

FIRST_LIFECYCLE: Final = "payout"
"""The lifecycle of a row that names none."""


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One attempt at one alternative of a step, as its row says.

    ``lifecycle`` names the rules it goes by, ``step`` the step of its order's flow.
    ``sla`` of this cascade entry is None where the provider's own holds;
    ``taken`` says that the provider took the payout or may have.
    ``sent_first_at`` is a lower bound of the first create, ``sent_last_at`` an
    upper bound of the last one. ``webhook_sequence`` is the provider's own number of
    the newest webhook; ``returned`` says that core has taken a payout back that came
    back. ``result`` is what a step came to that those after it need, JSON in its
    canonical form, written once; ``result_hash`` the keyed hash of it, in hex, which
    stays where an erasure has taken the result out.
    """

    task_id: str
    queue_id: str
    position: int
    provider: str = ""
    lifecycle: str = FIRST_LIFECYCLE
    step: int = 0
    name: str | None = None
    terminal_id: str | None = None
    sla: str | None = None
    state: State = State.PENDING
    version: int = 1
    waiting_for: StrEnum | None = EngineWait.TURN
    wake_at: datetime | None = None
    tries: int = 0
    verdict: Verdict | None = None
    taken: bool = False
    cancel_requested: bool = False
    webhook_pending: bool = False
    sent_first_at: datetime | None = None
    sent_last_at: datetime | None = None
    sla_at: datetime | None = None
    deadline_at: datetime | None = None
    provider_reference: str | None = None
    webhook_sequence: int | None = None
    returned: bool = False
    code: str | None = None
    proposed_by: str | None = None
    proposed_decision: str | None = None
    result: bytes | None = None
    result_hash: str | None = None
    audit_hash: bytes = b""
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def counted_as(self) -> str:
        """The name it is counted under: its provider's, or else its step's."""
        return self.provider or self.name or ""

    @property
    def final(self) -> bool:
        """True once nothing moves the task any more."""
        return self.state in FINAL

    def due(self, now: datetime) -> bool:
        """True when the next call of this task may be made."""
        return (
            self.wake_at is not None
            and self.wake_at <= now
            and self.waiting_for is not None
            and self.waiting_for not in IDLE
        )


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """One order: its own row and all of its tasks, by position.

    ``loaded`` is what was fetched for its steps, JSON in its canonical form; None where
    nothing was, or not yet. It is written once. ``customer_message`` is what the
    customer is to be told, as ``CustomerMessage`` writes it.
    """

    queue_id: str
    kind: Kind = Kind.WITHDRAWAL
    flow_version: int = 1
    exclusive_key: str | None = None
    state: OrderState = OrderState.ACTIVE
    version: int = 1
    cancel_requested: bool = False
    waiting_for: StrEnum | None = None
    wake_at: datetime | None = None
    tries: int = 0
    loaded: bytes | None = None
    customer_message: str | None = None
    audit_hash: bytes = b""
    tasks: tuple[Task, ...] = ()

    @property
    def final(self) -> bool:
        """True once the order has its outcome."""
        return self.state not in RUNNING

    def due(self, now: datetime) -> bool:
        """True when what its own row waits for is to be done."""
        return self.wake_at is not None and self.wake_at <= now

    def task(self, task_id: str) -> Task:
        """Return the task of that id.

        :raises KeyError: there is none.
        """
        for task in self.tasks:
            if task.task_id == task_id:
                return task
        raise KeyError(task_id)

    def with_tasks(self, changed: dict[str, Task]) -> "Queue":
        """Return this queue with some of its tasks replaced."""
        tasks = tuple([changed.get(t.task_id, t) for t in self.tasks])
        return replace(self, tasks=tasks)
