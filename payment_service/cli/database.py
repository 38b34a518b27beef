"""Opens the database for one command."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import psycopg

from payment_service.cli.failures import Wrong, in_one_line
from payment_service.cli.opening import database_url, read_settings
from payment_service.storage.database import Database

CONNECT_SECONDS_MAX: Final = 5


@asynccontextmanager
async def open_database() -> AsyncIterator[Database]:
    """Connect to the database of the settings until the block is left."""
    url = database_url(read_settings("database_url"))
    require_connection(url)
    # A connection that is lost later is told in one line, at the end.
    logging.getLogger("psycopg.pool").disabled = True
    database = Database(url, connections_max=2)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


def require_connection(url: str) -> None:
    """Connect once: the pool would only say after seconds that it could not.

    :raises Wrong: PostgreSQL cannot be reached.
    """
    try:
        psycopg.connect(url, connect_timeout=CONNECT_SECONDS_MAX).close()
    except psycopg.Error as error:
        mend = "see PAYMENT_DATABASE_URL, and whether PostgreSQL runs"
        because = in_one_line(str(error))
        raise Wrong(f"cannot connect to PostgreSQL: {because}: {mend}") from None
