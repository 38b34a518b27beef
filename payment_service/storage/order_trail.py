"""Writes what people do about an order, beside its steps, into its own chain."""

from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from fsm.domain.acts import Act, acted
from fsm.domain.audit import AuditLine
from fsm.domain.audit_keys import AuditKeys
from fsm.domain.canonical import written
from fsm.domain.errors import UnreadableRow
from fsm.domain.seals import queue_is_sealed
from fsm.engine.rows import Queue
from fsm.engine.words import EngineWait, Kind, OrderState
from payment_service.storage.service_trail import write

# A step that was decided on the version before is decided again on the new one.
HOLD: Final = text(
    """
SELECT queue_id::text, kind, state, version, cancel_requested, waiting_for, wake_at,
    tries, loaded, customer_message, audit_hash, signed_by
FROM order_queues WHERE queue_id = CAST(:queue_id AS uuid) FOR UPDATE
"""
)
MOVE: Final = text(
    """
UPDATE order_queues SET version = :version, audit_hash = :hash, updated_at = :at,
    redrives = 0
WHERE queue_id = CAST(:queue_id AS uuid)
"""
)


class LockedOrder(NamedTuple):
    """An order's own row, locked; its tasks are left out."""

    queue: Queue
    signed_by: str


async def hold(connection: AsyncConnection, queue_id: str) -> LockedOrder | None:
    """Lock an order's own row until the commit; None where there is no such order.

    Whoever also locks what belongs to the order locks the order first, as steps do.
    """
    row = (await connection.execute(HOLD, {"queue_id": queue_id})).first()
    if row is None:
        return None
    try:
        kind, state = Kind(row.kind), OrderState(row.state)
        waiting_for = EngineWait(row.waiting_for) if row.waiting_for else None
    except ValueError as error:
        raise UnreadableRow(queue_id, str(error)) from None
    queue = Queue(
        queue_id=row.queue_id,
        kind=kind,
        state=state,
        version=row.version,
        cancel_requested=row.cancel_requested,
        waiting_for=waiting_for,
        wake_at=row.wake_at,
        tries=row.tries,
        loaded=None if row.loaded is None else written(row.loaded),
        customer_message=row.customer_message,
        audit_hash=bytes(row.audit_hash),
        tasks=(),
    )
    return LockedOrder(queue, row.signed_by)


def is_sound(head: LockedOrder, keys: AuditKeys) -> bool:
    """Tell whether the row is as the service has left it, as far as is known here."""
    return head.signed_by in keys and queue_is_sealed(head.queue, head.signed_by, keys)


async def append(
    connection: AsyncConnection,
    head: LockedOrder,
    act: Act,
    *,
    keys: AuditKeys,
    at: datetime,
) -> AuditLine:
    """Write the line after the row that is held, within the caller's transaction.

    :raises Tampered: another hand has changed the row.
    """
    after, line = acted(
        head.queue,
        act,
        signed_by=head.signed_by,
        at=at,
        keys=keys,
    )
    moved = {
        "queue_id": after.queue_id,
        "version": after.version,
        "hash": after.audit_hash,
        "at": at,
    }
    await connection.execute(MOVE, moved)
    await write(connection, line)
    return line
