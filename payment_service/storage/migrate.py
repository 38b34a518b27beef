"""Brings a database to a revision of the schema, and says where it stands.

Every process asks at its start where the schema stands, and none of them migrates: only
what does pays for alembic's import.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine, text

DIALECT = "postgresql+psycopg://"
MIGRATIONS = Path(__file__).parents[2] / "migrations"
# Two deployments that migrate at once take turns on this advisory lock.
_LOCK = 7_261_001


def upgrade(url: str, revision: str = "head") -> None:
    """Run every pending migration up to ``revision``; repeating it does nothing."""
    from alembic import command  # noqa: PLC0415

    _run(url, lambda config: command.upgrade(config, revision))


def downgrade(url: str, revision: str) -> None:
    """Run migrations backwards down to ``revision``."""
    from alembic import command  # noqa: PLC0415

    _run(url, lambda config: command.downgrade(config, revision))


def check(url: str) -> None:
    """Raise where the tables of the code and of the database differ."""
    from alembic import command  # noqa: PLC0415

    _run(url, command.check)


def current(url: str) -> tuple[str | None, str | None]:
    """Return (the database's revision, the newest one): they are numbered in line."""
    files = MIGRATIONS.glob("versions/[0-9]*")
    newest = max((path.name.partition("_")[0] for path in files), default=None)
    with psycopg.connect(url) as connection:
        there = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
        if there == (None,):
            return None, newest
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return (row[0] if row else None), newest


def _engine(url: str) -> Engine:
    # libpq reads the URL itself: it may name several hosts.
    return create_engine(DIALECT, creator=lambda: psycopg.connect(url))


def _run(url: str, action: Callable[[Any], object]) -> None:
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:n)"), {"n": _LOCK})
            connection.commit()
            action(_config(connection))
            connection.commit()
    finally:
        engine.dispose()


def _config(connection: Connection) -> Any:  # noqa: ANN401 - alembic's own
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config
