"""The anchors in the database: which chains have grown, without missing late commits.

Lines are numbered when they are written, and seen when they are committed: whoever goes
on behind the highest number that he saw loses those that commit later. So each anchor
keeps the numbers of transactions of its snapshot. The next one goes back to what was
seen before the oldest transaction began that was still running at the last one; what
it meets there again is in an anchor, and is passed over. A line's number is drawn once
its transaction has one, for its rows are locked or inserted before.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString

from sqlalchemy.ext.asyncio import AsyncConnection

from fsm.domain.anchors import (
    FIRST_PREVIOUS,
    NOTHING_BEFORE,
    Anchor,
    Head,
    Root,
    signed,
)
from fsm.domain.audit_keys import AuditKeys
from handlers.ports.anchors import Taken
from payment_service.storage.database import Database

WINDOW: Final = 100_000
"""Lines that one anchor goes forward by: what can be read and sorted in a second."""
PAGE: Final = 5_000
EARLY: Final = 0.9
"""Who looks once in an interval must not find each second anchor not due yet."""

COLUMNS: Final = "n, at, complete_to, heads, root, previous, key_id, mac"

TURN: Final[LiteralString] = """
SELECT pg_try_advisory_xact_lock(7261010), clock_timestamp()
"""
LAST: Final[LiteralString] = f"""
SELECT {COLUMNS}, seq_to, xid_from, xid_to FROM anchors ORDER BY n DESC LIMIT 1
"""
# The newest anchor of which everybody has ended who had a number by then. Numbers only
# grow: an earlier one that is higher was drawn before this database was restored here.
SETTLED: Final[LiteralString] = """
SELECT seq_to, at FROM anchors
WHERE xid_to <= %(xid_from)s OR xid_to > %(xid_to)s ORDER BY n DESC LIMIT 1
"""
# Where the next lines are, if numbers were left out.
NEXT: Final[LiteralString] = """
SELECT min(seq) FROM order_task_events WHERE seq > %(upto)s
"""
# One statement, so one snapshot: what it says of transactions holds for what it read.
# Our own number is drawn behind it, so it is above that of whoever had one by then; the
# snapshot's own upper end is not: it knows of nobody above the last that has ended.
COVER: Final[LiteralString] = """
WITH grown AS MATERIALIZED (
    SELECT DISTINCT ON (entity_id) entity_id, version, seq, queue_id, hash
    FROM order_task_events WHERE seq > %(after)s AND seq <= %(upto)s
    ORDER BY entity_id, version DESC
), kept AS (
    INSERT INTO anchor_heads (entity_id, version, n, queue_id, hash)
    SELECT g.entity_id, g.version, %(n)s, g.queue_id, g.hash FROM grown g
    WHERE NOT EXISTS (SELECT FROM anchor_heads h
        WHERE h.entity_id = g.entity_id AND h.version >= g.version)
)
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
    pg_current_xact_id()::text::bigint,
    (SELECT max(seq) FROM grown),
    EXISTS (SELECT FROM order_task_events WHERE seq > %(upto)s)
"""
HEADS: Final[LiteralString] = """
SELECT entity_id::text, queue_id::text, version, hash FROM anchor_heads
WHERE n = %(n)s AND entity_id > %(after)s::uuid ORDER BY entity_id LIMIT %(limit)s
"""
KEEP: Final[LiteralString] = f"""
INSERT INTO anchors ({COLUMNS}, seq_to, xid_from, xid_to)
VALUES (%(n)s, %(at)s, %(complete_to)s, %(heads)s, %(root)s, %(previous)s, %(key_id)s,
    %(mac)s, %(seq_to)s, %(xid_from)s, %(xid_to)s)
