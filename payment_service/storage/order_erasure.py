"""Erases an order in one transaction: its row, its line, and what was said about it."""

from collections.abc import Mapping
from typing import Final, LiteralString

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from fsm.domain.erasure import BLANK, NOBODY, Erasure
from fsm.domain.errors import NotNow, StaleWrite
from payment_service.storage import service_trail

BLANK_TEXT: Final = orjson.dumps(BLANK).decode()

# Held until the end: who moves it meanwhile waits, and then finds another version.
HOLD: Final = text(
    """
SELECT queue_id FROM order_queues
WHERE queue_id = CAST(:queue_id AS uuid) AND version = :base AND audit_hash = :was
FOR UPDATE
"""
)
OPEN_CASE: Final = text(
    """
SELECT id::text FROM cases
WHERE queue_id = CAST(:queue_id AS uuid) AND closed_at IS NULL LIMIT 1
"""
)
# A letter may name no more than the caller's id, which others may use too.
_LETTERS: Final = """
(queue_id = CAST(:queue_id AS uuid) OR task_id = ANY(CAST(:tasks AS uuid[]))
    OR (order_id = :order_id AND position(convert_to(CAST(:merchant AS text),
        'UTF8') IN body) > 0))
"""
OPEN_LETTER: Final = text(
    f"""
SELECT id::text FROM dead_letters
WHERE replayed_at IS NULL AND discarded_at IS NULL AND {_LETTERS} LIMIT 1
"""
)
# The trigger asks for the line that says so, so it is written before.
ROW: Final = text(
    """
UPDATE order_queues SET version = version + 1, customer_id = :nobody,
    request = CAST(:blank AS jsonb), loaded = NULL, audit_hash = :hash,
    customer_message = :told, signature = :signature, updated_at = :at
WHERE queue_id = CAST(:queue_id AS uuid)
"""
)
# The hash stays, in the row as in its trail.
RESULTS: Final = text(
    """
UPDATE order_task_results SET result = NULL
WHERE queue_id = CAST(:queue_id AS uuid) AND result IS NOT NULL
"""
)
# Of what a webhook says beside its fields: what was signed when it came in.
_SIGNED: Final = """(SELECT coalesce(jsonb_object_agg(d.key, d.value), '{}')
    FROM jsonb_each(detail) d WHERE d.key IN ('forwarded_by', 'unreadable'))"""
WEBHOOK: Final = text(
    f"""
UPDATE webhook_inbox SET message = NULL, detail = {_SIGNED}
WHERE task_id = ANY(CAST(:tasks AS uuid[]))
"""
)
# What came about an order after that says no more than it has to.
FORGET_WORDS: Final[LiteralString] = f"""
UPDATE webhook_inbox SET message = NULL, detail = {_SIGNED}
WHERE inbox_id = %(inbox_id)s::bigint
"""
LETTERS: Final = text(
    f"""
UPDATE dead_letters SET body = '', headers = '{{}}', error = 'erased'
WHERE {_LETTERS}
"""
)

# One that came after, once somebody has dealt with it; the same for the row's trigger.
LATER_LETTER: Final = text(
    """
UPDATE dead_letters d SET body = '', headers = '{}', error = 'erased'
WHERE d.id = CAST(:id AS uuid) AND EXISTS (
    SELECT FROM order_queues q WHERE q.customer_id = :nobody AND (
        q.queue_id = d.queue_id
        OR q.queue_id = (SELECT t.queue_id FROM order_tasks t
            WHERE t.task_id = d.task_id)
        OR (q.order_id = d.order_id AND position(convert_to(
            to_json(q.merchant_id)::text, 'UTF8') IN d.body) > 0)))
"""
)


async def empty_letter(connection: AsyncConnection, letter_id: str) -> None:
    """Empty a dead letter that is dealt with, where its order was erased before."""
    await connection.execute(LATER_LETTER, {"id": letter_id, "nobody": NOBODY})


async def erase(connection: AsyncConnection, erasure: Erasure) -> None:
    """Do all of it on one connection, which commits on leaving.

    :raises StaleWrite: its row is another than it was decided on.
    :raises NotNow: a case or a dead letter about it is open.
    """
    known = _parameters(erasure)
    if (await connection.execute(HOLD, known)).first() is None:
        raise StaleWrite(erasure.order.queue_id)
    for what, question in (("case", OPEN_CASE), ("dead letter", OPEN_LETTER)):
        found = (await connection.execute(question, known)).scalar()
        if found is not None:
            raise NotNow(f"{what} {found} about order {known['order_id']} is open")
    await service_trail.write(connection, erasure.line)
    for statement in (ROW, RESULTS, WEBHOOK, LETTERS):
        await connection.execute(statement, known)


def _parameters(erasure: Erasure) -> Mapping[str, object]:
    order, line = erasure.order, erasure.line
    return {
        "queue_id": order.queue_id,
        "base": order.queue.version,
        "was": order.queue.audit_hash,
        "tasks": [task.task_id for task in order.queue.tasks],
        "order_id": order.order_id,
        "merchant": orjson.dumps(order.merchant_id).decode(),
        "nobody": NOBODY,
        "blank": BLANK_TEXT,
        "told": erasure.customer_message,
        "hash": erasure.audit_hash,
        "signature": erasure.signature.mac,
        "at": line.at,
    }
