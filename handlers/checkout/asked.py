"""What a step's service is asked with: the order, what was loaded, earlier results."""

from collections.abc import Mapping
from typing import Final

import orjson

from fsm.domain.orders import Order
from fsm.engine.rows import Task
from handlers.ports.services import ServiceCall

_OWN: Final = ("payment_method", "items", "delivery", "fees")


def call_of(order: Order, task: Task) -> ServiceCall:
    """Return the call of a step: the same one, however often it is made."""
    said: dict[str, object] = {
        "task_id": task.task_id,
        **order_of(order),
        "loaded": order.loaded or {},
        "results": results_of(order),
    }
    return ServiceCall(
        step=task.name or "",
        task_id=task.task_id,
        order=said,
        result={} if task.result is None else orjson.loads(task.result),
    )


def order_of(order: Order) -> dict[str, object]:
    """Return an order as its services are told of it, before anything is loaded."""
    money = order.require_money()
    return {
        "order_id": order.order_id,
        "queue_id": order.queue_id,
        "merchant_id": order.merchant_id,
        "customer_id": order.customer_id,
        "amount": money.amount,
        "currency": money.currency,
        **{name: order.details[name] for name in _OWN if name in order.details},
        "metadata": dict(order.metadata),
    }


def results_of(order: Order) -> Mapping[str, object]:
    """Return what the steps of an order came to, by their names."""
    return {
        task.name or "": orjson.loads(task.result)
        for task in order.queue.tasks
        if task.result is not None
    }
