"""The store in memory: the same answers as PostgreSQL, and faults on demand."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

import orjson

from fsm.domain.acts import (
    SERVICE,
    SYSTEM,
    Act,
    CaseTrigger,
    LetterTrigger,
    acted,
    case_act,
    letter_act,
    service_line,
)
from fsm.domain.audit import AuditLine, Link
from fsm.domain.audit_keys import UNKEYED
from fsm.domain.cases import ONE_OPEN, case_id, money_at_risk
from fsm.domain.dead_letters import DeadLetter
from fsm.domain.erasure import NOBODY, Erasure, without_words
from fsm.domain.errors import (
    BrokenInvariant,
    NotNow,
    StaleWrite,
    StoreUnavailable,
    UnknownOrder,
    WebhookSettled,
)
from fsm.domain.masking import masked_text
from fsm.domain.messages import WEBHOOK_RECEIVED, Message, trace_id_of
from fsm.domain.orders import Order, Submission
from fsm.domain.webhook_events import (
    WEBHOOKS_KEPT,
    Arrival,
    WebhookEvent,
    WebhookEventState,
    differing_facts,
    disputing,
)
from fsm.engine.rows import Queue, Task
from fsm.engine.steps import Case, CaseMove, Change
from fsm.engine.words import (
    FINAL,
    LIVE,
    UNSETTLED,
    CaseKind,
    CaseState,
    EngineWait,
    Kind,
    State,
    Verdict,
)
from fsm.payout.lifecycle import PAYOUT
from fsm.payout.words import Trigger, Waiting
from handlers.ports.reads import CaseRecord
from handlers.ports.store import NewOrder, Recorded, StepWrite, StoredWebhook, Unsent
from payment_service.playground.memory.clock import VirtualClock
from payment_service.playground.memory.effects import Effects

WEBHOOK_READ_MAX: Final = 100
UNPAID: Final = FINAL - {State.SUCCEEDED}
TIMELESS: Final = frozenset({EngineWait.TURN, EngineWait.DECISION, Waiting.WEBHOOK})

Result = TypeVar("Result")
Row = TypeVar("Row", Task, Queue)


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
    redrives: dict[tuple[str, int], int] = field(default_factory=dict)
    last_seq: int = 0

    def graces(self, row: Task | Queue) -> int:
        """Return after how many graces a row is rung for, again and again."""
        woken = self.redrives.get(_place(row), 0)
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


class MemoryStore:
    """Implements the ports ``Store``, ``Outbox``, ``Sweepable`` and ``OperatorStore``.

    Each method is one transaction: it does all of its work or none.
    """

    def __init__(
        self,
        clock: VirtualClock,
        effects: Effects | None = None,
        *,
        on_committed: Callable[[Sequence[Unsent]], None] = lambda _: None,
    ) -> None:
        self.tables = MemoryTables()
        self._clock = clock
        self._effects = effects or Effects()
        self._on_committed = on_committed

    def snapshot(self) -> MemoryTables:
        """Return what a backup taken now would hold."""
        return self.tables.copy()

    def restore(self, snapshot: MemoryTables) -> None:
        """Forget all that was committed after the snapshot."""
        self.tables = snapshot.copy()

    async def submit(self, new: NewOrder) -> Submission:
        return await self._commit("store.submit", lambda: self._submit(new))

    async def load(self, queue_id: str) -> Order | None:
        return self.tables.orders.get(queue_id)

    async def queue_of(self, task_id: str) -> str | None:
        return self.tables.queues.get(task_id)

    async def queue_of_order(
        self, merchant_id: str, kind: Kind, order_id: str
    ) -> str | None:
        return self.tables.keys.get((merchant_id, kind.value, order_id))

    async def forget_words(self, inbox_id: str) -> None:
        def act() -> tuple[None, list[Unsent]]:
            self._forget_words(inbox_id)
            return None, []

        await self._commit("store.forget_words", act)

    async def open_case(self, order: Order, case: Case, at: datetime) -> None:
        def act() -> tuple[None, list[Unsent]]:
            self._open(_case_record(case, order, at))
            return None, []

        await self._commit("store.open_case", act)

    async def record(self, work: StepWrite) -> Recorded:
        return await self._commit("store.record", lambda: self._record(work))

    async def store_webhooks(self, *events: WebhookEvent) -> Sequence[Arrival]:
        return await self._commit(
            "store.store_webhooks", lambda: self._keep_all(events)
        )

    async def pending_webhooks(self, task_id: str) -> Sequence[StoredWebhook]:
        provider = self._provider_of(task_id)
        waiting = [
            replace(kept.stored, repeats=self._repeats(kept.stored))
            for kept in self.tables.inbox.values()
            if kept.wake_at is not None
            and kept.stored.webhook.reference == task_id
            and kept.stored.webhook.provider == provider
        ]
        return waiting[:WEBHOOK_READ_MAX]

    async def find_webhook(self, provider: str, event_id: str) -> StoredWebhook | None:
        inbox_id = self.tables.events.get((provider, event_id))
        return None if inbox_id is None else self.tables.inbox[inbox_id].stored

    async def mark_waiting(self, task_id: str, version: int) -> bool:
        return await self._commit(
            "store.mark_waiting", lambda: self._mark(task_id, version)
        )

    async def close_webhook(self, inbox_id: str, state: WebhookEventState) -> None:
        await self._commit("store.close_news", lambda: self._close(inbox_id, state))

    async def dead_letter(
        self, letter: DeadLetter, messages: Sequence[Message]
    ) -> None:
        await self._commit(
            "store.dead_letter", lambda: self._dead_letter(letter, messages)
        )

    async def post(self, message: Message) -> None:
        await self._commit("store.post", lambda: (None, self._posted([message])))

    async def unsent(
        self, *, older_than: timedelta, limit: int, after: int = 0
    ) -> Sequence[Unsent]:
        before = self._clock.now() - older_than
        found: list[Unsent] = []
        for seq, posted in self.tables.outbox.items():
            if posted.created_at < before and seq > after and len(found) < limit:
                found += posted.rows
        return found

    async def sent(self, seqs: Sequence[int]) -> None:
        self.remove_soon(seqs)

    async def unbundle(self, seqs: Sequence[int], *, taken: Sequence[str]) -> None:
        for seq in seqs:
            bundle = self.tables.outbox.get(seq)
            if bundle is None or not bundle.rows[0].bundled:
                continue
            del self.tables.outbox[seq]
            for row in bundle.rows:
                if row.message.message_id not in taken:
                    self._post(row.message, bundle.created_at)

    def remove_soon(self, seqs: Iterable[int]) -> None:
        """Remove published rows: here, at once."""
        for seq in seqs:
            self.tables.outbox.pop(seq, None)

    async def overdue(self, *, grace: timedelta, limit: int) -> Sequence[Order]:
        tasks = [t for o in self.tables.orders.values() for t in o.queue.tasks]
        queues = [o.queue for o in self.tables.orders.values()]
        late_tasks = self._late(tasks, grace, limit)
        late_queues = self._late(queues, grace, limit)
        for task in late_tasks:
            self._put_task(replace(task, wake_at=self._clock.now()))
        for queue in late_queues:
            order = self.tables.orders[queue.queue_id]
            woken = replace(order.queue, wake_at=self._clock.now())
            self.tables.orders[queue.queue_id] = order.with_queue(woken)
        woken_for = dict.fromkeys(
            [task.queue_id for task in late_tasks]
            + [queue.queue_id for queue in late_queues]
        )
        return [self.tables.orders[queue_id] for queue_id in woken_for]

    async def overdue_webhooks(
        self, *, grace: timedelta, limit: int
    ) -> Sequence[StoredWebhook]:
        now = self._clock.now()
        late = sorted(
            (
                kept
                for kept in self.tables.inbox.values()
                if kept.wake_at is not None and kept.wake_at < now - grace
            ),
            key=lambda kept: kept.wake_at or now,
        )[:limit]
        for kept in late:
            webhook = kept.stored.webhook
            age = min(now - webhook.received_at, timedelta(hours=1))
            wait = timedelta(0) if self.is_matched(webhook) else age
            inbox_id = kept.stored.inbox_id
            self.tables.inbox[inbox_id] = replace(kept, wake_at=now + wait)
        there = [k.stored for k in late if self.is_matched(k.stored.webhook)]
        return sorted(there, key=lambda s: int(s.inbox_id))

    async def expired_webhooks(
        self, *, after: timedelta, limit: int
    ) -> Sequence[StoredWebhook]:
        expired = [
            kept.stored
            for kept in self._given_up(after)
            if kept.stored.webhook.task_id is not None
        ]
        return expired[:limit]

    async def forget_foreign(
        self, *, after: timedelta, limit: int
    ) -> Mapping[str, int]:
        foreign = [
            kept.stored
            for kept in self._given_up(after)
            if kept.stored.webhook.task_id is None
        ][:limit]
        for stored in foreign:
            del self.tables.inbox[stored.inbox_id]
            del self.tables.events[stored.webhook.provider, stored.webhook.event_id]
        return Counter(stored.webhook.provider for stored in foreign)

    def _given_up(self, after: timedelta) -> list[InboxRow]:
        now = self._clock.now()
        due = [
            kept
            for kept in self.tables.inbox.values()
            if kept.wake_at is not None
            and kept.wake_at < now
            and kept.stored.webhook.received_at < now - after
            and not self.is_matched(kept.stored.webhook)
        ]
        return sorted(due, key=lambda kept: kept.wake_at or now)

    async def letter(self, letter_id: str) -> DeadLetter:
        dead_lettered = self.tables.letters.get(letter_id)
        if dead_lettered is None:
            raise UnknownOrder(letter_id, "dead letter")
        if not dead_lettered.open:
            raise NotNow(f"dead letter {letter_id} was dealt with already")
        return dead_lettered.letter

    async def open_dead_letters(
        self, *, subject: str | None, limit: int
    ) -> Sequence[str]:
        dead_lettered = [b.letter for b in self.tables.letters.values() if b.open]
        wanted = [b for b in dead_lettered if subject is None or b.subject == subject]
        return [b.id for b in sorted(wanted, key=lambda b: b.at)][:limit]

    async def mark_replayed(
        self,
        letter_id: str,
        *,
        actor: str,
        reason: str,
        at: datetime,
        messages: Sequence[Message] = (),
        reopens: tuple[str, str] | None = None,
    ) -> bool:
        said = letter_act(LetterTrigger.REPLAYED, letter_id, actor=actor, reason=reason)

        def act() -> tuple[bool, list[Unsent]]:
            marked = self._dealt_with(said, at, lambda b: replace(b, replayed_by=actor))
            if marked and reopens in self.tables.events:
                self._reopen(self.tables.events[reopens])
            return marked, self._posted(messages) if marked else []

        return await self._commit("desk.mark_replayed", act)

    async def mark_discarded(
        self, letter_id: str, *, actor: str, reason: str, at: datetime
    ) -> bool:
        act = letter_act(LetterTrigger.DISCARDED, letter_id, actor=actor, reason=reason)
        return self._dealt_with(act, at, lambda b: replace(b, discarded_by=actor))

    async def vote_to_close(
        self, case_id: str, *, voter: str, actor: str, reason: str, at: datetime
    ) -> None:
        case = await self._open_case(case_id)
        if case.close_voter is not None:
            raise NotNow(f"case {case_id} has just changed")
        self.tables.cases[case_id] = replace(case, close_voter=voter)
        trigger = CaseTrigger.CLOSE_PROPOSED
        act = case_act(trigger, case_id, actor=actor, reason=reason, voter=voter)
        self._say(case.queue_id, act, at)

    async def clear_vote_to_close(
        self,
        case_id: str,
        *,
        voter: str,
        trigger: CaseTrigger,
        actor: str,
        reason: str,
        at: datetime,
    ) -> None:
        case = await self._open_case(case_id)
        if case.close_voter != voter:
            raise NotNow(f"case {case_id} has just changed")
        self.tables.cases[case_id] = replace(case, close_voter=None)
        act = case_act(trigger, case_id, actor=actor, reason=reason)
        self._say(case.queue_id, act, at)

    async def _open_case(self, case_id: str) -> CaseRecord:
        case = await self.case(case_id)
        if case.state is not CaseState.OPEN:
            raise NotNow(f"case {case_id} is {case.state}")
        return case

    async def close_case(
        self,
        case_id: str,
        *,
        actor: str,
        reason: str,
        at: datetime,
        agrees_with: str | None = None,
    ) -> None:
        case = await self._open_case(case_id)
        if agrees_with is not None and case.close_voter != agrees_with:
            raise NotNow(f"case {case_id} has just changed")
        self.tables.cases[case_id] = replace(
            case, state=CaseState.CLOSED, closed_at=at, reason=masked_text(reason)
        )
        act = case_act(CaseTrigger.CLOSED, case_id, actor=actor, reason=reason)
        self._say(case.queue_id, act, at)

    async def case(self, case_id: str) -> CaseRecord:
        case = self.tables.cases.get(case_id)
        if case is None:
            raise UnknownOrder(case_id, "case")
        return case

    async def erase(self, erasure: Erasure) -> None:
        order, line = erasure.order, erasure.line
        found = self.tables.orders.get(order.queue_id)
        if found is None or found.queue.audit_hash != order.queue.audit_hash:
            raise StaleWrite(order.queue_id)
        cases = self.tables.cases.values()
        if any(c.queue_id == order.queue_id and c.closed_at is None for c in cases):
            raise NotNow("a case is open")
        tasks = {task.task_id for task in order.queue.tasks}
        about = {
            each.letter.id: each
            for each in self.tables.letters.values()
            if order.queue_id == each.letter.queue_id
            or each.letter.task_id in tasks
            or (
                each.letter.order_id == order.order_id
                and orjson.dumps(order.merchant_id) in each.letter.body
            )
        }
        if any(each.open for each in about.values()):
            raise NotNow("a dead letter is open")
        for each in about.values():
            letter = replace(each.letter, body=b"", headers={}, error="erased")
            self.tables.letters[letter.id] = replace(each, letter=letter)
        queue = replace(
            found.queue, version=line.version, audit_hash=erasure.audit_hash
        )
        self.tables.orders[order.queue_id] = replace(
            found,
            queue=queue,
            customer_id=NOBODY,
            destination={},
            metadata={},
            signature=erasure.signature,
        )
        for inbox_id, kept in self.tables.inbox.items():
            if kept.stored.webhook.task_id in tasks:
                self._forget_words(inbox_id)
        self.tables.trail[line.entity_id, line.version] = line

    async def opening_of(self, case: CaseRecord) -> Link | None:
        trail = self.tables.trail
        for (entity_id, version), line in trail.items():
            its = entity_id == case.task_id and line.at == case.opened_at
            if its and line.trigger == Trigger.RETURNED:
                return Link(line, trail[entity_id, version - 1].hash)
        return None

    async def assign_case(
        self, case_id: str, *, owner: str, actor: str, reason: str, at: datetime
    ) -> None:
        case = await self.case(case_id)
        if case.closed_at is not None:
            raise NotNow(f"case {case_id} is {case.state}")
        self.tables.cases[case_id] = replace(case, owner=owner)
        act = case_act(
            CaseTrigger.ASSIGNED, case_id, actor=actor, reason=reason, owner=owner
        )
        self._say(case.queue_id, act, at)

    def _say(self, queue_id: str | None, act: Act, at: datetime) -> None:
        """Write the line of an act into its order's trail, or else the service's."""
        order = self.tables.orders.get(queue_id or "")
        if order is None:
            told = [line for (i, _), line in self.tables.trail.items() if i == SERVICE]
            previous = told[-1].hash if told else b""
            line = service_line(act, len(told), previous, at=at, keys=UNKEYED)
        else:
            trace_id = trace_id_of(order.trace_parent)
            queue, line = acted(
                order.queue,
                act,
                signed_by=order.signature.key_id,
                at=at,
                trace_id=trace_id,
                keys=UNKEYED,
            )
            self.tables.orders[order.queue_id] = order.with_queue(queue)
        self._check_trail([line])
        self._write([line])

    def _order_of(self, letter: DeadLetter) -> str | None:
        return self.tables.queues.get(letter.task_id or "") or letter.queue_id

    def is_matched(self, webhook: WebhookEvent) -> bool:
        """True where the task is there, and its provider's."""
        return self._provider_of(webhook.reference) == webhook.provider

    async def _commit(
        self, name: str, act: Callable[[], tuple[Result, list[Unsent]]]
    ) -> Result:
        def failed(done: bool) -> tuple[Result, list[Unsent]]:
            raise StoreUnavailable(f"{name}: the connection is gone, done: {done}")

        result, posted = await self._effects.do(name, act, failed)
        if posted:
            self._on_committed(posted)
        return result

    def _submit(self, new: NewOrder) -> tuple[Submission, list[Unsent]]:
        request = new.request
        key = (request.merchant_id, request.kind.value, request.order_id)
        known = self.tables.keys.get(key)
        if known is not None:
            same = self.tables.contents[known] == request.content
            return Submission(
                status="duplicate" if same else "conflict",
                order_id=request.order_id,
                queue_id=known if same else None,
            ), []
        queue = new.order.queue
        _check_queue(queue)
        for task in queue.tasks:
            _check_task(task)
        _check_live(queue)
        self._check_trail(new.lines)
        self.tables.keys[key] = queue.queue_id
        self.tables.contents[queue.queue_id] = request.content
        # Whoever loads it has yet to look it over.
        self.tables.orders[queue.queue_id] = replace(new.order, sound=None)
        for task in queue.tasks:
            self.tables.queues[task.task_id] = queue.queue_id
        self._write(new.lines)
        return Submission(
            status="accepted", order_id=request.order_id, queue_id=queue.queue_id
        ), self._posted(new.messages, bundled=True)

    def _record(self, work: StepWrite) -> tuple[Recorded, list[Unsent]]:
        if not all(self._still_waits(inbox_id) for inbox_id in work.webhooks):
            raise WebhookSettled(work.order.queue_id)
        order = self.tables.orders.get(work.order.queue_id)
        if order is None or not _is_current(order, work):
            raise StaleWrite(work.order.queue_id)
        moved = {
            change.after.task_id: _moved(
                order.task(change.after.task_id),
                change,
                settles=bool(work.webhooks) and place == 0,
            )
            for place, change in enumerate(work.step.changes)
        }
        after = self._with_queue(order, work, order.queue.with_tasks(moved))
        self._check(order, after, work)
        self.tables.orders[order.queue_id] = after
        self._write(work.lines)
        for case in work.step.cases:
            self._open(_case_record(case, work.order, work.at))
        for move in work.step.case_moves:
            self._move_cases(move, work.at)
        for inbox_id, state in work.webhooks.items():
            self._settle(inbox_id, state)
        waiting = (task.task_id for task in moved.values() if task.webhook_pending)
        return Recorded(webhook_pending=frozenset(waiting)), self._posted(
            work.messages, bundled=True
        )

    def _with_queue(self, order: Order, work: StepWrite, queue: Queue) -> Order:
        change = work.step.queue
        if change is None:
            return order.with_queue(queue)
        wanted = change.after
        moved = replace(
            queue,
            state=wanted.state,
            version=wanted.version,
            cancel_requested=wanted.cancel_requested,
            waiting_for=wanted.waiting_for,
            wake_at=wanted.wake_at,
            tries=wanted.tries,
            audit_hash=wanted.audit_hash,
        )
        finished_at = work.at if wanted.final else None
        return replace(order, queue=moved, finished_at=order.finished_at or finished_at)

    def _check(self, before: Order, after: Order, work: StepWrite) -> None:
        for change in work.step.changes:
            old, new = (
                before.task(change.after.task_id),
                after.task(change.after.task_id),
            )
            if new.version != old.version + 1:
                raise BrokenInvariant("order_tasks_version_grows_by_one")
            if old.final and not _may_leave(old, new):
                raise BrokenInvariant("order_tasks_final_has_no_exit")
            _check_task(new)
        if work.step.queue is not None:
            if after.queue.version != before.queue.version + 1:
                raise BrokenInvariant("order_queues_version_grows_by_one")
            if before.queue.final and after.queue.state is not before.queue.state:
                raise BrokenInvariant("order_queues_final_has_no_exit")
            _check_queue(after.queue)
        _check_live(after.queue)
        self._check_trail(work.lines)

    def _check_trail(self, lines: Sequence[AuditLine]) -> None:
        places = [(line.entity_id, line.version) for line in lines]
        if len(set(places)) < len(places) or not self.tables.trail.keys().isdisjoint(
            places
        ):
            raise BrokenInvariant("pk_order_task_events")

    def _write(self, lines: Sequence[AuditLine]) -> None:
        for line in lines:
            self.tables.trail[line.entity_id, line.version] = line

    def _keep_all(
        self, events: Sequence[WebhookEvent]
    ) -> tuple[list[Arrival], list[Unsent]]:
        kept = [self._keep(webhook) for webhook in events]
        return [arrival for arrival, _ in kept], [
            row for _, rows in kept for row in rows
        ]

    def _keep(self, webhook: WebhookEvent) -> tuple[Arrival, list[Unsent]]:
        key = (webhook.provider, webhook.event_id)
        if key in self.tables.events:
            first = self.tables.inbox[self.tables.events[key]].stored.webhook
            if not differing_facts(first, webhook):
                return Arrival.SEEN, []
            return Arrival.DIFFERS, self._keep(disputing(first, webhook))[1]
        inbox_id = str(self._next())
        stored = StoredWebhook(
            inbox_id=inbox_id, webhook=webhook, state=WebhookEventState.WAITING
        )
        foreign = webhook.task_id is None
        wake_at = webhook.received_at + (WEBHOOKS_KEPT if foreign else timedelta(0))
        self.tables.inbox[inbox_id] = InboxRow(stored=stored, wake_at=wake_at)
        self.tables.events[key] = inbox_id
        if foreign:
            return Arrival.STORED, []
        queue_id = self.tables.queues.get(webhook.reference)
        body: dict[str, object] = {
            "provider": webhook.provider,
            "event_id": webhook.event_id,
        }
        if queue_id is not None:
            task = self.tables.orders[queue_id].task(webhook.reference)
            hint = {"task_id": task.task_id, "version": task.version}
            body |= {"queue_id": queue_id, **hint}
        wakeup = Message(
            subject=WEBHOOK_RECEIVED,
            body=orjson.dumps(body),
            message_id=f"webhook:{webhook.provider}:{webhook.event_id}",
            queue_id=queue_id,
        )
        return Arrival.STORED, self._posted([wakeup])

    def _mark(self, task_id: str, version: int) -> tuple[bool, list[Unsent]]:
        queue_id = self.tables.queues.get(task_id)
        if queue_id is None:
            return False, []
        task = self.tables.orders[queue_id].task(task_id)
        if task.version != version:
            return False, []
        self._put_task(replace(task, webhook_pending=True))
        return True, []

    def _close(
        self, inbox_id: str, state: WebhookEventState
    ) -> tuple[None, list[Unsent]]:
        if self.tables.inbox[inbox_id].wake_at is not None:
            self._settle(inbox_id, state)
            webhook = self.tables.inbox[inbox_id].stored.webhook
            if state is WebhookEventState.KNOWN and webhook.sequence is not None:
                self._hear(webhook.reference, webhook.sequence)
        return None, []

    def _hear(self, task_id: str, sequence: int) -> None:
        queue_id = self.tables.queues.get(task_id)
        if queue_id is not None:
            task = self.tables.orders[queue_id].task(task_id)
            newest = max(task.webhook_sequence or sequence, sequence)
            self._put_task(replace(task, webhook_sequence=newest))

    def _repeats(self, asked: StoredWebhook) -> bool:
        return any(
            other.inbox_id != asked.inbox_id
            and other.webhook.seen_as is None
            and _statement(other.webhook) == _statement(asked.webhook)
            and (
                other.state in {WebhookEventState.APPLIED, WebhookEventState.KNOWN}
                or (
                    other.state is WebhookEventState.WAITING
                    and int(other.inbox_id) < int(asked.inbox_id)
                )
            )
            for other in (kept.stored for kept in self.tables.inbox.values())
        )

    def _open(self, record: CaseRecord) -> None:
        for case in self.tables.cases.values():
            alike = (case.task_id, case.kind) == (record.task_id, record.kind)
            if alike and case.closed_at is None and case.kind in ONE_OPEN:
                return
        self.tables.cases.setdefault(record.id, record)

    def _move_cases(self, move: CaseMove, at: datetime) -> None:
        for case in list(self.tables.cases.values()):
            returned = case.kind is CaseKind.RETURN_AFTER_SUCCESS
            if case.task_id == move.task_id and returned and case.closed_at is None:
                self.tables.cases[case.id] = replace(
                    case,
                    state=move.state,
                    closed_at=None if move.state in UNSETTLED else at,
                    reason=move.reason or case.reason,
                )

    def _forget_words(self, inbox_id: str) -> None:
        kept = self.tables.inbox[inbox_id]
        webhook = without_words(kept.stored.webhook)
        stored = replace(kept.stored, webhook=webhook)
        self.tables.inbox[inbox_id] = replace(kept, stored=stored)

    def _still_waits(self, inbox_id: str) -> bool:
        kept = self.tables.inbox.get(inbox_id)
        return kept is not None and kept.wake_at is not None

    def _reopen(self, inbox_id: str) -> None:
        stored = self.tables.inbox[inbox_id].stored
        if stored.state is WebhookEventState.DEAD:
            stored = replace(stored, state=WebhookEventState.WAITING)
            kept = InboxRow(stored=stored, wake_at=self._clock.now())
            self.tables.inbox[inbox_id] = kept

    def _settle(self, inbox_id: str, state: WebhookEventState) -> None:
        stored = self.tables.inbox[inbox_id].stored
        settled = replace(stored, state=state)
        self.tables.inbox[inbox_id] = InboxRow(stored=settled, wake_at=None)

    def _dead_letter(
        self, letter: DeadLetter, messages: Sequence[Message]
    ) -> tuple[None, list[Unsent]]:
        dead_lettered = self.tables.letters.get(letter.id)
        if dead_lettered is not None and dead_lettered.open:
            return None, []
        self.tables.letters[letter.id] = DeadLettered(letter=letter)
        if dead_lettered is not None:
            act = letter_act(
                LetterTrigger.REOPENED, letter.id, actor=SYSTEM, reason=letter.error
            )
            self._say(self._order_of(letter), act, letter.at)
        return None, self._posted(messages)

    def _posted(
        self, messages: Sequence[Message], *, bundled: bool = False
    ) -> list[Unsent]:
        """Put messages into one row, or into rows of their own."""
        now = self._clock.now()
        if not bundled or not messages:
            return [self._post(message, now) for message in messages]
        seq = self._next()
        rows = tuple(Unsent(seq=seq, message=m, bundled=True) for m in messages)
        self.tables.outbox[seq] = Posted(rows=rows, created_at=now)
        return list(rows)

    def _post(self, message: Message, at: datetime) -> Unsent:
        row = Unsent(seq=self._next(), message=message)
        self.tables.outbox[row.seq] = Posted(rows=(row,), created_at=at)
        return row

    def _next(self) -> int:
        self.tables.last_seq += 1
        return self.tables.last_seq

    def _put_task(self, task: Task) -> None:
        order = self.tables.orders[task.queue_id]
        queue = order.queue.with_tasks({task.task_id: task})
        self.tables.orders[task.queue_id] = order.with_queue(queue)

    def _late(self, rows: Iterable[Row], grace: timedelta, limit: int) -> list[Row]:
        """Return the most overdue rows, and count that they are rung for."""
        now = self._clock.now()
        late = [
            row
            for row in rows
            if row.wake_at is not None
            and row.wake_at < now - grace * self.tables.graces(row)
        ]
        late = sorted(late, key=lambda row: row.wake_at or now)[:limit]
        for row in late:
            self.tables.redrives[_place(row)] = (
                self.tables.redrives.get(_place(row), 0) + 1
            )
        return late

    def _provider_of(self, task_id: str) -> str | None:
        queue_id = self.tables.queues.get(task_id)
        if queue_id is None:
            return None
        return self.tables.orders[queue_id].task(task_id).provider

    def _dealt_with(
        self, act: Act, at: datetime, mark: Callable[[DeadLettered], DeadLettered]
    ) -> bool:
        letter_id = str(act.detail["dead_letter_id"])
        dead_lettered = self.tables.letters.get(letter_id)
        if dead_lettered is None or not dead_lettered.open:
            return False
        self.tables.letters[letter_id] = mark(dead_lettered)
        self._say(self._order_of(dead_lettered.letter), act, at)
        return True


