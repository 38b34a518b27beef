"""The connections: one pool for the hot statements, one engine for the questions."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Final, LiteralString

import psycopg
from psycopg import errors
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row
from sqlalchemy import event
from sqlalchemy.engine import AdaptedConnection
from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from fsm.domain.errors import (
    BrokenInvariant,
    StoreUnavailable,
    Unstorable,
)
from payment_service.storage import locks
from payment_service.storage.migrate import DIALECT
from payment_service.storage.pool import Member, Pool
from payment_service.storage.postgres_errors import (
    cannot_keep,
    failure_and_mend,
    has_done_nothing,
    is_unstorable,
    spoils,
)
from payment_service.storage.session import (
    HOT,
    NAME,
    Connection,
    Door,
    Prepare,
    Row,
    connect,
    require_session,
)
from payment_service.storage.statements import REPEATABLE

POOL_WAIT: Final = timedelta(seconds=5)
# Of the engine's connections: when each was made, and that nobody has had it yet.
GENERATION: Final = "generation"
FRESH: Final = "fresh"
BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"
WRITE_SECONDS_MAX: Final = 2.0
WRITTEN_FOR_SECONDS: Final = 1.0
"""A write that was taken is believed in for so long."""
REFUSED_FOR_SECONDS: Final = 10.0
"""So long a statement that found no room speaks for all, unless it finds some."""

# What a step writes too; nobody sees it, for it is gone before the commit.
WRITE: Final[LiteralString] = """
INSERT INTO outbox (message_id, subject, body) VALUES ('probe', 'probe', '')
RETURNING seq
"""
UNWRITE: Final[LiteralString] = "DELETE FROM outbox WHERE seq = %(seq)s"

Parameters = Mapping[str, object]


class Database:
    """Opens and closes what talks to PostgreSQL, and names its failures.

    Without ``writes`` a standby will do.
    """

    def __init__(
        self,
        url: str,
        *,
        connections_max: int = 10,
        prepare: Prepare = "auto",
        name: str = NAME,
        writes: bool = True,
    ) -> None:
        questions = Door(url, name=name, prepare=prepare)
        hot = replace(questions, settings=HOT)
        self._door = hot
        self._pool = Pool(
            lambda: connect(hot, writes=writes),
            size_max=connections_max,
            wait_seconds_max=POOL_WAIT.total_seconds(),
        )
        self._engine: AsyncEngine = create_async_engine(
            DIALECT,
            async_creator=lambda: _in_transactions(questions, writes=writes),
            pool_size=4,
            max_overflow=4,
            pool_timeout=POOL_WAIT.total_seconds(),
        )
        event.listen(self._engine.sync_engine, "connect", self._made)
        event.listen(self._engine.sync_engine, "checkout", self._looked_over)
        self._write: asyncio.Task[None] | None = None
        self._written_at = -WRITTEN_FOR_SECONDS
        self._refusals: dict[str, tuple[float, str]] = {}

    async def open(self) -> None:
        """Connect once, so that what is wrong shows at the start.

        :raises StoreUnavailable: it cannot be reached, or cannot be worked with.
        """
        try:
            async with self._pool.member() as member:
                await require_session(member.connection, self._door)
        except (psycopg.Error, OSError) as error:
            told = f"cannot connect to PostgreSQL: {failure_and_mend(error)}"
            raise StoreUnavailable(told) from error

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()
        await self._engine.dispose()

    async def run(
        self, statement: LiteralString, parameters: Parameters
    ) -> Sequence[Row]:
        """Run one statement as one transaction and return its rows.

        One that certainly did nothing runs once more, and so does one that may have
        been done where the statement is made for that.

        :raises StoreUnavailable: no answer; it may have committed.
        :raises BrokenInvariant: a constraint refused it.
        :raises Unstorable: a column refused it, and always will.
        """
        try:
            try:
                return await self._once(statement, parameters)
            except _Again:
                return await self._once(statement, parameters, last=True)
        except psycopg.IntegrityError as error:
            name = error.diag.constraint_name or failure_and_mend(error)
            raise BrokenInvariant(name) from error
        except (psycopg.Error, OSError, UnicodeError) as error:
            if is_unstorable(error):
                raise Unstorable(failure_and_mend(error)) from error
            raise StoreUnavailable(failure_and_mend(error)) from error

    async def _once(
        self, statement: LiteralString, parameters: Parameters, *, last: bool = False
    ) -> Sequence[Row]:
        async with self._pool.member() as member:
            connection = member.connection
            try:
                rows = await _run(connection, statement, parameters)
            except psycopg.Error as error:
                self._judge(member, error)
                if cannot_keep(error):
                    self._refusals[statement] = (
                        time.monotonic(),
                        failure_and_mend(error),
                    )
                # Who has waited for a silent one in vain does not wait again.
                cut = connection.closed and not connection.went_silent
                again = has_done_nothing(error) or (cut and statement in REPEATABLE)
                if isinstance(error, errors.LockNotAvailable):
                    held = await locks.of_tables_soon(connection)
                    raise StoreUnavailable(
                        f"{failure_and_mend(error)}: {held}"
                    ) from error
                if last or not again:
                    raise
                raise _Again from error
        if self._refusals:
            self._refusals.pop(statement, None)
        return rows

    def _judge(self, member: Member, error: psycopg.Error) -> None:
        """Where one is not what it was, those made with it are not either."""
        self._written_at = -WRITTEN_FOR_SECONDS
        lost = member.connection.went_silent or member.connection.closed
        if lost or spoils(error):
            self._pool.doubt(member.generation)

    def _made(self, _connection: object, record: ConnectionPoolEntry) -> None:
        record.info.update({GENERATION: self._pool.generation, FRESH: True})

    def _looked_over(
        self, connection: AdaptedConnection, record: ConnectionPoolEntry, _: object
    ) -> None:
        """Have the engine replace what the pool would not lend either."""
        if record.info.pop(FRESH, False):
            return
        generation = record.info[GENERATION]
        if generation == self._pool.generation:
            if connection.run_async(Connection.answers):
                return
            self._pool.doubt(generation)
        raise DisconnectionError

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection for questions and rare changes; commits on leaving."""
        generation = self._pool.generation
        try:
            async with self._engine.begin() as connection:
                await _begin(connection)
                yield connection
        except DBAPIError as error:
            if isinstance(error.orig, psycopg.IntegrityError):
                name = error.orig.diag.constraint_name or str(error.orig)
                raise BrokenInvariant(name) from error
            if isinstance(error.orig, psycopg.Error) and spoils(error.orig):
                self._pool.doubt(generation)
            raise StoreUnavailable(failure_and_mend(error.orig or error)) from error
        except (psycopg.Error, SQLAlchemyError, OSError) as error:
            raise StoreUnavailable(failure_and_mend(error)) from error

    async def require_write(self) -> None:
        """Have something written and taken back, as a step is written.

        It asks for all that a step needs: a primary, its disk, the right to write, and
        whoever else must confirm a commit. Those who ask together share one write.

        :raises StoreUnavailable: it was refused, or not confirmed in time; says why.
        """
        now = time.monotonic()
        for refused_at, because in self._refusals.values():
            # A small row may find room where a step does not.
            if now < refused_at + REFUSED_FOR_SECONDS:
                raise StoreUnavailable(f"PostgreSQL takes no write: {because}")
        if now < self._written_at + WRITTEN_FOR_SECONDS:
            return
        write = self._write
        if write is None or write.done():
            write = self._write = asyncio.create_task(self._write_once())
        # It goes on where it takes longer: to cut it short would take longer still.
        done, _ = await asyncio.wait({write}, timeout=WRITE_SECONDS_MAX)
        if not done:
            told = f"PostgreSQL has not confirmed a write in {WRITE_SECONDS_MAX:.0f} s"
            raise StoreUnavailable(told)
        write.result()
        self._written_at = time.monotonic()

    async def _write_once(self) -> None:
        try:
            async with self._pool.member() as member:
                try:
                    await _write_and_take_back(member.connection)
                except psycopg.Error as error:
                    self._judge(member, error)
                    raise
        except (psycopg.Error, OSError) as error:
            told = f"PostgreSQL takes no write: {failure_and_mend(error)}"
            raise StoreUnavailable(told) from error


