"""The request to unlink a card: an order of its own, about what was linked before."""

from collections.abc import Mapping

import orjson

from fsm.domain.orders import Order, Request
from fsm.engine.words import Kind, OrderState, State


def unlink_id(link: Order) -> str:
    """Return what an unlinking is called whose sender calls it nothing.

    It is the same for every repeat, so that there is one for each link.
    """
    return f"unlink-{link.queue_id}"


def unlink_request(  # noqa: PLR0913 - the fields of one
    *,
    order_id: str,
    merchant_id: str,
    customer_id: str,
    partner: str,
    token: str,
    reason: str,
    metadata: Mapping[str, object],
) -> Request:
    """Return the request; its content says which card, and not why.

    So whoever repeats it with another reason asks for the same.
    """
    details = {"partner": partner, "card": {"token": token}}
    content = {
        "order_id": order_id,
        "merchant_id": merchant_id,
        "customer_id": customer_id,
        "metadata": metadata,
        "details": details,
    }
    return Request(
        kind=Kind.PARTNER_UNLINK,
        order_id=order_id,
        merchant_id=merchant_id,
        customer_id=customer_id,
        money=None,
        destination={},
        cascade=(),
        metadata=metadata,
        content=orjson.dumps(content, option=orjson.OPT_SORT_KEYS),
        details=details,
        reason=reason,
    )


def has_linked(order: Order) -> bool:
    """Tell whether an order has ended with a card that is linked by it."""
    queue = order.queue
    return (
        queue.kind is Kind.PARTNER_LINK
        and queue.state is OrderState.COMPLETED
        and any(task.state is State.SUCCEEDED for task in queue.tasks)
    )
