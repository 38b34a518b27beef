"""Brings a database to a revision of the schema, and says where it stands."""

from collections.abc import Callable
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, text

DIALECT = "postgresql+psycopg://"
MIGRATIONS = Path(__file__).parents[2] / "migrations"
# Two deployments that migrate at once take turns on this advisory lock.
_LOCK = 7_261_001


def upgrade(url: str, revision: str = "head") -> None:
    """Run every pending migration up to ``revision``; repeating it does nothing."""
    _run(url, lambda config: command.upgrade(config, revision))


def downgrade(url: str, revision: str) -> None:
    """Run migrations backwards down to ``revision``."""
    _run(url, lambda config: command.downgrade(config, revision))


def check(url: str) -> None:
    """Raise where the tables of the code and of the database differ."""
    _run(url, command.check)


def current(url: str) -> tuple[str | None, str | None]:
    """Return (the database's revision, the newest one)."""
    newest = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
    return found, newest


def _engine(url: str) -> Engine:
    # libpq reads the URL itself: it may name several hosts.
    return create_engine(DIALECT, creator=lambda: psycopg.connect(url))


def _run(url: str, action: Callable[[Config], object]) -> None:
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:n)"), {"n": _LOCK})
            connection.commit()
            action(_config(connection))
            connection.commit()
    finally:
        engine.dispose()


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config
