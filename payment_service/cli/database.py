"""Opens the database for one command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import psycopg

from payment_service.cli.context import database_url, read_settings
from payment_service.cli.errors import NotReached, Wrong, in_one_line
from payment_service.storage.database import Database
from payment_service.storage.fitness import Unfit
from payment_service.storage.postgres_errors import mend_of_connection
from payment_service.storage.session import (
    NAME,
    Door,
    PlainConnection,
    connect_plainly,
)

COMMAND: Final = f"{NAME} command"


@asynccontextmanager
async def open_database() -> AsyncIterator[Database]:
    """Connect to the database of the settings until the block is left."""
    settings = read_settings("database_url")
    url = database_url(settings)
    connected(Door(url, name=COMMAND)).close()
    # A standby shows what there is; what cannot be changed there says so.
    database = Database(
        url,
        connections_max=2,
        prepare=settings.database_prepare,
        name=COMMAND,
        writes=False,
    )
    await database.open()
    try:
        yield database
    finally:
        await database.close()


def connected(door: Door) -> PlainConnection:
    """Return a connection for a command.

    :raises Wrong: PostgreSQL cannot be reached, or cannot be worked with.
    """
    try:
        return connect_plainly(door)
    except Unfit as error:
        raise Wrong(f"cannot work with this database: {error}") from None
    except psycopg.Error as error:
        mend = mend_of_connection(error)
        because = in_one_line(str(error))
        raise NotReached(f"cannot connect to PostgreSQL: {because}: {mend}") from None