class _Again(Exception):
    """A statement has failed that may run once more."""


async def _in_transactions(door: Door, *, writes: bool) -> Connection:
    connection = await connect(door, writes=writes)
    await connection.set_autocommit(False)
    return connection


async def _run(
    connection: Connection, statement: LiteralString, parameters: Parameters
) -> Sequence[Row]:
    if connection.local is not None:
        return await _run_in_transaction(connection, statement, parameters)
    cursor = connection.cursor(row_factory=tuple_row)
    await cursor.execute(statement, parameters)
    return await cursor.fetchall() if cursor.description else ()


async def _run_in_transaction(
    connection: Connection, statement: LiteralString, parameters: Parameters
) -> Sequence[Row]:
    """Run a statement behind a pooler with its settings, in one round trip."""
    cursor = connection.cursor(row_factory=tuple_row)
    try:
        async with connection.pipeline():
            await connection.execute(BEGIN, prepare=False)
            await connection.execute(connection.local or "")
            await cursor.execute(statement, parameters)
            await connection.execute("COMMIT", prepare=False)
    except psycopg.Error:
        if connection.pgconn.transaction_status == TransactionStatus.INERROR:
            await connection.rollback()
        raise
    return await cursor.fetchall() if cursor.description else ()


async def _write_and_take_back(connection: Connection) -> None:
    async with connection.transaction():
        if connection.local is not None:
            await connection.execute(connection.local)
        written = await connection.execute(WRITE, prepare=False)
        for (seq,) in await written.fetchall():
            await connection.execute(UNWRITE, {"seq": seq}, prepare=False)


async def _begin(connection: AsyncConnection) -> None:
    raw = (await connection.get_raw_connection()).driver_connection
    if isinstance(raw, Connection) and raw.local is not None:
        await raw.execute(raw.local)
