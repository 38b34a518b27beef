"""Reads a cancellation that another service asks for on the bus, with its signature."""

from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from fsm.domain.ids import is_uuid
from fsm.domain.strict_json import parse_strict
from payment_service.wire.models import Id, Reason, WireModel, validated


def _uuid(text: str) -> str:
    if not is_uuid(text):
        raise PydanticCustomError("uuid", "not a UUID")
    return text


Uuid = Annotated[str, AfterValidator(_uuid), Field(description="a UUID")]


class WithdrawalCancel(WireModel):
    """``withdrawal.cancel.requested``: gives up all of an order that is not final."""

    order_id: Id
    merchant_id: Id
    reason: Reason


class TaskCancel(WireModel):
    """``order.task.cancel.requested`` from outside: gives up one attempt."""

    task_id: Uuid
    reason: Reason


class QueueCancel(WireModel):
    """``order.queue.cancel.requested`` from outside: gives up the whole order."""

    queue_id: Uuid
    reason: Reason


EXAMPLE: Final[dict[str, Any]] = {
    "order_id": "w-1001",
    "merchant_id": "m-1",
    "reason": "the customer changed their mind",
}


def read_withdrawal_cancel(data: bytes) -> WithdrawalCancel:
    """Return it.

    :raises InvalidRequest: names every problem.
    """
    return validated(WithdrawalCancel, parse_strict(data))


def read_task_cancel(data: bytes) -> TaskCancel:
    """Return it.

    :raises InvalidRequest: names every problem.
    """
    return validated(TaskCancel, parse_strict(data))


def read_queue_cancel(data: bytes) -> QueueCancel:
    """Return it.

    :raises InvalidRequest: names every problem.
    """
    return validated(QueueCancel, parse_strict(data))
