"""What the user of the database may do there, and what he must be able to."""

from typing import Any, Final, LiteralString

import psycopg

from payment_service.storage.fitness import Unfit
from payment_service.storage.tables import METADATA

_APPENDED: Final = frozenset({"order_task_events", "anchors", "anchor_heads"})
_EMPTIED: Final = frozenset({"outbox", "provider_health", "webhook_inbox"})
# Numbers are drawn by INSERT itself but for this one's, which a statement asks for.
_DRAWN: Final = ("webhook_inbox_inbox_id_seq",)

_SCHEMA: Final[LiteralString] = """
SELECT quote_ident(current_schema()), current_setting('search_path'),
    quote_ident(current_user),
    has_schema_privilege(current_schema(), 'CREATE')
"""
_LACKING: Final[LiteralString] = """
SELECT wanted.privilege, string_agg(wanted.name, ', ' ORDER BY wanted.name),
    quote_ident(current_user)
FROM unnest(%(names)s::text[], %(privileges)s::text[]) AS wanted(name, privilege)
WHERE NOT CASE wanted.privilege
    WHEN 'USAGE' THEN has_sequence_privilege(to_regclass(wanted.name), 'USAGE')
    ELSE has_table_privilege(to_regclass(wanted.name), wanted.privilege) END
GROUP BY wanted.privilege ORDER BY wanted.privilege
"""


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


def lacking(connection: psycopg.Connection[Any]) -> list[str]:
    """Return what the user may not do though the service has to; how to mend it."""
    ((schema, path, *_),) = connection.execute(_SCHEMA).fetchall()
    if schema is None:
        return [_no_schema(path)]
    wanted = [
        ("alembic_version", "SELECT"),
        *((name, "USAGE") for name in _DRAWN),
        *(
            (name, privilege)
            for name in METADATA.tables
            for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE")
            if privilege in {"SELECT", "INSERT"}
            or (privilege == "UPDATE" and name not in {*_APPENDED, "outbox"})
            or (privilege == "DELETE" and name in _EMPTIED)
        ),
    ]
    asked = {"names": [n for n, _ in wanted], "privileges": [p for _, p in wanted]}
    rows = connection.execute(_LACKING, asked).fetchall()
    return [
        f"GRANT {right} ON {'SEQUENCE ' * (right == 'USAGE')}{names} TO {user}"
        for right, names, user in rows
    ]


def _no_schema(path: str) -> str:
    return (
        f"search_path ({path}) names no schema that is there and may be used: "
        "CREATE SCHEMA, or GRANT USAGE ON SCHEMA"
    )