def _place(row: Task | Queue) -> tuple[str, int]:
    return (row.task_id if isinstance(row, Task) else row.queue_id), row.version


def _is_current(order: Order, work: StepWrite) -> bool:
    change = work.step.queue
    if change is not None and _base(change.before) != _base(order.queue):
        return False
    bases = {task.task_id: _base(task) for task in order.queue.tasks}
    return all(
        bases.get(c.before.task_id) == _base(c.before) for c in work.step.changes
    )


def _base(row: Task | Queue) -> tuple[int, bytes]:
    return row.version, row.audit_hash


def _moved(stored: Task, change: Change, *, settles: bool) -> Task:
    """Return the row as a step leaves it; what no step writes stays as stored."""
    return replace(
        change.after,
        position=stored.position,
        lifecycle=stored.lifecycle,
        step=stored.step,
        name=stored.name,
        provider=stored.provider,
        terminal_id=stored.terminal_id,
        sla=stored.sla,
        created_at=stored.created_at,
        webhook_pending=stored.webhook_pending and not settles,
    )


def _may_leave(old: Task, new: Task) -> bool:
    """Tell whether a task that is final may become so: what was done may be undone."""
    undone = old.state is State.SUCCEEDED and new.state is State.REVERSING
    stays = new.state is old.state or (undone and old.lifecycle != PAYOUT.name)
    return stays and new.verdict is old.verdict


