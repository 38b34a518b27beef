"""Searches orders: the statement for what is sought, by the indexes that there are."""

from typing import Any

from sqlalchemy import ColumnElement, Select, exists, select

from fsm.domain.errors import InvalidRequest
from fsm.domain.ids import is_uuid
from handlers.ports.reads import Search
from payment_service.storage.tables import ORDER_QUEUES, ORDER_TASKS


def searching(search: Search) -> Select[Any]:
    """Return the statement that finds a page of orders, and one more than that."""
    q = ORDER_QUEUES.c
    return (
        select(q.queue_id)
        .where(*_conditions(search))
        .order_by(q.queue_id.desc())
        .limit(search.limit + 1)
    )


def _conditions(search: Search) -> list[ColumnElement[bool]]:
    q, t = ORDER_QUEUES.c, ORDER_TASKS.c
    equal = {
        q.customer_id: search.customer_id,
        q.merchant_id: search.merchant_id,
        q.kind: search.kind,
        q.state: search.state,
    }
    conditions = [
        column == value for column, value in equal.items() if value is not None
    ]
    if search.merchants is not None:
        conditions.append(q.merchant_id.in_(sorted(search.merchants)))
    if search.since is not None:
        conditions.append(q.created_at >= search.since)
    if search.until is not None:
        conditions.append(q.created_at < search.until)
    if search.cursor is not None:
        conditions.append(q.queue_id < checked(search.cursor))
    of_task = [
        column == value
        for column, value in (
            (t.state, search.task_state),
            (t.provider, search.provider),
        )
        if value is not None
    ]
    if of_task:
        # One task has to match all that is asked of a task.
        conditions.append(exists().where(t.queue_id == q.queue_id, *of_task))
    return conditions


def checked(cursor: str) -> str:
    """Return a cursor that is an id.

    :raises InvalidRequest: it was not handed out here.
    """
    if not is_uuid(cursor):
        raise InvalidRequest.of_parameter(
            "cursor", f"{cursor!r} was not handed out here"
        )
    return cursor
