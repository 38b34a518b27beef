"""Counts how the demo's orders stand, straight from the tables."""

from dataclasses import dataclass
from typing import Any, Final, LiteralString

import psycopg

ORDERS: Final[LiteralString] = """
SELECT q.state, count(*), count(*) FILTER (WHERE EXISTS (
    SELECT FROM order_tasks t WHERE t.queue_id = q.queue_id
    AND t.state = 'MANUAL_CHECK'))
FROM order_queues q WHERE q.kind = 'withdrawal' GROUP BY q.state
"""
CHECKOUTS: Final[LiteralString] = (
    "SELECT queue_id::text, state FROM order_queues WHERE kind = 'checkout'"
)
LINKS: Final[LiteralString] = """
SELECT task_id::text, queue_id::text,
    coalesce(extract(epoch FROM finished_at - order_queues.created_at), 0)
FROM order_queues JOIN order_tasks USING (queue_id) WHERE kind = 'partner_link'
"""
CHECKS: Final[LiteralString] = (
    "SELECT task_id::text FROM order_tasks WHERE state = 'MANUAL_CHECK'"
)
UNNOTIFIED: Final[LiteralString] = (
    "SELECT count(*) FROM order_queues WHERE state IN ('ACTIVE', 'REVERSING') "
    "OR wake_at IS NOT NULL"
)
FACTS: Final[LiteralString] = """
SELECT
    (SELECT count(*) FROM order_tasks JOIN order_queues USING (queue_id)
        WHERE kind = 'withdrawal' AND code IS DISTINCT FROM 'not_needed'),
    (SELECT count(DISTINCT queue_id) FROM order_task_events
        JOIN order_queues USING (queue_id)
        WHERE kind = 'withdrawal' AND target = 'MANUAL_CHECK'),
    (SELECT count(*) FROM cases),
    (SELECT count(*) FROM dead_letters),
    (SELECT coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY
        extract(epoch FROM finished_at - created_at)), 0) FROM order_queues
        WHERE kind = 'withdrawal'),
    (SELECT coalesce(percentile_cont(0.99) WITHIN GROUP (ORDER BY
        extract(epoch FROM finished_at - created_at)), 0) FROM order_queues
        WHERE kind = 'withdrawal'),
    (SELECT count(*) FROM order_task_events)
"""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many withdrawals are where; ``waiting`` of the active for a person."""

    active: int
    waiting: int
    completed: int
    failed: int
    cancelled: int

    @property
    def accepted(self) -> int:
        """All orders that the service has stored."""
        return self.active + self.completed + self.failed + self.cancelled


@dataclass(frozen=True, slots=True)
class RowCounts:
    """What the tables say at the end."""

    attempts: int
    manual_checks: int
    cases: int
    dead_letters: int
    p50_seconds: float
    p99_seconds: float
    audit_lines: int


class Tables:
    """Reads the demo's tables on a connection of its own."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection

    async def tally(self) -> Tally:
        """Return how the orders stand."""
        rows = await self._rows(ORDERS)
        by = {row[0]: row for row in rows}
        return Tally(
            active=by["ACTIVE"][1] if "ACTIVE" in by else 0,
            waiting=by["ACTIVE"][2] if "ACTIVE" in by else 0,
            completed=by["COMPLETED"][1] if "COMPLETED" in by else 0,
            failed=by["FAILED"][1] if "FAILED" in by else 0,
            cancelled=by["CANCELLED"][1] if "CANCELLED" in by else 0,
        )

    async def checkouts(self) -> dict[str, str]:
        """Return the state of every checkout, by its queue id."""
        return {row[0]: row[1] for row in await self._rows(CHECKOUTS)}

    async def links(self) -> list[tuple[str, str, float]]:
        """Return every link: its task's and its queue's id, its seconds to the end."""
        return [(row[0], row[1], float(row[2])) for row in await self._rows(LINKS)]

    async def open_checks(self) -> list[str]:
        """Return the tasks that a person must decide."""
        return [row[0] for row in await self._rows(CHECKS)]

    async def unfinished(self) -> int:
        """Return how many orders have not ended, or not told core so."""
        return int((await self._rows(UNNOTIFIED))[0][0])

    async def facts(self) -> RowCounts:
        """Return the figures of the summary."""
        row = (await self._rows(FACTS))[0]
        return RowCounts(
            attempts=row[0],
            manual_checks=row[1],
            cases=row[2],
            dead_letters=row[3],
            p50_seconds=float(row[4]),
            p99_seconds=float(row[5]),
            audit_lines=row[6],
        )

    async def _rows(self, statement: LiteralString) -> list[Any]:
        cursor = await self._connection.execute(statement)
        return await cursor.fetchall()
