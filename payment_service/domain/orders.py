"""Orders as the service knows them: the core's picture and what it is all about."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from fsm.snapshot import Queue, Task
from fsm.states import Kind
from payment_service.domain.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeEntry:
    """One provider to try, in its place of the cascade."""

    provider: str
    terminal_id: str | None = None
    sla: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as the upstream service sent it, validated.

    ``content`` is the canonical JSON of its known fields: a repeat with another
    content is a conflict.
    """

    kind: Kind
    order_id: str
    merchant_id: str
    customer_id: str
    money: Money
    destination: Mapping[str, str]
    cascade: tuple[CascadeEntry, ...]
    metadata: Mapping[str, object]
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order: its queue of tasks, and the facts that never change."""

    queue: Queue
    order_id: str
    merchant_id: str
    customer_id: str
    money: Money
    destination: Mapping[str, str]
    metadata: Mapping[str, object] = field(default_factory=dict)
    created_at: datetime
    finished_at: datetime | None = None
    customer_message: str | None = None
    trace_parent: str | None = None

    @property
    def queue_id(self) -> str:
        """The id of its order queue."""
        return self.queue.queue_id

    def task(self, task_id: str) -> Task:
        """Return one of its tasks, or raise KeyError."""
        return self.queue.task(task_id)

    def with_queue(self, queue: Queue) -> "Order":
        """Return the same order with its queue moved on."""
        return replace(self, queue=queue)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What became of a request: accepted, duplicate or conflict."""

    status: str
    order_id: str
    queue_id: str | None = None
