"""The inbox in memory: webhooks are stored before they are applied."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

import orjson

from fsm.domain.erasure import without_words
from fsm.domain.messages import WEBHOOK_RECEIVED, Message
from fsm.domain.webhook_events import (
    WEBHOOKS_KEPT,
    Arrival,
    WebhookEvent,
    WebhookEventState,
    differing_facts,
    disputing,
)
from handlers.ports.store import StoredWebhook, Unsent
from payment_service.playground.memory.tables import InboxRow
from payment_service.playground.memory.transactions import MemoryTransactions

WEBHOOK_READ_MAX: Final = 100


class MemoryInbox(MemoryTransactions):
    """What the ports ``Store`` and ``Sweepable`` say of webhooks."""

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

    async def forget_words(self, inbox_id: str) -> None:
        def act() -> tuple[None, list[Unsent]]:
            self._forget_words(inbox_id)
            return None, []

        await self._commit("store.forget_words", act)

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

    def is_matched(self, webhook: WebhookEvent) -> bool:
        """True where the task is there, and its provider's."""
        return self._provider_of(webhook.reference) == webhook.provider

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


def _statement(webhook: WebhookEvent) -> tuple[str, str, bytes]:
    return (
        webhook.provider,
        webhook.reference,
        webhook.content_hash or webhook.event_id.encode(),
    )
