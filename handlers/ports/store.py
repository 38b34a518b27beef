"""The store: the one truth. Every method is one transaction, or none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from fsm.domain.audit import AuditLine
from fsm.domain.dead_letters import DeadLetter
from fsm.domain.errors import UnknownWords
from fsm.domain.messages import Message
from fsm.domain.orders import Order, Request, Submission
from fsm.domain.webhook_events import Arrival, WebhookEvent, WebhookEventState
from fsm.engine.records import quickly_made
from fsm.engine.steps import Case, Step
from fsm.engine.words import Kind
from handlers.ports.bus import Delivery


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class StepWrite:
    """One step and all that must be committed with it.

    ``woken`` says that wake-ups for what is due at once are among the messages.
    """

    order: Order
    step: Step
    lines: tuple[AuditLine, ...]
    messages: tuple[Message, ...] = ()
    at: datetime
    webhooks: Mapping[str, WebhookEventState] = field(default_factory=dict)
    woken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A committed step: what its tasks' inboxes hold."""

    webhook_pending: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWebhook:
    """A webhook in the inbox.

    ``repeats`` says that the same statement was stored under another id before.
    """

    inbox_id: str
    webhook: WebhookEvent
    state: WebhookEventState
    repeats: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """An accepted request with the rows it becomes."""

    request: Request
    order: Order
    lines: tuple[AuditLine, ...]
    messages: tuple[Message, ...]


class Store(Protocol):
    """The rows, as handlers see them.

    Guarantees: a method that returns has committed (or only read); one that
    raises :class:`StoreUnavailable` may have committed, and the same call may be
    made again. Messages given to a method are rows of the outbox in the same
    transaction and are published soon after it, at least once.
    """

    async def submit(self, new: NewOrder) -> Submission:
        """Insert an order unless (merchant, kind, order_id) exists.

        Returns the existing one's queue_id as ``duplicate`` where the content is
        the same and as ``conflict`` where it is not. Of orders with the same
        ``exclusive_key`` one runs at a time: its ids are those of the ``duplicate``, or
        of the ``conflict`` where it is of another kind.
        """
        ...

    async def load(self, queue_id: str) -> Order | None:
        """Return the order with all its tasks, from the primary."""
        ...

    async def queue_of(self, task_id: str) -> str | None:
        """Return the queue a task belongs to."""
        ...

    async def queue_of_order(
        self, merchant_id: str, kind: Kind, order_id: str
    ) -> str | None:
        """Return the queue of the one order that its merchant calls so."""
        ...

    async def completed(self, exclusive_key: str, *, limit: int) -> Sequence[str]:
        """Return the queues of the orders with that key that were completed.

        The newest come first, as the clocks of the processes have it. Nothing but rows
        says so: whoever acts on it looks the orders over.
        """
        ...

    async def record(self, work: StepWrite) -> Recorded:
        """Commit a step: compare-and-set, audit lines, messages, cases, news.

        :raises StaleWrite: a row of the step is not the one that it was decided on;
            nothing is written.
        :raises WebhookSettled: a webhook of the step is settled; nothing is written.
        :raises BrokenInvariant: a constraint refused it; nothing is written.
        """
        ...

    async def store_webhooks(self, *events: WebhookEvent) -> Sequence[Arrival]:
        """Store events with their wake-ups, all or none; say of each what it was.

        One whose id is known is not stored again. Where it says something else than
        then, that is kept beside it, as news that ``seen_as`` marks.
        """
        ...

    async def pending_webhooks(self, task_id: str) -> Sequence[StoredWebhook]:
        """Return the webhooks of a task that nobody has applied, oldest first."""
        ...

    async def find_webhook(self, provider: str, event_id: str) -> StoredWebhook | None:
        """Return a stored webhook."""
        ...

    async def mark_waiting(self, task_id: str, version: int) -> bool:
        """Tell the task's next step that news waits; False if it has moved on."""
        ...

    async def close_webhook(self, inbox_id: str, state: WebhookEventState) -> None:
        """Settle a webhook that changes nothing; its place in the order counts."""
        ...

    async def forget_words(self, inbox_id: str) -> None:
        """Take what a webhook says in its provider's own words out of its row.

        For an order that was erased: what is left is what was signed.
        """
        ...

    async def park(self, unknown: UnknownWords) -> None:
        """Park an order for a version that knows its words; its rows stay."""
        ...

    async def park_message(self, delivery: Delivery) -> bool:
        """Park a message of a subject not known here; False where there is no room."""
        ...

    async def open_case(self, order: Order, case: Case, at: datetime) -> None:
        """Open a case that belongs to no step; the same one twice, once."""
        ...

    async def dead_letter(
        self, letter: DeadLetter, messages: Sequence[Message]
    ) -> None:
        """Keep a dead letter and post ``messages``; the same one twice, once."""
        ...

    async def post(self, message: Message) -> None:
        """Put a message that belongs to no step into the outbox."""
        ...


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Unsent:
    """A message in the outbox that nobody has published yet.

    ``seq`` is the number of its row. ``bundled`` says that others may have the same:
    all that one commit has posted is one row, which goes when all of it is published.
    """

    seq: int
    message: Message
    bundled: bool = False


class Outbox(Protocol):
    """The outbox, as the relay sees it."""

    async def unsent(
        self, *, older_than: timedelta, limit: int, after: int = 0
    ) -> Sequence[Unsent]:
        """Return ``limit`` messages left over by processes that died, oldest first.

        They are some more where the last ones are a bundle, which is given as a whole.
        ``after`` is the number of the last row that was looked at before.
        """
        ...

    async def sent(self, seqs: Sequence[int]) -> None:
        """Remove rows of which every message was acknowledged."""
        ...

    async def unbundle(self, seqs: Sequence[int], *, taken: Sequence[str]) -> None:
        """Put bundles' messages into rows of their own, but those ``taken``.

        So what is refused keeps nothing beside it from going.
        """
        ...


class Sweepable(Protocol):
    """The rows, as the sweeper sees them."""

    async def overdue(self, *, grace: timedelta, limit: int) -> Sequence[Order]:
        """Return orders with a row overdue by ``grace``, and mark them as woken.

        A row is not returned again before another ``grace`` has passed.
        """
        ...

    async def overdue_webhooks(
        self, *, grace: timedelta, limit: int
    ) -> Sequence[StoredWebhook]:
        """Return webhooks that wait although their task is there.

        One without a task is looked at less and less often, and not returned.
        """
        ...

    async def expired_webhooks(
        self, *, after: timedelta, limit: int
    ) -> Sequence[StoredWebhook]:
        """Return webhooks that name a task which never appeared."""
        ...

    async def forget_foreign(
        self, *, after: timedelta, limit: int
    ) -> Mapping[str, int]:
        """Remove webhooks that can be about no task; count them by provider."""
        ...