def _check_task(task: Task) -> None:
    """Refuse what the CHECKs of ``order_tasks`` refuse."""
    waits = task.waiting_for is not None and (
        task.wake_at is not None or task.waiting_for in TIMELESS
    )
    rests = task.waiting_for is None and task.wake_at is None
    if task.state is State.SUCCEEDED and task.waiting_for is Waiting.RETURN:
        rests = task.wake_at is not None
    elif task.returned and task.state is not State.SUCCEEDED:
        raise BrokenInvariant("ck_order_tasks_returned")
    if not (rests if task.final else waits):
        raise BrokenInvariant("ck_order_tasks_waits")
    pays = task.lifecycle == PAYOUT.name
    if pays and task.state is State.SUCCEEDED and task.verdict is not Verdict.PAID:
        raise BrokenInvariant("ck_order_tasks_succeeded")
    if task.state in UNPAID and task.verdict is Verdict.PAID:
        raise BrokenInvariant("ck_order_tasks_unpaid")
    due: dict[StrEnum, Verdict] = {
        Waiting.COMMIT: Verdict.PAID,
        Waiting.ROLLBACK: Verdict.NOT_PAID,
    }
    wanted = due.get(task.waiting_for) if task.waiting_for else None
    if wanted is not None and task.verdict is not wanted:
        raise BrokenInvariant("ck_order_tasks_contradicting_calls")


