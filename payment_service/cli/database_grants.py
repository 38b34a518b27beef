"""Prints the SQL of the database's roles, or migrates and runs it."""

from dataclasses import asdict
from typing import Final

from payment_service.cli.context import database_url, read_settings
from payment_service.cli.database import COMMAND, connected
from payment_service.cli.errors import Usage
from payment_service.cli.migrate import migrated, tell_of
from payment_service.cli.printing import print_json, print_text
from payment_service.settings import Settings
from payment_service.storage.grants import Roles, apply, script
from payment_service.storage.session import UNLIMITED, Door

NO_DATABASE: Final = "public"


def print_grants(*, schema: str | None, as_json: bool, **names: str) -> int:
    """Print the SQL for a DBA; the database is asked only for its schema."""
    settings = read_settings()
    roles = Roles(schema=schema or _schema_of(settings) or NO_DATABASE, **names)
    if as_json:
        print_json({**asdict(roles), "sql": script(roles)})
    else:
        print_text(script(roles))
    return 0


def grant(*, schema: str | None, as_json: bool, **names: str) -> int:
    """Migrate, and give three roles what each needs."""
    settings = read_settings("database_url")
    there = _schema_of(settings)
    if schema is not None and there is not None and schema != there:
        raise Usage(f"--schema: PAYMENT_DATABASE_URL leads to schema {there}")
    roles = Roles(schema=there or NO_DATABASE, **names)
    found, newest = migrated(settings)
    with connected(_door(settings)) as connection:
        apply(connection, roles)
    if as_json:
        print_json({"from": found, "to": newest, **asdict(roles)})
    else:
        tell_of(found, newest)
        told = f"{roles.owner} owns, {roles.service} serves, {roles.reader} reads"
        print_text(f"Roles: {told}. Who is new has no password yet.")
    return 0


def _schema_of(settings: Settings) -> str | None:
    """Return the schema to which the address leads; None without one."""
    if settings.database_url is None:
        return None
    with connected(_door(settings)) as connection:
        ((schema,),) = connection.execute("SELECT current_schema()").fetchall()
    return str(schema) if schema is not None else None


def _door(settings: Settings) -> Door:
    return Door(database_url(settings), name=COMMAND, settings=UNLIMITED)
