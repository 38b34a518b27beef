"""The store on PostgreSQL: steps, orders and webhooks, grouped into few commits."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final

import orjson

from fsm.domain.audit_keys import UNKEYED, AuditKeys
from fsm.domain.dead_letters import DeadLetter
from fsm.domain.errors import (
    BrokenInvariant,
    StaleWrite,
    StoreUnavailable,
    UnknownWords,
    UnreadableRow,
    WebhookSettled,
)
from fsm.domain.ids import is_uuid
from fsm.domain.messages import Message
from fsm.domain.orders import Order, Submission
from fsm.domain.webhook_events import Arrival, WebhookEvent, WebhookEventState
from fsm.engine.flow import Rules
from fsm.engine.steps import Case
from fsm.engine.words import Kind
from fsm.flows import RULES
from handlers.ports.bus import Delivery
from handlers.ports.store import NewOrder, Recorded, StepWrite, StoredWebhook, Unsent
from payment_service.storage import order_erasure, parked, record
from payment_service.storage import statements as sql
from payment_service.storage.database import Database
from payment_service.storage.dead_letters import Graves
from payment_service.storage.grouped import Grouped
from payment_service.storage.inbox import Inbox
from payment_service.storage.outbox_rows import message_row
from payment_service.storage.readable import readable
from payment_service.storage.rows import (
    as_json,
    case_row,
    event_row,
    new_order_row,
    new_task_row,
)
from payment_service.storage.step_rows import parts_of, record_rows
from payment_service.storage.submitted import (
    Holder,
    Submitted,
    accepted,
    exclusive_key,
    order_key,
    repeated,
)
from payment_service.storage.webhook_rows import WEBHOOK_TYPES, webhooks_from

LANES: Final = 2
GROUP_MAX: Final = 200


class PostgresStore:
    """Implements ``ports.store.Store``.

    ``on_committed`` is given the outbox rows of every commit of this process, so
    that they are published right after it; what it drops the relay finds.
    """

    def __init__(
        self,
        database: Database,
        *,
        keys: AuditKeys = UNKEYED,
        on_committed: Callable[[Sequence[Unsent]], None] = lambda _: None,
        lanes: int = LANES,
        rules: Rules = RULES,
    ) -> None:
        self._rules = rules
        self._database = database
        self._keys = keys
        self.on_committed = on_committed
        self._sent: list[int] = []
        self._recording = Grouped(
            self._record, lanes=lanes, size_max=GROUP_MAX, key=_queue_of_work
        )
        self._submitting = Grouped(
            self._submit, lanes=lanes, size_max=GROUP_MAX, key=order_key
        )
        self._loading = Grouped(self._load, lanes=lanes, size_max=GROUP_MAX)
        self._finding = Grouped(self._queues_of, lanes=lanes, size_max=GROUP_MAX)
        inbox = Inbox(database, self._hand_on)
        self._keeping = Grouped(inbox.keep, lanes=lanes, size_max=GROUP_MAX)
        self._graves = Graves(database, keys, self._publish)

    async def record(self, work: StepWrite) -> Recorded:
        """Commit a step, in one statement with those that are ready beside it."""
        return await self._recording(work)

    async def submit(self, new: NewOrder) -> Submission:
        """Insert an order unless it exists."""
        return await self._submitting(new)

    async def load(self, queue_id: str) -> Order | None:
        """Return an order with all its tasks."""
        return await self._loading(queue_id) if is_uuid(queue_id) else None

    async def queue_of(self, task_id: str) -> str | None:
        """Return the queue of a task; what a stranger calls one may be any text."""
        return await self._finding(task_id) if is_uuid(task_id) else None

    async def queue_of_order(
        self, merchant_id: str, kind: Kind, order_id: str
    ) -> str | None:
        """Return the queue of the one order that its merchant calls so."""
        key = (merchant_id, kind.value, order_id)
        found = (await self._find_submitted([key])).get(key)
        return None if found is None else found.queue_id

    async def completed(self, exclusive_key: str, *, limit: int) -> Sequence[str]:
        """Return the queues of the orders with that key that were completed."""
        asked = {"key": exclusive_key, "limit": limit}
        return [row[0] for row in await self._database.run(sql.COMPLETED, asked)]

    async def store_webhooks(self, *events: WebhookEvent) -> Sequence[Arrival]:
        """Store events once for ever, with their wake-ups."""
        return await self._keeping(events) if events else []

    def remove_soon(self, seqs: Iterable[int]) -> None:
        """Have published rows of the outbox removed by the next commit."""
        self._sent.extend(seqs)

    def take_removable(self) -> list[int]:
        """Return what no commit has removed yet, to be removed by the caller."""
        sent, self._sent = self._sent, []
        return sent

    async def _record(
        self, works: Sequence[StepWrite]
    ) -> Sequence[Recorded | StaleWrite]:
        sent = self.take_removable()
        try:
            found = await self._database.run(
                record.RECORD[parts_of(works)], {**record_rows(works), "sent": sent}
            )
        except BaseException:
            self._sent.extend(sent)
            raise
        good = {r[1] for r in found if r[0] == "step"}
        self._publish_bundle(
            [m for n, work in enumerate(works) if n in good for m in work.messages],
            [r[3] for r in found if r[0] == "posted"],
        )
        settled = {r[1] for r in found if r[0] == "settled"}
        waiting: dict[int, set[str]] = {}
        for what, step, task_id, _ in found:
            if what == "webhook":
                waiting.setdefault(step, set()).add(task_id)
        return [
            Recorded(webhook_pending=frozenset(waiting.get(step, ())))
            if step in good
            else (WebhookSettled if step in settled else StaleWrite)(
                work.order.queue_id
            )
            for step, work in enumerate(works)
        ]

    async def _submit(
        self, orders: Sequence[NewOrder]
    ) -> Sequence[Submission | StoreUnavailable]:
        found = await self._database.run(sql.SUBMIT, _submit_rows(orders))
        inserted = {r[1] for r in found if r[0] == "order"}
        self._publish_bundle(
            [m for n in orders if n.order.queue_id in inserted for m in n.messages],
            [r[2] for r in found if r[0] == "posted"],
        )
        if len(inserted) == len(orders):
            return [accepted(new) for new in orders]
        others = [n for n in orders if n.order.queue_id not in inserted]
        known = await self._find_submitted([*map(order_key, others)])
        held = await self._find_holders(
            [exclusive_key(n) for n in others if order_key(n) not in known]
        )
        return [
            accepted(new)
            if new.order.queue_id in inserted
            else repeated(new, known, held, self._keys)
            for new in orders
        ]

    async def _find_submitted(
        self, keys: Sequence[tuple[str, str, str]]
    ) -> dict[tuple[str, str, str], Submitted]:
        rows = await self._database.run(
            sql.FIND_SUBMITTED,
            {
                "merchants": [key[0] for key in keys],
                "kinds": [key[1] for key in keys],
                "orders": [key[2] for key in keys],
            },
        )
        return {(r[0], r[1], r[2]): Submitted(r[3], bytes(r[4]), r[5]) for r in rows}

    async def _find_holders(self, keys: Sequence[str]) -> dict[str, Holder]:
        wanted = [key for key in keys if key]
        if not wanted:
            return {}
        rows = await self._database.run(sql.FIND_HOLDERS, {"held": wanted})
        return {r[0]: Holder(r[1], r[2], r[3]) for r in rows}

    async def _load(
        self, queue_ids: Sequence[str]
    ) -> Sequence[Order | UnreadableRow | None]:
        rows = await self._database.run(sql.LOAD, {"queue_ids": list(queue_ids)})
        found = {row[0]: readable(row[0], row[1], self._rules) for row in rows}
        return [found.get(queue_id) for queue_id in queue_ids]

    async def _queues_of(self, task_ids: Sequence[str]) -> Sequence[str | None]:
        rows = await self._database.run(sql.QUEUES_OF, {"task_ids": list(task_ids)})
        found: dict[str, str] = {row[0]: row[1] for row in rows}
        return [found.get(task_id) for task_id in task_ids]

    async def pending_webhooks(self, task_id: str) -> Sequence[StoredWebhook]:
        """Return a task's webhooks that nobody has applied, oldest first.

        One that only another version can read waits for that one.
        """
        asked = {"task_id": task_id, "types": WEBHOOK_TYPES}
        rows = await self._database.run(sql.PENDING_WEBHOOKS, asked)
        return webhooks_from(rows)

    async def find_webhook(self, provider: str, event_id: str) -> StoredWebhook | None:
        """Return a stored webhook."""
        rows = await self._database.run(
            sql.FIND_WEBHOOK, {"provider": provider, "event_id": event_id}
        )
        return next(iter(webhooks_from(rows)), None)

    async def mark_waiting(self, task_id: str, version: int) -> bool:
        """Tell the task's next step that webhook waits."""
        rows = await self._database.run(
            sql.MARK_WAITING, {"task_id": task_id, "version": version}
        )
        return bool(rows)

    async def close_webhook(self, inbox_id: str, state: WebhookEventState) -> None:
        """Settle a webhook that changes nothing."""
        await self._database.run(
            sql.CLOSE_WEBHOOK, {"inbox_id": inbox_id, "state": state}
        )

    async def forget_words(self, inbox_id: str) -> None:
        """Take a webhook's own words out of its row."""
        await self._database.run(order_erasure.FORGET_WORDS, {"inbox_id": inbox_id})

    async def park(self, unknown: UnknownWords) -> None:
        """Park an order for a version that knows its words; its rows stay."""
        await parked.park(self._database, unknown)

    async def park_message(self, delivery: Delivery) -> bool:
        """Park a message of a subject not known here; False where there is no room."""
        return await parked.park_message(self._database, delivery, self._keys)

    async def open_case(self, order: Order, case: Case, at: datetime) -> None:
        """Open a case that belongs to no step; the same one twice, once."""
        row = as_json([case_row(case, order, at)])
        await self._database.run(sql.OPEN_CASE, {"cases": row})

    async def dead_letter(
        self, letter: DeadLetter, messages: Sequence[Message]
    ) -> None:
        """Keep a dead letter and post its messages; the same one twice is kept once."""
        await self._graves.dead_letter(letter, messages)

    async def post(self, message: Message) -> None:
        """Put a message that belongs to no step into the outbox."""
        rows = await self._database.run(
            sql.POST,
            {
                "message_id": message.message_id,
                "subject": message.subject,
                "body": message.body,
                "headers": orjson.dumps(dict(message.headers)).decode(),
            },
        )
        self._publish([message], [(message.message_id, row[0]) for row in rows])

    def _hand_on(self, rows: Sequence[Unsent]) -> None:
        if rows:
            self.on_committed(rows)

    def _publish_bundle(
        self, messages: Sequence[Message], posted: Sequence[int]
    ) -> None:
        """Hand on what a commit has posted in its one row."""
        self._hand_on(
            [Unsent(seq=n, message=m, bundled=True) for n in posted for m in messages]
        )

    def _publish(
        self, messages: Sequence[Message], posted: Sequence[tuple[str, int]]
    ) -> None:
        by_id = {message.message_id: message for message in messages}
        rows = [Unsent(seq=seq, message=by_id[name]) for name, seq in posted]
        self._hand_on(rows)


def _queue_of_work(work: StepWrite) -> str:
    return work.order.queue_id


def _submit_rows(orders: Sequence[NewOrder]) -> dict[str, str]:
    for new in orders:
        if any(m.queue_id != new.order.queue_id for m in new.messages):
            # The statement would leave it out: it posts for what it inserts.
            raise BrokenInvariant("a new order's message belongs to another order")
    # Two groups that want the same keys want them in one order, against deadlock.
    orders = sorted(orders, key=exclusive_key)
    return {
        "orders": as_json([new_order_row(new) for new in orders]),
        "tasks": as_json(
            [new_task_row(t) for n in orders for t in n.order.queue.tasks]
        ),
        "events": as_json([event_row(line) for new in orders for line in new.lines]),
        "messages": as_json(
            [
                {"queue_id": m.queue_id, "message": message_row(m, new.order)}
                for new in orders
                for m in new.messages
            ]
        ),
    }
