"""Writes what becomes of a dead letter: to its order, or to the service's trail."""

from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from fsm.domain.acts import Act
from fsm.domain.audit import AuditLine
from fsm.domain.audit_keys import AuditKeys
from payment_service.storage import order_trail, service_trail
from payment_service.storage.order_trail import LockedOrder

ORDER_OF: Final = text(
    """
SELECT q.queue_id::text FROM dead_letters d
JOIN order_queues q ON q.queue_id = coalesce(
    (SELECT t.queue_id FROM order_tasks t WHERE t.task_id = d.task_id), d.queue_id)
WHERE d.id = CAST(:letter_id AS uuid)
"""
)


async def hold(connection: AsyncConnection, letter_id: str) -> LockedOrder | None:
    """Lock the order that a letter is about; None where it is about none of ours."""
    queue_id = (await connection.execute(ORDER_OF, {"letter_id": letter_id})).scalar()
    return None if queue_id is None else await order_trail.hold(connection, queue_id)


async def append(
    connection: AsyncConnection,
    head: LockedOrder | None,
    act: Act,
    *,
    keys: AuditKeys,
    at: datetime,
) -> AuditLine:
    """Write the line of an act, within the caller's transaction.

    An order that another hand has changed has no trail to go on with: no message must
    wait until its row is put back.
    """
    if head is None or not order_trail.is_sound(head, keys):
        return await service_trail.append(connection, act, keys=keys, at=at)
    return await order_trail.append(connection, head, act, keys=keys, at=at)
