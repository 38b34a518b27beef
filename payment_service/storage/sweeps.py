"""The rows as relay and sweeper see them: what is unsent, overdue or expired."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final, LiteralString

from fsm.domain.audit_keys import UNKEYED, AuditKeys
from fsm.domain.errors import UnknownWords
from fsm.domain.ids import is_uuid
from fsm.domain.messages import Message
from fsm.domain.orders import Order
from fsm.domain.vouched import asks, is_vouched
from fsm.engine.flow import Rules
from fsm.flows import RULES
from handlers.ports.store import StoredWebhook, Unsent
from payment_service.storage import statements as sql
from payment_service.storage.database import Database
from payment_service.storage.outbox_rows import in_its_trace, unsent_from
from payment_service.storage.parked import park
from payment_service.storage.readable import readable
from payment_service.storage.webhook_rows import WEBHOOK_TYPES, webhooks_from

# What was not taken of a bundle goes on as rows of its own, as old as it was.
UNBUNDLE: Final[LiteralString] = """
WITH gone AS (
    DELETE FROM outbox WHERE seq = ANY(%(seqs)s) AND bundle IS NOT NULL
    RETURNING bundle, created_at
)
INSERT INTO outbox (message_id, subject, body, headers, at, schedule, queue_id,
    created_at)
SELECT m.message_id, m.subject, convert_to(m.body, 'UTF8'), CASE
        WHEN o.trace_parent IS NULL THEN m.headers ELSE jsonb_build_object(
            'traceparent', o.trace_parent) || coalesce(m.headers, '{}') END,
    m.at, m.schedule, m.queue_id, gone.created_at
FROM gone, json_to_recordset(gone.bundle::json) AS m(
    message_id text, subject text, body text, headers jsonb, at timestamptz,
    schedule text, queue_id uuid)
LEFT JOIN LATERAL (SELECT q.trace_parent FROM order_queues q
    WHERE q.queue_id = m.queue_id LIMIT 1) o ON true
WHERE m.message_id <> ALL(%(taken)s::text[])
"""
# A bundle says of no message which trace it is of: that is its order's.
TRACES: Final[LiteralString] = """
SELECT q.queue_id::text, q.trace_parent FROM order_queues q
WHERE q.queue_id = ANY(%(queue_ids)s::uuid[]) AND q.trace_parent IS NOT NULL
"""


class PostgresSweeps:
    """Implements ``ports.store.Outbox`` and ``ports.store.Sweepable``."""

    def __init__(
        self,
        database: Database,
        keys: AuditKeys = UNKEYED,
        *,
        on_forged: Callable[[Sequence[str]], None] = lambda _: None,
        rules: Rules = RULES,
    ) -> None:
        self._rules = rules
        self._database = database
        self._keys = keys
        self._on_forged = on_forged

    async def unsent(
        self, *, older_than: timedelta, limit: int, after: int = 0
    ) -> Sequence[Unsent]:
        """Return rows of the outbox that their owner did not publish in time.

        What another hand has put there to ask for something is removed, and told.
        """
        rows = await self._database.run(
            sql.UNSENT, {"older_than": older_than, "limit": limit, "after": after}
        )
        every = await self._traced([u for row in rows for u in unsent_from(row)])
        forged = [each for each in every if not self._is_ours(each.message)]
        if forged:
            await self._without(forged)
            self._on_forged([each.message.subject for each in forged])
        gone = {each.seq for each in forged}
        return [each for each in every if each.seq not in gone]

    async def _traced(self, every: Sequence[Unsent]) -> list[Unsent]:
        orders = {u.message.queue_id for u in every if u.bundled}
        if not orders:
            return [*every]
        asked = {"queue_ids": [each for each in orders if is_uuid(each)]}
        rows = await self._database.run(TRACES, asked)
        traces: dict[str, str] = {row[0]: row[1] for row in rows}
        return [in_its_trace(unsent, traces) for unsent in every]

    async def _without(self, forged: Sequence[Unsent]) -> None:
        """Remove these; what else is in their bundles stays, in rows of its own."""
        bundles = sorted({each.seq for each in forged if each.bundled})
        if bundles:
            ids = [each.message.message_id for each in forged if each.bundled]
            await self.unbundle(bundles, taken=ids)
        await self.sent([each.seq for each in forged if not each.bundled])

    def _is_ours(self, message: Message) -> bool:
        """Tell whether it could have been posted here, by all that can be known."""
        subject, body, headers = message.subject, message.body, message.headers
        asking = asks(subject, body)
        return not asking or is_vouched(headers, subject, body, self._keys)

    async def sent(self, seqs: Sequence[int]) -> None:
        """Remove rows of which every message was acknowledged."""
        await self._database.run(sql.SENT, {"seqs": list(seqs)})

    async def unbundle(self, seqs: Sequence[int], *, taken: Sequence[str]) -> None:
        """Put what was not taken of bundles into rows of its own."""
        await self._database.run(UNBUNDLE, {"seqs": list(seqs), "taken": list(taken)})

    async def overdue(self, *, grace: timedelta, limit: int) -> Sequence[Order]:
        """Return orders with an overdue row, and mark them as woken.

        One that this version cannot read is parked, not marked: it is left to those
        that can.
        """
        asked = {"grace": grace, "limit": limit}
        due = await self._database.run(sql.OVERDUE_ORDERS, asked)
        if not due:
            return []
        rows = await self._database.run(
            sql.LOAD, {"queue_ids": [row[0] for row in due]}
        )
        found = [readable(row[0], row[1], self._rules) for row in rows]
        for each in found:
            if isinstance(each, UnknownWords):
                await park(self._database, each)
        orders = {each.queue_id: each for each in found if isinstance(each, Order)}
        woken = await self._database.run(
            sql.OVERDUE, {"grace": grace, "queue_ids": list(orders)}
        )
        return [orders[row[0]] for row in woken]

    async def overdue_webhooks(
        self, *, grace: timedelta, limit: int
    ) -> Sequence[StoredWebhook]:
        """Return webhooks whose task is there, waiting longer than ``grace``."""
        rows = await self._database.run(
            sql.OVERDUE_WEBHOOKS,
            {"grace": grace, "limit": limit, "types": WEBHOOK_TYPES},
        )
        return webhooks_from(rows)

    async def expired_webhooks(
        self, *, after: timedelta, limit: int
    ) -> Sequence[StoredWebhook]:
        """Return webhooks that name a task which never appeared."""
        rows = await self._database.run(
            sql.EXPIRED_WEBHOOKS,
            {"after": after, "limit": limit, "types": WEBHOOK_TYPES},
        )
        return webhooks_from(rows)

    async def forget_foreign(
        self, *, after: timedelta, limit: int
    ) -> Mapping[str, int]:
        """Remove webhooks that can be about no task; count them by provider."""
        rows = await self._database.run(
            sql.FORGET_FOREIGN, {"after": after, "limit": limit}
        )
        return {row[0]: row[1] for row in rows}