def _check_queue(queue: Queue) -> None:
    if queue.waiting_for not in {None, EngineWait.NOTIFICATION}:
        raise BrokenInvariant("ck_order_queues_waiting_for")
    if (queue.waiting_for is None) != (queue.wake_at is None):
        raise BrokenInvariant("ck_order_queues_waits")


def _check_live(queue: Queue) -> None:
    live = Counter(t.step for t in queue.tasks if _has_its_turn(t))
    won = Counter(t.step for t in queue.tasks if t.state is State.SUCCEEDED)
    if max(live.values(), default=0) > 1:
        raise BrokenInvariant("uq_order_tasks_one_live")
    if max(won.values(), default=0) > 1:
        raise BrokenInvariant("uq_order_tasks_one_succeeded")


def _has_its_turn(task: Task) -> bool:
    if task.state is State.PENDING:
        return task.waiting_for is not EngineWait.TURN
    return task.state in LIVE


def _case_record(case: Case, order: Order, at: datetime) -> CaseRecord:
    version = order.task(case.task_id).version
    return CaseRecord(
        id=case_id(case, version),
        kind=case.kind,
        state=case.state,
        money_at_risk=money_at_risk(case, order.money),
        currency=order.money.currency,
        order_id=order.order_id,
        queue_id=order.queue_id,
        task_id=case.task_id,
        opened_at=at,
        detail=case.detail,
    )


def _statement(webhook: WebhookEvent) -> tuple[str, str, bytes]:
    return (
        webhook.provider,
        webhook.reference,
        webhook.content_hash or webhook.event_id.encode(),
    )


def is_settled(order: Order) -> bool:
    """True where nothing will ever be done for an order without a person."""
    return order.queue.final and order.queue.waiting_for is None
