"""The tables of the store in memory: every value in them is immutable."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from fsm.domain.audit import AuditLine
from fsm.domain.dead_letters import DeadLetter
from fsm.domain.orders import Order
from fsm.engine.rows import Queue, Task
from handlers.ports.bus import Delivery
from handlers.ports.reads import CaseRecord
from handlers.ports.store import StoredWebhook, Unsent


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A row of the outbox: all that one commit has posted."""

    rows: tuple[Unsent, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRow:
    """A row of the inbox; ``wake_at`` None once it is settled."""

    stored: StoredWebhook
    wake_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLettered:
    """A dead letter and what became of it."""

    letter: DeadLetter
    replayed_by: str | None = None
    discarded_by: str | None = None

    @property
    def open(self) -> bool:
        return self.replayed_by is None and self.discarded_by is None


@dataclass(slots=True)
class MemoryTables:
    """Everything that is stored; every value in it is immutable."""

    orders: dict[str, Order] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    keys: dict[tuple[str, str, str], str] = field(default_factory=dict)
    queues: dict[str, str] = field(default_factory=dict)
    trail: dict[tuple[str, int], AuditLine] = field(default_factory=dict)
    outbox: dict[int, Posted] = field(default_factory=dict)
    inbox: dict[str, InboxRow] = field(default_factory=dict)
    events: dict[tuple[str, str], str] = field(default_factory=dict)
    letters: dict[str, DeadLettered] = field(default_factory=dict)
    cases: dict[str, CaseRecord] = field(default_factory=dict)
    parked: dict[str, Delivery] = field(default_factory=dict)
    redrives: dict[tuple[str, int], int] = field(default_factory=dict)
    last_seq: int = 0

    def graces(self, row: Task | Queue) -> int:
        """Return after how many graces a row is woken, again and again."""
        woken = self.redrives.get(place(row), 0)
        return 1 << min(max(woken - 1, 0), 3)

    def rows(self) -> Iterator[Task | Queue]:
        """Yield the row of every order and of every task."""
        for order in self.orders.values():
            yield order.queue
            yield from order.queue.tasks

    def copy(self) -> "MemoryTables":
        """Return the same rows in dictionaries of their own."""
        return MemoryTables(
            orders=dict(self.orders),
            contents=dict(self.contents),
            keys=dict(self.keys),
            queues=dict(self.queues),
            trail=dict(self.trail),
            outbox=dict(self.outbox),
            inbox=dict(self.inbox),
            events=dict(self.events),
            letters=dict(self.letters),
            cases=dict(self.cases),
            redrives=dict(self.redrives),
            last_seq=self.last_seq,
        )


def place(row: Task | Queue) -> tuple[str, int]:
    """Return the key that redrives are counted under: an id and a version."""
    return (row.task_id if isinstance(row, Task) else row.queue_id), row.version
