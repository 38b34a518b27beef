"""What each user of the database has to be able to do there, and what he may.

The lists are made from the tables, so that a new table or column has its rights from
the day it exists: who serves may change its rows unless it is named here, and who only
reads sees of it what is not a secret. :mod:`.grants` gives what is asked for here.
"""

from typing import Any, Final, LiteralString, NamedTuple

import psycopg
from sqlalchemy import Column, LargeBinary, Table
from sqlalchemy.dialects.postgresql import JSONB

from payment_service.storage.fitness import Unfit
from payment_service.storage.tables import METADATA

APPENDED: Final = frozenset({"order_task_events", "anchors", "anchor_heads"})
"""What is written once: triggers refuse the owner any change of it, too."""
_EMPTIED: Final = frozenset({"outbox", "parked", "provider_health", "webhook_inbox"})
# Numbers are drawn by INSERT itself but for this one's, which a statement asks for.
_DRAWN: Final = ("webhook_inbox_inbox_id_seq",)
# Who chose the number of a line could put all that comes after where no anchor looks.
_NUMBERS: Final = {"order_task_events": "seq"}
# What is done in the owner's name, for who serves owns nothing.
_CALLED: Final = ("make_trail_partitions()",)
FUNCTIONS: Final = (
    *_CALLED,
    "make_trail_partition(date)",
    "refuse_change()",
    "refuse_without_version()",
    "refuse_unless_about_erased()",
    "refuse_unless_erased()",
    "refuse_unless_forgotten()",
    "refuse_unless_result_erased()",
)
VERSION_TABLE: Final = "alembic_version"

# Bytes and JSON hold what others have sent, and hashes by which it can be guessed. Of
# these it was looked at what they hold.
_SEEN: Final = frozenset(
    {
        "order_queues.audit_hash",
        "order_tasks.audit_hash",
        "order_task_events.detail",
        "order_task_events.hash",
        "cases.detail",
    }
)
# Texts that others have written, or that speak of them.
_UNSEEN: Final = frozenset(
    {"webhook_inbox.message", "dead_letters.error", "outbox.bundle"}
)
_SECRET_WORDS: Final = ("hash", "secret", "token", "password")

_SCHEMA: Final[LiteralString] = """
SELECT quote_ident(current_schema()), current_setting('search_path'),
    quote_ident(current_user),
    has_schema_privilege(current_schema(), 'CREATE')
"""
# What is not there yet is not missed: the schema is behind, and says so itself.
_LACKING: Final[LiteralString] = """
SELECT wanted.privilege, string_agg(wanted.name, ', ' ORDER BY wanted.name),
    quote_ident(%(user)s::name)
FROM unnest(%(names)s::text[], %(privileges)s::text[]) AS wanted(name, privilege)
WHERE NOT CASE wanted.privilege
    WHEN 'USAGE' THEN
        has_sequence_privilege(%(user)s::name, to_regclass(wanted.name), 'USAGE')
    WHEN 'EXECUTE' THEN
        has_function_privilege(%(user)s::name, to_regprocedure(wanted.name), 'EXECUTE')
    WHEN 'INSERT' THEN
        has_any_column_privilege(%(user)s::name, to_regclass(wanted.name), 'INSERT')
    ELSE has_table_privilege(%(user)s::name, to_regclass(wanted.name),
        wanted.privilege) END
GROUP BY wanted.privilege ORDER BY wanted.privilege
"""
_BEYOND: Final[LiteralString] = """
WITH me AS (SELECT * FROM pg_roles WHERE rolname = current_user), found AS (
    SELECT 1 AS place, 'is a superuser' AS told FROM me WHERE rolsuper
    UNION ALL SELECT 2, 'may make roles' FROM me WHERE rolcreaterole
    UNION ALL SELECT 3, 'owns the database' FROM pg_database
        WHERE datname = current_database() AND pg_has_role(datdba, 'MEMBER')
    UNION ALL SELECT 4, 'owns ' || string_agg(relname, ', ' ORDER BY relname)
        FROM pg_class WHERE pg_has_role(relowner, 'MEMBER')
        AND oid IN (SELECT to_regclass(name)::oid FROM unnest(%(tables)s::text[]) name)
        HAVING count(*) > 0
    UNION ALL SELECT 5, 'may make tables in the schema'
        WHERE has_schema_privilege(current_schema(), 'CREATE')
    UNION ALL SELECT 6, concat('may ', privilege, ' ',
            string_agg(name, ', ' ORDER BY name))
        FROM unnest(%(names)s::text[], %(privileges)s::text[]) AS l(name, privilege)
        WHERE has_table_privilege(to_regclass(name), privilege) GROUP BY privilege
    UNION ALL SELECT 6, 'may choose the numbers of ' || string_agg(name, ', ')
        FROM unnest(%(numbered)s::text[], %(numbers)s::text[]) AS l(name, number)
        WHERE has_column_privilege(to_regclass(name), number, 'INSERT')
        HAVING count(*) > 0
)
-- A superuser may all the rest, and an owner all that can be granted.
SELECT told FROM found WHERE place <= CASE WHEN (SELECT rolsuper FROM me) THEN 1
    WHEN EXISTS (SELECT FROM found WHERE place = 4) THEN 5 ELSE 6 END
ORDER BY place, told
"""
_PRIVILEGES: Final = (
    *("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"),
)
_KINDS: Final = {"USAGE": "SEQUENCE ", "EXECUTE": "FUNCTION "}


