"""What a partner is asked with, and core: the card, who has it, and the call's key."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from fsm.domain.orders import Order
from fsm.engine.rows import Task
from fsm.partner.due import asked_before
from handlers.ports.core import MembershipCall
from handlers.ports.partners import PartnerCall

_OWN: Final = ("partner", "card", "link")


class Card(NamedTuple):
    """A card as it was asked for: a token, and what tells whose cards are like it."""

    token: str
    bin: str
    country: str


def card_of(order: Order) -> Card:
    """Return the card that is to be linked."""
    said: Any = order.details["card"]
    return Card(said["token"], said["bin"], said["country"])


def check_of(order: Order, task: Task) -> PartnerCall:
    """Return the check that is due: the same one until it is answered."""
    n = asked_before(task) + 1
    return _call(order, task, f"{task.task_id}:{n}", n)


def notice_of(order: Order, task: Task) -> PartnerCall:
    """Return the notice that the membership is revoked."""
    return _call(order, task, f"{task.task_id}:revoked", 0)


def membership_of(order: Order, task: Task, *, provisional: bool) -> MembershipCall:
    """Return whose membership it is, as core is told of it."""
    return MembershipCall(
        task_id=task.task_id,
        customer_id=order.customer_id,
        partner=task.provider,
        card_token=card_of(order).token,
        provisional=provisional,
    )


def _call(order: Order, task: Task, key: str, n: int) -> PartnerCall:
    said: Mapping[str, object] = {
        "task_id": task.task_id,
        "order_id": order.order_id,
        "queue_id": order.queue_id,
        "merchant_id": order.merchant_id,
        "customer_id": order.customer_id,
        **{name: order.details[name] for name in _OWN if name in order.details},
        "metadata": dict(order.metadata),
    }
    return PartnerCall(task_id=task.task_id, key=key, n=n, order=said)
