"""Brings a database to a revision of the schema, and says where it stands.

Every process asks at its start where the schema stands, and none of them migrates: only
what does pays for alembic's import.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import errors
from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.exc import OperationalError

from payment_service.storage import locks
from payment_service.storage.fitness import Unfit
from payment_service.storage.rights import require_schema
from payment_service.storage.session import (
    NAME,
    UNLIMITED,
    Door,
    PlainConnection,
    connect_plainly,
)

DIALECT: Final = "postgresql+psycopg://"
MIGRATIONS: Final = Path(__file__).parents[2] / "migrations"
HEAD: Final = "head"
# Two deployments that migrate at once take turns on this advisory lock.
LOCK: Final = 7_261_001
TURN_SECONDS_MAX: Final = 60.0
TURN_LOOK_SECONDS: Final = 0.2

Tell = Callable[[str], None]


def upgrade(
    url: str, revision: str = HEAD, *, tell: Tell = lambda _: None
) -> tuple[str | None, str | None]:
    """Run every pending migration up to ``revision``; return from where to where.

    Each is one transaction that holds its turn and its settings itself: what a session
    holds would stay behind a pooler with a server connection that is nobody's.

    :raises psycopg.Error: the database cannot be reached.
    :raises Unfit: it cannot be worked with, or another one holds a lock.
    """
    from alembic import command  # noqa: PLC0415

    with _open(url) as connection:
        found = there = revision_in(_plain(connection))
        connection.rollback()
        if found and found > (newest() or ""):
            told = f"the database is at schema {found}, which this version knows not"
            raise Unfit(f"{told}: {mend_of(found)}")
        wanted = [n for n in _numbers() if revision in {HEAD, n} or n < revision]
        for number in wanted:
            if there is None or there < number:
                with _turn(connection, tell) as config:
                    require_schema(_plain(connection))
                    if (revision_in(_plain(connection)) or "") < number:
                        command.upgrade(config, number)
                there = number
    return found, there


def downgrade(url: str, revision: str) -> None:
    """Run migrations backwards down to ``revision``."""
    from alembic import command  # noqa: PLC0415

    with _open(url) as connection, _turn(connection) as config:
        command.downgrade(config, revision)


def check(url: str) -> None:
    """Raise where the tables of the code and of the database differ."""
    from alembic import command  # noqa: PLC0415

    with _open(url) as connection, _turn(connection) as config:
        command.check(config)


def current(url: str) -> tuple[str | None, str | None]:
    """Return (the database's revision, the newest one).

    :raises psycopg.Error: the database cannot be reached.
    :raises Unfit: it cannot be worked with.
    """
    with connect_plainly(Door(url, name=f"{NAME} schema")) as connection:
        return revision_in(connection), newest()


def newest() -> str | None:
    """Return the newest revision that this version knows: they are numbered in line."""
    return max(_numbers(), default=None)


def revision_in(connection: psycopg.Connection[Any]) -> str | None:
    """Return the database's revision; None where it has none."""
    there = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
    if there == (None,):
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return row[0] if row else None


def mend_of(found: str | None) -> str | None:
    """Say what to do about a database at revision ``found``; None if it is right."""
    needed = newest()
    if found == needed:
        return None
    if found and needed and found > needed:
        return "a newer version has migrated it: run that one"
    return "run `payment-service migrate`"


def _numbers() -> list[str]:
    files = MIGRATIONS.glob("versions/[0-9]*")
    return sorted(path.name.partition("_")[0] for path in files)


@contextmanager
def _open(url: str) -> Iterator[Connection]:
    door = Door(url, name=f"{NAME} migrate", settings=UNLIMITED)
    # Made here, for alchemy would wrap what is said about it. libpq reads the URL
    # itself: it may name several hosts.
    with connect_plainly(door, writes=True) as plain:
        engine = create_engine(DIALECT, creator=lambda: plain, poolclass=NullPool)
        with engine.connect() as connection:
            yield connection


@contextmanager
def _turn(connection: Connection, tell: Tell = lambda _: None) -> Iterator[Any]:
    """Give alembic's configuration in a transaction that no other migration meets."""
    plain = _plain(connection)
    try:
        with connection.begin():
            if plain.local is not None:
                plain.execute(plain.local)
            # Another kind of table might not know of partitions, or of locked rows.
            plain.execute("SET LOCAL default_table_access_method = heap")
            _take_turn(plain, tell)
            yield _config(connection)
    except OperationalError as error:
        if not isinstance(error.orig, errors.LockNotAvailable):
            raise
        told = f"a table of ours could not be locked: {locks.of_tables(plain)}"
        raise Unfit(told) from error


def _take_turn(plain: PlainConnection, tell: Tell) -> None:
    until = time.monotonic() + TURN_SECONDS_MAX
    told = False
    while not _is_ours(plain):
        if time.monotonic() > until:
            raise Unfit(
                f"another `migrate` has not ended in {TURN_SECONDS_MAX:.0f} s: "
                f"{locks.of_advisory(plain, LOCK)}"
            )
        if not told:
            tell(f"waiting for another `migrate`: {locks.of_advisory(plain, LOCK)}")
            told = True
        time.sleep(TURN_LOOK_SECONDS)


def _is_ours(plain: PlainConnection) -> bool:
    asked = plain.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
    return asked.fetchone() == (True,)


def _plain(connection: Connection) -> PlainConnection:
    plain = connection.connection.driver_connection
    if not isinstance(plain, PlainConnection):
        raise TypeError("alembic's connection was not made here")
    return plain


def _config(connection: Connection) -> Any:  # noqa: ANN401 - alembic's own
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config
