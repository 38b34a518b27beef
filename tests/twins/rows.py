"""The rows of one world, in memory or in PostgreSQL on the virtual clock."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import psycopg
from psycopg import sql

from fsm.domain.acts import SERVICE
from fsm.domain.audit import AuditLine
from fsm.domain.audit_keys import UNKEYED
from fsm.domain.letters import DeadLetter
from fsm.domain.news import NEWS_KEPT
from fsm.domain.orders import Order
from handlers.ports.desk import Desk
from handlers.ports.reads import CaseRecord, CaseSearch
from handlers.ports.store import Outbox, Store, Sweepable, Unsent
from payment_service.storage.database import Database
from payment_service.storage.desk import PostgresDesk
from payment_service.storage.reads import PostgresReads
from payment_service.storage.session import Prepare
from payment_service.storage.store import PostgresStore
from payment_service.storage.sweeps import PostgresSweeps
from tests.twins.clock import MICROSECOND, VirtualClock
from tests.twins.effects import Effects
from tests.twins.store import MemoryStore

PAGE = 10_000
OnCommitted = Callable[[Sequence[Unsent]], None]

# What is not qualified is looked up here first, so statements ask the virtual clock.
VIRTUAL_TIME = """
CREATE SCHEMA virtual;
CREATE TABLE virtual.moment (at timestamptz NOT NULL);
INSERT INTO virtual.moment VALUES (pg_catalog.clock_timestamp());
CREATE FUNCTION virtual.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
    AS 'SELECT at FROM virtual.moment';
CREATE FUNCTION virtual.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE
    AS 'SELECT at FROM virtual.moment';