"""
FIND: Final[LiteralString] = f"SELECT {COLUMNS} FROM anchors WHERE n = %(n)s"
EVERY: Final[LiteralString] = f"SELECT {COLUMNS} FROM anchors ORDER BY n"
AFTER: Final[LiteralString] = f"""
SELECT {COLUMNS} FROM anchors WHERE n > %(n)s ORDER BY n LIMIT %(limit)s
"""
NO_ID: Final = "00000000-0000-0000-0000-000000000000"


class _Mark:
    """Up to where an anchor has seen; that of none at all has seen nothing."""

    def __init__(self, row: Sequence[Any] | None) -> None:
        self.last = anchor_from(row[:8]) if row else None
        numbers: Sequence[int] = row[8:] if row else (0, 0, 0)
        self.seq_to, self.xid_from, self.xid_to = numbers

    @property
    def n(self) -> int:
        return self.last.n if self.last else 0

    @property
    def complete_to(self) -> datetime:
        return self.last.complete_to if self.last else NOTHING_BEFORE


class PostgresAnchors:
    """Implements ``ports.anchors.AnchorBook``."""

    def __init__(self, database: Database, keys: AuditKeys) -> None:
        self._database = database
        self._keys = keys

    async def take(self, *, every: timedelta, window: int = WINDOW) -> Taken | None:
        """Take the next anchor and commit it; None where it is not due, or not ours."""
        async with self._database.connection() as connection:
            is_ours, now = await _one(connection, TURN)
            if not is_ours:
                return None
            rows = (await connection.exec_driver_sql(LAST)).all()
            mark = _Mark(rows[0] if rows else None)
            if mark.last is not None and now - mark.last.at < every * EARLY:
                return None
            return await self._taken(connection, mark, now, window)

    async def _taken(
        self, connection: AsyncConnection, mark: _Mark, now: datetime, window: int
    ) -> Taken:
        settled = {"xid_from": mark.xid_from, "xid_to": mark.xid_to}
        found = (await connection.exec_driver_sql(SETTLED, settled)).first()
        after = min(found[0], mark.seq_to) if found else 0
        upto = mark.seq_to + window
        n = mark.n + 1
        asked = {"n": n, "after": after, "upto": upto}
        xid_from, xid_to, seen, more = await _one(connection, COVER, **asked)
        return await self._kept(
            connection,
            mark,
            {"n": n, "at": now, "xid_from": xid_from, "xid_to": xid_to},
            seq_to=await _reached(connection, mark, seen, upto, more=more),
            more=more,
        )

    async def _kept(
        self,
        connection: AsyncConnection,
        mark: _Mark,
        found: dict[str, Any],
        *,
        seq_to: int,
        more: bool,
    ) -> Taken:
        complete_to = mark.complete_to
        if not more:
            asked = {name: found[name] for name in ("xid_from", "xid_to")}
            row = (await connection.exec_driver_sql(SETTLED, asked)).one_or_none()
            complete_to = row.at if row is not None else complete_to
            if found["xid_to"] <= found["xid_from"]:
                complete_to = found["at"]
        anchor = signed(
            self._keys,
            n=found["n"],
            at=found["at"],
            complete_to=max(complete_to, mark.complete_to),
            root=await _root(connection, found["n"]),
            previous=mark.last.digest() if mark.last else FIRST_PREVIOUS,
        )
        values = {name: getattr(anchor, name) for name in COLUMNS.split(", ")}
        xids = {name: found[name] for name in ("xid_from", "xid_to")}
        await connection.exec_driver_sql(KEEP, {**values, **xids, "seq_to": seq_to})
        return Taken(anchor, whole=not more)

    async def find(self, n: int) -> Anchor | None:
        """Return the anchor of this number."""
        rows = await self._database.run(FIND, {"n": n})
        return anchor_from(rows[0]) if rows else None

    async def after(self, n: int, *, limit: int) -> Sequence[Anchor]:
        """Return up to ``limit`` anchors behind this number, in order."""
        rows = await self._database.run(AFTER, {"n": n, "limit": limit})
        return [anchor_from(row) for row in rows]


def anchor_from(row: Sequence[Any]) -> Anchor:
    """Make an anchor of a row of ``COLUMNS``."""
    return Anchor(**dict(zip(COLUMNS.split(", "), row, strict=True)))


async def _one(
    connection: AsyncConnection, statement: LiteralString, **asked: object
) -> Sequence[Any]:
    return (await connection.exec_driver_sql(statement, asked)).one()


async def _reached(
    connection: AsyncConnection,
    mark: _Mark,
    seen: int | None,
    upto: int,
    *,
    more: bool,
) -> int:
    """Return the number behind which the next anchor finds what is new."""
    if not more:
        return max(mark.seq_to, seen or 0)
    if seen is not None and seen > mark.seq_to:
        return upto
    following: int = (await _one(connection, NEXT, upto=upto))[0]
    return following - 1


async def _root(connection: AsyncConnection, n: int) -> Root:
    root, after = Root(), NO_ID
    while True:
        asked = {"n": n, "after": after, "limit": PAGE}
        rows = (await connection.exec_driver_sql(HEADS, asked)).all()
        heads = [Head._make(row) for row in rows]
        root.add(heads)
        if len(heads) < PAGE:
            return root
        after = heads[-1].entity_id
