"""The rows as relay and sweeper see them: what is unsent, overdue or expired."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from fsm.domain.orders import Order
from handlers.ports.store import StoredNews, Unsent
from payment_service.storage import statements as sql
from payment_service.storage.database import Database
from payment_service.storage.rows import news_from, order_from, unsent_from


class PostgresSweeps:
    """Implements ``ports.store.Outbox`` and ``ports.store.Sweepable``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def unsent(
        self, *, older_than: timedelta, limit: int, after: int = 0
    ) -> Sequence[Unsent]:
        """Return rows of the outbox that their owner did not publish in time."""
        rows = await self._database.run(
            sql.UNSENT, {"older_than": older_than, "limit": limit, "after": after}
        )
        return [unsent for row in rows for unsent in unsent_from(row)]

    async def sent(self, seqs: Sequence[int]) -> None:
        """Remove rows of which every message was acknowledged."""
        await self._database.run(sql.SENT, {"seqs": list(seqs)})

    async def unbundle(self, seqs: Sequence[int], *, taken: Sequence[str]) -> None:
        """Put what was not taken of bundles into rows of its own."""
        await self._database.run(
            sql.UNBUNDLE, {"seqs": list(seqs), "taken": list(taken)}
        )

    async def overdue(self, *, grace: timedelta, limit: int) -> Sequence[Order]:
        """Return orders with an overdue row, and mark them as rung for."""
        rung = await self._database.run(sql.OVERDUE, {"grace": grace, "limit": limit})
        rows = await self._database.run(
            sql.LOAD, {"queue_ids": [row[0] for row in rung]}
        )
        return [order_from(row[1]) for row in rows]

    async def overdue_news(
        self, *, grace: timedelta, limit: int
    ) -> Sequence[StoredNews]:
        """Return webhooks whose task is there, waiting longer than ``grace``."""
        rows = await self._database.run(
            sql.OVERDUE_NEWS, {"grace": grace, "limit": limit}
        )
        return [news_from(row) for row in rows]

    async def expired_news(
        self, *, after: timedelta, limit: int
    ) -> Sequence[StoredNews]:
        """Return webhooks that name a task which never appeared."""
        rows = await self._database.run(
            sql.EXPIRED_NEWS, {"after": after, "limit": limit}
        )
        return [news_from(row) for row in rows]

    async def forget_foreign(
        self, *, after: timedelta, limit: int
    ) -> Mapping[str, int]:
        """Remove webhooks that can be about no task; count them by provider."""
        rows = await self._database.run(
            sql.FORGET_FOREIGN, {"after": after, "limit": limit}
        )
        return {row[0]: row[1] for row in rows}
