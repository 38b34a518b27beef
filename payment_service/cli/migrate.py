"""Brings the database to the newest schema, or prints what would be done."""

import io
import sys
from typing import Final

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, MigrationStep
from alembic.script import ScriptDirectory

from payment_service.cli.context import (
    database_url,
    read_settings,
    run_async,
)
from payment_service.cli.database import COMMAND, connected
from payment_service.cli.printing import print_json, print_text
from payment_service.settings import Settings
from payment_service.storage import migrate as schema
from payment_service.storage.database import Database
from payment_service.storage.operator_store import PostgresOperatorStore
from payment_service.storage.session import NAME, Door

NONE: Final = "none"


def migrate(*, as_json: bool) -> int:
    """Migrate, make the next partitions, and say from where to where."""
    settings = read_settings("database_url")
    found, newest = migrated(settings)
    if as_json:
        print_json({"from": found, "to": newest})
    else:
        tell_of(found, newest)
    return 0


def migrated(settings: Settings) -> tuple[str | None, str | None]:
    """Migrate and make the next partitions; return from where to where."""
    url = database_url(settings)
    connected(Door(url, name=COMMAND)).close()
    found, newest = schema.upgrade(url, tell=_tell)
    run_async(_make_partitions(settings))
    return found, newest


def tell_of(found: str | None, newest: str | None) -> None:
    """Say from where to where it went."""
    if found == newest:
        print_text(f"The database is at schema {newest}, the newest: nothing to do.")
    else:
        print_text(f"Schema: {found or NONE} → {newest}")


def _tell(line: str) -> None:
    # Who waits is told meanwhile; what comes at the end may be read by a machine.
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - a person waits


async def _make_partitions(settings: Settings) -> None:
    database = Database(
        database_url(settings),
        connections_max=1,
        prepare=settings.database_prepare,
        name=f"{NAME} migrate",
    )
    await database.open()
    try:
        await PostgresOperatorStore(database, settings.audit_keys).make_partitions()
    finally:
        await database.close()


def print_sql() -> int:
    """Print the SQL from the database's schema, or from none, to the newest."""
    settings = read_settings()
    found = None
    if settings.database_url is not None:
        with connected(Door(database_url(settings), name=COMMAND)) as connection:
            found = schema.revision_in(connection)
    print_text(_sql_after(found))
    return 0


def _sql_after(found: str | None) -> str:
    script = ScriptDirectory(str(schema.MIGRATIONS))
    output = io.StringIO()

    ahead = [*script.iterate_revisions("head", found or "base")]
    steps = [
        MigrationStep.upgrade_from_script(script.revision_map, revision)
        for revision in reversed(ahead)
    ]
    context = MigrationContext.configure(
        dialect_name="postgresql",
        opts={
            "as_sql": True,
            "output_buffer": output,
            "fn": lambda _found, _context: steps,
            "starting_rev": found,
            "transaction_per_migration": True,
        },
    )
    with Operations.context(context), context.begin_transaction():
        context.run_migrations()
    return output.getvalue()
