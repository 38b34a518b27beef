"""Names who holds what somebody else waits for."""

from collections.abc import Sequence
from typing import Any, Final, LiteralString

import psycopg

from payment_service.storage.tables import METADATA

# What other users do is shown to members of pg_read_all_stats; their pids to all.
_HELD: Final[LiteralString] = """
SELECT told FROM (
    SELECT DISTINCT a.xact_start, coalesce(format('pid %%s (%%s)', l.pid,
        concat_ws(', ', 'user ' || a.usename,
            'application ' || nullif(a.application_name, ''),
            'client ' || coalesce(host(a.client_addr), 'on the server itself'),
            a.state, 'since ' || to_char(
                coalesce(a.xact_start, a.state_change, a.backend_start)
                AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'))),
        'a prepared transaction') AS told
    FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
    WHERE l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
        AND l.database = (SELECT oid FROM pg_database
            WHERE datname = current_database())
        AND """
_OLDEST_FIRST: Final[LiteralString] = ") holders ORDER BY xact_start LIMIT 5"
_ADVISORY: Final[LiteralString] = f"""{_HELD}
    l.locktype = 'advisory' AND l.classid = 0 AND l.objid = %(key)s {_OLDEST_FIRST}
"""
# Whoever has been at it for less time than others wait is not the one.
_TABLES: Final[LiteralString] = f"""{_HELD}
    l.relation = ANY(ARRAY(SELECT to_regclass(name)::oid
        FROM unnest(%(tables)s::text[]) AS name))
    AND coalesce(a.xact_start < clock_timestamp() - interval '3 seconds', true)
    {_OLDEST_FIRST}
"""
_OURS: Final = {"tables": [*METADATA.tables, "alembic_version"]}


def of_advisory(connection: psycopg.Connection[Any], key: int) -> str:
    """Say who holds an advisory lock, and how it is got back."""
    return _told(connection.execute(_ADVISORY, {"key": key}).fetchall())


def of_tables(connection: psycopg.Connection[Any]) -> str:
    """Say who holds locks on our tables, and how they are got back."""
    return _told(connection.execute(_TABLES, _OURS).fetchall())


async def of_tables_soon(connection: psycopg.AsyncConnection[Any]) -> str:
    """Say the same on a connection of the service."""
    rows = await connection.execute(_TABLES, _OURS, prepare=False)
    return _told(await rows.fetchall())


def _told(rows: Sequence[Any]) -> str:
    if not rows:
        return "nobody holds it any more: try again"
    holders = "; ".join(row[0] for row in rows)
    end = "end it by SELECT pg_terminate_backend(pid)"
    return f"held by {holders}: wait for it, or {end}"
