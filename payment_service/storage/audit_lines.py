"""Reads audit lines, and finds the one that has opened a case."""

from typing import Any, Final, LiteralString

from fsm.domain.audit import AuditLine, Link
from handlers.ports.reads import CaseRecord
from payment_service.storage.database import Database

# The line by which a payout came back at a time, with the hash of the line before it.
RETURNED_AT: Final[LiteralString] = """
SELECT e.entity_id::text, e.queue_id::text, e.version, e.source, e.target,
    e.trigger, e.actor, e.at, e.trace_id, e.detail, e.key_id, e.hash, p.hash
FROM order_task_events e, order_task_events p
WHERE e.entity_id = %(task_id)s::uuid AND e.trigger = 'provider.returned'
    AND e.at = %(at)s AND p.entity_id = e.entity_id AND p.version = e.version - 1
ORDER BY e.version LIMIT 1
"""


def line_from(row: Any) -> AuditLine:  # noqa: ANN401 - a row of the columns of a line
    """Read an audit line."""
    return AuditLine(
        entity_id=row[0],
        queue_id=row[1],
        version=row[2],
        source=row[3],
        target=row[4],
        trigger=row[5],
        actor=row[6],
        at=row[7],
        trace_id=row[8],
        detail=row[9],
        key_id=row[10],
        hash=bytes(row[11]),
    )


async def opening_of(case: CaseRecord, database: Database) -> Link | None:
    """Return the line by which the payout of a case came back, if there is one."""
    asked = {"task_id": case.task_id, "at": case.opened_at}
    rows = await database.run(RETURNED_AT, asked)
    return Link(line_from(rows[0]), bytes(rows[0][-1])) if rows else None
