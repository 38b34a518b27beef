"""Writes what people decide about the service itself."""

from datetime import datetime
from typing import Final

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from fsm.domain.acts import SERVICE, Act, service_line
from fsm.domain.audit import AuditLine
from fsm.domain.audit_keys import AuditKeys
from payment_service.storage.tables import ORDER_TASK_EVENTS

# Who waits for it reads the last line in a statement of its own, begun after it.
TURN: Final = text("SELECT pg_advisory_xact_lock(7261003)")
LAST: Final = text(
    """
SELECT clock_timestamp() AS now, coalesce(e.version, 0) AS version, e.hash
FROM (SELECT) one LEFT JOIN LATERAL (
    SELECT version, hash FROM order_task_events
    WHERE entity_id = CAST(:service AS uuid) ORDER BY version DESC LIMIT 1) e ON true
"""
)


async def append(
    connection: AsyncConnection,
    act: Act,
    *,
    keys: AuditKeys,
    at: datetime | None = None,
) -> AuditLine:
    """Write a line into the trail of the service, within the caller's transaction.

    The caller changes the row that it is about on the same ``connection``, before it:
    both are committed, or neither. From here on all who append wait for the commit, so
    whoever locks a row after this may wait for one who waits for him. ``at`` is the
    database's time unless the row has another; the returned line says which.

    :raises BrokenInvariant: on leaving the connection, where somebody wrote the same
        version past the lock.
    """
    await connection.execute(TURN)
    last = (await connection.execute(LAST, {"service": SERVICE})).one()
    previous = bytes(last.hash or b"")
    line = service_line(act, last.version, previous, at=at or last.now, keys=keys)
    await write(connection, line)
    return line


async def write(connection: AsyncConnection, line: AuditLine) -> None:
    """Insert a line, of whatever chain, as it was made."""
    columns = {name: getattr(line, name) for name in AuditLine.__slots__}
    await connection.execute(
        insert(ORDER_TASK_EVENTS).values({**columns, "detail": dict(line.detail)})
    )
