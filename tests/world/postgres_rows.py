"""The rows of a world in PostgreSQL, which then tells the virtual time."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import psycopg
from psycopg import sql

from fsm.domain.audit import AuditLine
from fsm.domain.audit_keys import UNKEYED
from fsm.domain.dead_letters import DeadLetter
from fsm.domain.orders import Order
from fsm.domain.webhook_events import WEBHOOKS_KEPT
from handlers.ports.operator_store import OperatorStore
from handlers.ports.reads import CaseRecord, CaseSearch
from handlers.ports.store import Store
from payment_service.playground.memory.clock import MICROSECOND, VirtualClock
from payment_service.playground.memory.rows import OnCommitted, SweepableOutbox
from payment_service.storage.database import Database
from payment_service.storage.operator_store import PostgresOperatorStore
from payment_service.storage.reads import PostgresReads
from payment_service.storage.session import Prepare
from payment_service.storage.store import PostgresStore
from payment_service.storage.sweeps import PostgresSweeps

PAGE = 10_000

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
        self.operator_store: OperatorStore = PostgresOperatorStore(
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
                    * (1 << least(greatest(redrives - 1, 0), 3))) FROM order_tasks),
                (SELECT min(wake_at + %(grace)s
                    * (1 << least(greatest(redrives - 1, 0), 3))) FROM order_queues),
                (SELECT min(CASE WHEN t.task_id IS NULL
                    THEN greatest(i.wake_at, i.received_at + %(kept)s)
                    ELSE i.wake_at + %(grace)s END)
                FROM webhook_inbox i LEFT JOIN order_tasks t
                    ON t.task_id = i.task_id AND t.provider = i.provider
                WHERE i.wake_at IS NOT NULL))
            """,
            {"left": left, "grace": grace, "kept": WEBHOOKS_KEPT},
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
