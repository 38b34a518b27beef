"""Opens what a command needs: settings, the configuration, the database."""

import asyncio
from collections.abc import AsyncIterator, Collection, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import psycopg
import uvloop

from payment_service.cli.failures import Wrong, in_one_line
from payment_service.config import Config, read_config
from payment_service.settings import Settings, environment
from payment_service.storage.database import Database

T = TypeVar("T")
CONNECT_SECONDS_MAX: Final = 5


def read_settings(*needs: str, roles: Collection[str] = ()) -> Settings:
    """Read the settings that a command needs."""
    return Settings.read(needs=needs, roles=roles)


def configuration(settings: Settings) -> Config:
    """Read the configuration file."""
    return read_config(
        settings.config, ack_wait=settings.ack_wait, environment=environment()
    )


def database_url(settings: Settings) -> str:
    """Return the address of a database that was asked for by ``read_settings``."""
    return settings.database_url.get_secret_value() if settings.database_url else ""


@asynccontextmanager
async def open_database() -> AsyncIterator[Database]:
    """Connect to the database of the settings until the block is left."""
    url = database_url(read_settings("database_url"))
    require_connection(url)
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


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine on the fast loop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
