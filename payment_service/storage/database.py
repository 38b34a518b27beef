"""The connections: one pool for the hot statements, one engine for the questions."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, Final, LiteralString, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from payment_service.domain.errors import BrokenInvariant, StoreUnavailable
from payment_service.storage.migrate import DIALECT

POOL_WAIT: Final = timedelta(seconds=5)
OPTIONS: Final = (
    "-c timezone=UTC -c jit=off -c statement_timeout=10s -c lock_timeout=4s "
    "-c idle_in_transaction_session_timeout=15s -c tcp_user_timeout=10000"
)
ANSWER_SECONDS_MAX: Final = 12.0
"""A little more than the server allows a statement: after it nothing comes any more."""

CONNECTING: Final[Mapping[str, Any]] = {
    "options": OPTIONS,
    "connect_timeout": 5,
    # What the server watches over by its own option, here for this end.
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}

# A plan made while the tables are empty would read them whole, and is kept.
HOT: Final[Mapping[str, Any]] = {
    **CONNECTING,
    "options": f"{OPTIONS} -c enable_seqscan=off",
}

Parameters = Mapping[str, object]
Row = tuple[Any, ...]
Result = TypeVar("Result")


class Connection(psycopg.AsyncConnection[Row]):
    """Ends itself where the other end has gone silent and nobody says so."""

    went_silent = False

    async def wait(
        self,
        gen: PQGen[Result],
        interval: float = 0.1,
        timeout: float | None = None,  # noqa: ASYNC109 - psycopg's own
    ) -> Result:
        """Wait for an answer, but not for ever."""
        loop = asyncio.get_running_loop()
        patience = loop.call_later(ANSWER_SECONDS_MAX, self._cut)
        try:
            return await super().wait(gen, interval, timeout)
        finally:
            patience.cancel()

    def _cut(self) -> None:
        # Whoever waits on the socket hears of its end at once.
        self.went_silent = True
        with (
            suppress(OSError, psycopg.Error),
            socket.socket(fileno=os.dup(self.fileno())) as end,
        ):
            end.shutdown(socket.SHUT_RDWR)


class Database:
    """Opens and closes what talks to PostgreSQL, and names its failures."""

    def __init__(self, url: str, *, connections_max: int = 10) -> None:
        self._pool = AsyncConnectionPool(
            url,
            open=False,
            min_size=1,
            max_size=connections_max,
            timeout=POOL_WAIT.total_seconds(),
            # A statement is prepared when it is first seen: there are few of them.
            kwargs={"autocommit": True, "prepare_threshold": 0, **HOT},
            connection_class=Connection,
            check=None,
        )
        self._engine: AsyncEngine = create_async_engine(
            DIALECT,
            async_creator=lambda: Connection.connect(url, **CONNECTING),
            pool_size=4,
            max_overflow=4,
            pool_pre_ping=True,
            pool_timeout=POOL_WAIT.total_seconds(),
        )

    async def open(self) -> None:
        """Connect once, so that a wrong URL shows at the start.

        :raises StoreUnavailable: it cannot be reached in time.
        """
        try:
            await self._pool.open(wait=True, timeout=POOL_WAIT.total_seconds())
        except PoolTimeout as error:
            await self.close()
            raise StoreUnavailable("cannot connect to PostgreSQL") from error

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()
        await self._engine.dispose()

    async def run(
        self, statement: LiteralString, parameters: Parameters
    ) -> Sequence[Row]:
        """Run one statement as one transaction and return its rows.

        :raises StoreUnavailable: no answer; it may have committed.
        :raises BrokenInvariant: a constraint or a column refused it.
        """
        try:
            async with self._pool.connection() as connection:
                return await self._run(connection, statement, parameters)
        except (psycopg.IntegrityError, psycopg.DataError) as error:
            # A value that no column takes is refused for ever too.
            raise BrokenInvariant(
                error.diag.constraint_name or _in_one_line(error)
            ) from error
        except (psycopg.Error, PoolTimeout, PoolClosed, OSError) as error:
            raise StoreUnavailable(_in_one_line(error)) from error

    async def _run(
        self, connection: Connection, statement: LiteralString, parameters: Parameters
    ) -> Sequence[Row]:
        cursor = connection.cursor(row_factory=tuple_row)
        try:
            await cursor.execute(statement, parameters)
            return await cursor.fetchall() if cursor.description else ()
        except psycopg.OperationalError:
            if connection.went_silent:
                # Where one has, the others have: nobody waits for each of them.
                await self._pool.drain()
            raise

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection for questions and rare changes; commits on leaving."""
        try:
            async with self._engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            if isinstance(error.orig, psycopg.IntegrityError):
                name = error.orig.diag.constraint_name or str(error.orig)
                raise BrokenInvariant(name) from error
            raise StoreUnavailable(_in_one_line(error)) from error
        except OSError as error:
            raise StoreUnavailable(_in_one_line(error)) from error


def _in_one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
