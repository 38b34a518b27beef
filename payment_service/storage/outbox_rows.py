"""Rows of the outbox to and from messages: one each, or all of a commit as a bundle."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from fsm.domain.messages import Message
from fsm.domain.orders import Order
from handlers.ports.store import Unsent
from payment_service.storage.rows import Json, time_from

TRACE_PARENT: Final = "traceparent"


def message_row(message: Message, order: Order) -> Json:
    """Write a message of a bundle; its body is JSON text, what it lacks is left out.

    The order's own trace stands in the order's row: see :func:`unsent_from`.
    """
    headers = dict(message.headers)
    own = message.queue_id == order.queue_id
    if own and headers.get(TRACE_PARENT) == order.trace_parent:
        headers.pop(TRACE_PARENT, None)
    row = {
        "message_id": message.message_id,
        "subject": message.subject,
        "body": message.body.decode(),
        "headers": headers or None,
        "at": message.at,
        "schedule": message.schedule,
        "queue_id": message.queue_id,
    }
    return {name: value for name, value in row.items() if value is not None}


def message_from(row: tuple[Any, ...]) -> Message:
    """Read (message_id, subject, body, headers, at, schedule, queue_id)."""
    headers: Mapping[str, str] = row[3] or {}
    return Message(
        message_id=row[0],
        subject=row[1],
        body=bytes(row[2]),
        headers=headers,
        at=row[4],
        schedule=row[5],
        queue_id=row[6],
    )


def unsent_from(row: tuple[Any, ...]) -> list[Unsent]:
    """Read a row of the outbox: (seq, the columns of a message, bundle).

    The messages of a bundle are in no trace yet: theirs is that of their order.
    """
    seq, bundle = row[0], row[-1]
    if bundle is None:
        return [Unsent(seq=seq, message=message_from(row[1:-1]))]
    told = [_message_of_bundle(message) for message in orjson.loads(bundle)]
    return [Unsent(seq=seq, message=message, bundled=True) for message in told]


def in_its_trace(unsent: Unsent, traces: Mapping[str, str]) -> Unsent:
    """Return it with the trace of its order, where that is known and it has none."""
    message = unsent.message
    trace_parent = traces.get(message.queue_id or "")
    if not unsent.bundled or trace_parent is None or TRACE_PARENT in message.headers:
        return unsent
    headers = {TRACE_PARENT: trace_parent, **message.headers}
    return replace(unsent, message=replace(message, headers=headers))


def _message_of_bundle(row: Json) -> Message:
    return Message(
        message_id=row["message_id"],
        subject=row["subject"],
        body=row["body"].encode(),
        headers=row.get("headers", {}),
        at=time_from(row.get("at")),
        schedule=row.get("schedule"),
        queue_id=row.get("queue_id"),
    )