ALTER TABLE outbox ALTER created_at SET DEFAULT virtual.clock_timestamp();
"""


class SweepableOutbox(Outbox, Sweepable, Protocol):
    """Both views of the rows that nobody came for."""


class Rows(Protocol):
    """The ports over one set of rows, and a look at all of them."""

    store: Store
    sweeps: SweepableOutbox
    desk: Desk

    async def tell_time(self) -> None:
        """Let the rows know that time has passed."""
        ...

    async def next_at(self, *, left: timedelta, grace: timedelta) -> datetime | None:
        """Return when relay or sweeper have something to do; None where nothing waits.

        A webhook of nobody's task counts only once it is to be buried.
        """
        ...

    async def orders(self) -> Sequence[Order]: ...

    async def trail(self) -> Sequence[AuditLine]: ...

    async def service_trail(self) -> Sequence[AuditLine]: ...

    async def cases(self) -> Sequence[CaseRecord]: ...

    async def letters(self) -> Sequence[DeadLetter]: ...

    async def close(self) -> None: ...


class MemoryRows:
    """Implements :class:`Rows` on the twin."""

    def __init__(
        self,
        clock: VirtualClock,
        effects: Effects | None = None,
        *,
        on_committed: OnCommitted = lambda _: None,
    ) -> None:
        memory = MemoryStore(clock, effects, on_committed=on_committed)
        self.memory = memory
        self.store: Store = memory
        self.sweeps: SweepableOutbox = memory
        self.desk: Desk = memory

    async def tell_time(self) -> None:
        return

    async def next_at(self, *, left: timedelta, grace: timedelta) -> datetime | None:
        tables = self.memory.tables
        times = [
            row.wake_at + grace * tables.graces(row)
            for row in tables.rows()
            if row.wake_at is not None
        ]
        times += [
            kept.wake_at + grace
            if self.memory.is_matched(kept.stored.news)
            else max(kept.wake_at, kept.stored.news.received_at + NEWS_KEPT)
            for kept in tables.inbox.values()
            if kept.wake_at is not None
        ]
        times += [posted.created_at + left for posted in tables.outbox.values()]
        return min(times) + MICROSECOND if times else None

    async def orders(self) -> Sequence[Order]:
        return list(self.memory.tables.orders.values())

    async def trail(self) -> Sequence[AuditLine]:
        lines = self.memory.tables.trail.values()
        return [line for line in lines if line.entity_id != SERVICE]

    async def service_trail(self) -> Sequence[AuditLine]:
        lines = self.memory.tables.trail.values()
        return [line for line in lines if line.entity_id == SERVICE]

    async def cases(self) -> Sequence[CaseRecord]:
        return list(self.memory.tables.cases.values())

    async def letters(self) -> Sequence[DeadLetter]:
        return [b.letter for b in self.memory.tables.letters.values() if b.open]

    async def close(self) -> None:
        return


class PostgresRows:
    """Implements :class:`Rows` on PostgreSQL, which then tells the virtual time.

    ``through`` is where else than at ``url`` its connections go.
    """

    def __init__(
        self,
        url: str,
        clock: VirtualClock,
        *,
        on_committed: OnCommitted = lambda _: None,
        through: str | None = None,
        prepare: Prepare = "auto",
    ) -> None:
        _make_time_virtual(url)
        self._clock = clock
        self.database = Database(through or url, connections_max=4, prepare=prepare)
        self.reads = PostgresReads(self.database)
        self.store: Store = PostgresStore(self.database, on_committed=on_committed)
        self.sweeps: SweepableOutbox = PostgresSweeps(self.database)
        self.desk: Desk = PostgresDesk(
            self.database, UNKEYED, on_committed=on_committed
        )

    async def open(self) -> None:
        await self.database.open()
        await self.tell_time()

    async def tell_time(self) -> None:
        await self.database.run(
            "UPDATE virtual.moment SET at = %(at)s", {"at": self._clock.now()}
        )

    async def next_at(self, *, left: timedelta, grace: timedelta) -> datetime | None:
        rows = await self.database.run(
            """
            SELECT least(
                (SELECT min(created_at) FROM outbox) + %(left)s,
                (SELECT min(wake_at + %(grace)s
                    * (1 << least(greatest(rings - 1, 0), 3))) FROM order_tasks),
                (SELECT min(wake_at + %(grace)s
                    * (1 << least(greatest(rings - 1, 0), 3))) FROM order_queues),
                (SELECT min(CASE WHEN t.task_id IS NULL
                    THEN greatest(i.wake_at, i.received_at + %(kept)s)
                    ELSE i.wake_at + %(grace)s END)
                FROM webhook_inbox i LEFT JOIN order_tasks t
                    ON t.task_id = i.task_id AND t.provider = i.provider
                WHERE i.wake_at IS NOT NULL))
            """,
            {"left": left, "grace": grace, "kept": NEWS_KEPT},
        )
        first: datetime | None = rows[0][0]
        return None if first is None else first + MICROSECOND

    async def orders(self) -> Sequence[Order]:
        rows = await self.database.run(
            "SELECT queue_id::text FROM order_queues ORDER BY created_at, queue_id", {}
        )
        found = [await self.store.load(row[0]) for row in rows]
        return [order for order in found if order is not None]

    async def trail(self) -> Sequence[AuditLine]:
        entries = [await self.reads.events(o.queue_id) for o in await self.orders()]
        return [entry.line for every in entries for entry in every]

    async def service_trail(self) -> Sequence[AuditLine]:
        page = await self.reads.service_events(limit=PAGE, cursor=None)
        return [entry.line for entry in reversed(page.items)]

    async def cases(self) -> Sequence[CaseRecord]:
        page = await self.reads.cases(CaseSearch(limit=PAGE))
        return list(reversed(page.items))

    async def letters(self) -> Sequence[DeadLetter]:
        return (await self.reads.dead_letters(limit=PAGE, cursor=None)).items

    async def close(self) -> None:
        await self.database.close()


def _make_time_virtual(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(VIRTUAL_TIME)
        name = sql.Identifier(connection.info.dbname)
        connection.execute(
            sql.SQL(
                "ALTER DATABASE {} SET search_path = virtual, public, pg_catalog"
            ).format(name)
        )
