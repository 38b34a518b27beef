"""What a version does not know the words of is parked: orders, and messages.

An order's rows stay as they are, and no sweeper marks them; a message is kept whole. A
worker that knows the words takes both from here.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, LiteralString

import orjson

from fsm.domain.audit_keys import AuditKeys
from fsm.domain.errors import UnknownWords
from fsm.domain.ids import derived_id
from fsm.domain.vouched import VOUCHER, is_vouched, voucher
from handlers.ports.bus import Delivery
from handlers.ports.shelf import Parked
from payment_service.storage.database import Database

MESSAGES_MAX: Final = 10_000
"""More are no version's: they are dead letters at once, and fill nothing here."""

LOOK_AGAIN: Final = timedelta(seconds=60)
AGAIN: Final = 2
"""Delivered before: it goes on with whatever is due."""

_PARK: Final[LiteralString] = """
INSERT INTO parked (id, words) VALUES (%(id)s::uuid, %(words)s)
ON CONFLICT (id) DO UPDATE
SET words = excluded.words, looked_at = statement_timestamp()
"""
_PARK_MESSAGE: Final[LiteralString] = """
INSERT INTO parked (id, words, subject, body, headers)
SELECT %(id)s::uuid, %(words)s, %(subject)s, %(body)s, %(headers)s::jsonb
WHERE (SELECT count(*) FROM (SELECT FROM parked WHERE subject IS NOT NULL
    LIMIT %(most)s) m) < %(most)s
ON CONFLICT (id) DO UPDATE SET looked_at = statement_timestamp()
RETURNING id
"""
# Whose rows have other words by now is found by looking again, now and then.
_KNOWN: Final[LiteralString] = """
SELECT id::text, subject, body, headers FROM parked
WHERE words <@ %(known)s::text[]
OR (subject IS NULL AND looked_at < statement_timestamp() - %(again)s)
ORDER BY parked_at LIMIT %(limit)s
"""
_EXPIRED: Final[LiteralString] = """
SELECT id::text, subject, body, headers FROM parked
WHERE subject IS NOT NULL AND parked_at < statement_timestamp() - %(after)s
ORDER BY parked_at LIMIT %(limit)s
"""
_WEBHOOKS: Final[LiteralString] = """
SELECT i.provider, i.event_id FROM order_tasks t
JOIN webhook_inbox i ON i.reference = t.task_id::text AND i.provider = t.provider
WHERE t.queue_id = %(queue_id)s::uuid AND i.wake_at IS NOT NULL ORDER BY i.inbox_id
"""
_REMOVE: Final[LiteralString] = "DELETE FROM parked WHERE id = ANY(%(ids)s::uuid[])"


async def park(database: Database, unknown: UnknownWords) -> None:
    """Park an order; none of its rows is touched."""
    order = {"id": unknown.queue_id, "words": list(unknown.words)}
    await database.run(_PARK, order)


async def park_message(database: Database, delivery: Delivery, keys: AuditKeys) -> bool:
    """Park a message as it came; vouched for, since it may ask for something.

    Return whether there was room for it.
    """
    vouched = {VOUCHER: voucher(delivery.subject, delivery.body, keys)}
    row = {
        "id": derived_id("parked", delivery.identity, delivery.subject),
        "words": [f"subject {delivery.subject}"],
        "subject": delivery.subject,
        "body": delivery.body,
        "headers": orjson.dumps({**delivery.headers, **vouched}).decode(),
        "most": MESSAGES_MAX,
    }
    return bool(await database.run(_PARK_MESSAGE, row))


class PostgresShelf:
    """Implements ``ports.shelf.Shelf`` for who knows these words."""

    def __init__(
        self, database: Database, keys: AuditKeys, words: frozenset[str]
    ) -> None:
        self._database = database
        self._keys = keys
        self._words = sorted(words)

    async def known(self, *, limit: int) -> Sequence[Parked]:
        """Return what is parked and may be known here by now, oldest first."""
        asked = {"known": self._words, "limit": limit, "again": LOOK_AGAIN}
        return [self._parked(row) for row in await self._database.run(_KNOWN, asked)]

    async def expired(self, *, after: timedelta, limit: int) -> Sequence[Parked]:
        """Return messages that nobody has known for so long."""
        asked = {"after": after, "limit": limit}
        return [self._parked(row) for row in await self._database.run(_EXPIRED, asked)]

    async def webhooks_of(self, queue_id: str) -> Sequence[tuple[str, str]]:
        """Return (provider, event_id) of the webhooks that wait for an order."""
        rows = await self._database.run(_WEBHOOKS, {"queue_id": queue_id})
        return [(row[0], row[1]) for row in rows]

    async def remove(self, ids: Sequence[str]) -> None:
        """Take from the shelf what was dealt with."""
        await self._database.run(_REMOVE, {"ids": list(ids)})

    def _parked(self, row: tuple[str, str | None, bytes, dict[str, str]]) -> Parked:
        if row[1] is None:
            return Parked(id=row[0])
        body = bytes(row[2])
        headers = {name: value for name, value in row[3].items() if name != VOUCHER}
        return Parked(
            id=row[0],
            message=Delivery(
                subject=row[1],
                body=body,
                headers=headers,
                deliveries=AGAIN,
                identity=f"parked.{row[0]}",
            ),
            is_ours=is_vouched(row[3], row[1], body, self._keys),
        )