class Right(NamedTuple):
    """A privilege on a table, a sequence (``USAGE``) or a function (``EXECUTE``)."""

    privilege: str
    name: str


def needed() -> list[Right]:
    """Return what who serves has to be able to do, and no more."""
    return [
        Right("SELECT", VERSION_TABLE),
        *(Right("USAGE", name) for name in _DRAWN),
        *(Right("EXECUTE", name) for name in _CALLED),
        *(
            Right(privilege, name)
            for name in METADATA.tables
            for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE")
            if privilege in {"SELECT", "INSERT"}
            or (privilege == "UPDATE" and name not in {*APPENDED, "outbox"})
            or (privilege == "DELETE" and name in _EMPTIED)
        ),
    ]


def insertable(table: Table) -> list[str]:
    """Return the columns that who serves may fill, where it may not fill them all."""
    number = _NUMBERS.get(table.name)
    return [c.name for c in table.columns if c.name != number] if number else []


def readable(table: Table) -> list[str]:
    """Return the columns of a table that hold nothing secret, for who only reads."""
    return [c.name for c in table.columns if _is_shown(f"{table.name}.{c.name}", c)]


def _is_shown(name: str, column: Column[Any]) -> bool:
    if name in _SEEN:
        return True
    speaks = any(word in column.name for word in _SECRET_WORDS)
    holds = isinstance(column.type, LargeBinary | JSONB)
    return not (speaks or holds or name in _UNSEEN)


def require_schema(connection: psycopg.Connection[Any]) -> None:
    """Refuse to migrate where no table can be made.

    :raises Unfit: says how to mend it.
    """
    ((schema, path, user, may_create),) = connection.execute(_SCHEMA).fetchall()
    if schema is None:
        raise Unfit(_no_schema(path))
    if not may_create:
        raise Unfit(
            f"user {user} may make no table in schema {schema}: GRANT CREATE ON "
            f"SCHEMA {schema} TO {user}, or let another one migrate"
        )


def lacking(connection: psycopg.Connection[Any], user: str | None = None) -> list[str]:
    """Return what who serves may not do though he has to; how to mend it.

    ``user`` is who serves; where it is not given, the user of the connection.
    """
    ((schema, path, *_),) = connection.execute(_SCHEMA).fetchall()
    if schema is None:
        return [_no_schema(path)]
    if user is None:
        ((user,),) = connection.execute("SELECT current_user").fetchall()
    asked = {
        "names": [right.name for right in needed()],
        "privileges": [right.privilege for right in needed()],
        "user": user,
    }
    rows = connection.execute(_LACKING, asked).fetchall()
    return [
        f"GRANT {privilege} ON {_KINDS.get(privilege, '')}{names} TO {who}"
        for privilege, names, who in rows
    ]


def beyond_need(connection: psycopg.Connection[Any]) -> list[str]:
    """Return what the user may do though who serves need not."""
    tables = [*METADATA.tables, VERSION_TABLE]
    more = [
        Right(privilege, name)
        for name in tables
        for privilege in _PRIVILEGES
        if Right(privilege, name) not in needed()
    ]
    asked = {
        "tables": tables,
        "names": [right.name for right in more],
        "privileges": [right.privilege for right in more],
        "numbered": [*_NUMBERS],
        "numbers": [*_NUMBERS.values()],
    }
    return [told for (told,) in connection.execute(_BEYOND, asked).fetchall()]


def _no_schema(path: str) -> str:
    return (
        f"search_path ({path}) names no schema that is there and may be used: "
        "CREATE SCHEMA, or GRANT USAGE ON SCHEMA"
    )
