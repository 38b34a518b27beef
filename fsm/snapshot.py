"""What the core looks at: frozen pictures of a task and of its order queue."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from fsm.records import replace
from fsm.states import CALLS, FINAL, Kind, OrderState, State, Verdict, Waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One attempt at one provider, as its row says.

    ``sla`` of this cascade entry is None where the provider's own holds;
    ``taken`` says that the provider took the payout or may have.
    ``sent_first_at`` is a lower bound of the first create, ``sent_last_at`` an
    upper bound of the last one. ``news_sequence`` is the provider's own number of the
    newest webhook; ``returned`` says that core has taken a payout back that came back.
    """

    task_id: str
    queue_id: str
    position: int
    provider: str
    terminal_id: str | None = None
    sla: str | None = None
    state: State = State.PENDING
    version: int = 1
    waiting_for: Waiting | None = Waiting.TURN
    wake_at: datetime | None = None
    tries: int = 0
    verdict: Verdict | None = None
    taken: bool = False
    cancel_requested: bool = False
    news_waiting: bool = False
    sent_first_at: datetime | None = None
    sent_last_at: datetime | None = None
    sla_at: datetime | None = None
    deadline_at: datetime | None = None
    provider_reference: str | None = None
    news_sequence: int | None = None
    returned: bool = False
    code: str | None = None
    proposed_by: str | None = None
    proposed_decision: str | None = None
    audit_hash: bytes = b""
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def final(self) -> bool:
        """True once nothing moves the task any more."""
        return self.state in FINAL

    def due(self, now: datetime) -> bool:
        """True when the next call of this task may be made."""
        return (
            self.waiting_for in CALLS
            and self.wake_at is not None
            and self.wake_at <= now
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """One order: its own row and all of its tasks, by position."""

    queue_id: str
    kind: Kind = Kind.WITHDRAWAL
    state: OrderState = OrderState.ACTIVE
    version: int = 1
    cancel_requested: bool = False
    waiting_for: Waiting | None = None
    wake_at: datetime | None = None
    tries: int = 0
    audit_hash: bytes = b""
    tasks: tuple[Task, ...] = ()

    @property
    def final(self) -> bool:
        """True once the order has its outcome."""
        return self.state is not OrderState.ACTIVE

    def due(self, now: datetime) -> bool:
        """True when core must be told the outcome."""
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
        tasks = tuple(changed.get(t.task_id, t) for t in self.tasks)
        return replace(self, tasks=tasks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Waits that grow: first, first·factor, … up to ``longest``."""

    first: timedelta
    factor: float
    longest: timedelta

    def after(self, tries: int, jitter: float = 1.0) -> timedelta:
        """Return the wait after ``tries`` earlier waits, within the bound."""
        # Seconds, since a timedelta overflows where a float only grows large.
        grown = self.first.total_seconds() * self.factor ** min(tries, 64)
        return timedelta(seconds=min(grown, self.longest.total_seconds())) * jitter


class AskedBy(StrEnum):
    """By which name a provider can be asked for the status of a payout."""

    OURS = "our reference"
    THEIRS = "the provider's own id"
    NOTHING = "nothing: it cannot be asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a provider may be treated: its capabilities as the core sees them.

    ``asked_by`` is the name that its status is asked by: where that is not known, or
    there is none, a repeat of the create with the same key is the question.

    ``sla`` None means: wait for a webhook or a person, never poll.
    ``polls`` says what follows the SLA: ask the provider, or a person. ``finality`` is
    how long after its success a payout may come back and be settled through core;
    ``settles_returns`` lets that happen without a person.
    """

    asked_by: AskedBy = AskedBy.OURS
    idempotent_create: bool = False
    key_lifetime: timedelta = timedelta(hours=24)
    not_found_definite: bool = False
    not_found_grace: timedelta = timedelta(minutes=2)
    sla: timedelta | None = timedelta(minutes=15)
    polls: bool = True
    poll: Backoff = Backoff(
        first=timedelta(seconds=30), factor=2.0, longest=timedelta(minutes=5)
    )
    poll_deadline: timedelta = timedelta(minutes=30)
    recheck: Backoff = Backoff(
        first=timedelta(seconds=5), factor=2.0, longest=timedelta(minutes=5)
    )
    recheck_attempts: int = 8
    finality: timedelta | None = timedelta(days=30)
    settles_returns: bool = False

    def can_ask(self, task: Task) -> bool:
        """True where the status of this attempt can be asked now."""
        if self.asked_by is AskedBy.THEIRS:
            return task.provider_reference is not None
        return self.asked_by is AskedBy.OURS
