"""What goes into a decision and what comes out: an event, and the step it becomes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from fsm.engine.customer import CustomerMessage
from fsm.engine.records import quickly_made
from fsm.engine.rows import Queue, Task
from fsm.engine.words import CaseKind, CaseState, Source


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a task, with what there is to prove it.

    ``asked_at`` is when the question was asked that this is the answer to. ``version``
    is given where it happened to one version of the row and means nothing to a later
    one, as a timer does. ``after`` is for how long at least the other side is to be
    left alone; ``lacking`` says that we did not ask for what we lack ourselves, which
    uses up no try. ``sequence`` is the other side's own number of its news, ``content``
    a hash of all that it says, under whatever id. ``disputed`` is what was said under
    the id of an event that had said something else before: it may open a case, and
    moves nothing. ``person`` is who stands behind an actor that is one of several keys
    of theirs. ``result`` is what a step came to, where those after it need it.
    ``customer`` is what an end without a success is to the order's customer.
    """

    trigger: StrEnum
    source: Source = Source.ANSWER
    actor: str = "system"
    person: str | None = None
    code: str | None = None
    message: str | None = None
    reference: str | None = None
    decision: str | None = None
    asked_at: datetime | None = None
    version: int | None = None
    after: timedelta = timedelta(0)
    lacking: bool = False
    sequence: int | None = None
    content: str | None = None
    disputed: bool = False
    detail: Mapping[str, object] = field(default_factory=dict)
    result: Mapping[str, object] | None = None
    customer: CustomerMessage | None = None

    @property
    def voter(self) -> str:
        """Return who has decided: a person is one, with however many keys."""
        return self.person or self.actor


class Announced(StrEnum):
    """The kinds of order events that the outside is told of (contract, 3)."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    ATTEMPT_STARTED = "attempt_started"
    ATTEMPT_FAILED = "attempt_failed"
    MANUAL_CHECK = "manual_check"
    RETURNED = "returned"
    CASE_OPENED = "case_opened"
    CASE_CLOSED = "case_closed"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """An order event to publish; ``task`` is None where it is about the order.

    ``result`` is the flow's own word for how an order has ended.
    """

    type: Announced
    task: Task | None = None
    code: str | None = None
    message: str | None = None
    result: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A contradiction to open for a person.

    ``content`` tells statements apart, not deliveries: one that is made again opens no
    second case. None where no news has said it.
    """

    kind: CaseKind
    task_id: str
    detail: Mapping[str, object]
    state: CaseState = CaseState.OPEN
    content: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseMove:
    """What the settlement of a return does to the open cases about it."""

    task_id: str
    state: CaseState
    actor: str
    reason: str | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One task moves by one version; its audit line is made of this."""

    before: Task
    after: Task
    trigger: str
    actor: str
    detail: Mapping[str, object]


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class QueueChange:
    """The order's own row moves by one version."""

    before: Queue
    after: Queue
    trigger: str
    actor: str
    detail: Mapping[str, object]


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """All that one event changes; committed as a whole or not at all."""

    changes: tuple[Change, ...]
    queue: QueueChange | None
    announcements: tuple[Announcement, ...]
    cases: tuple[Case, ...]
    after: Queue
    case_moves: tuple[CaseMove, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """Old news: nothing to do."""


@dataclass(frozen=True, slots=True)
class Wait:
    """News that is too early: it waits in the inbox until the task is ready."""


Decision = Step | Known | Wait
