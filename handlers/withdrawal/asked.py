"""What a provider is asked about: a payout, as its port takes one."""

from fsm.domain.orders import Order
from fsm.engine.rows import Task
from handlers.ports.provider import Payout


def payout_of(order: Order, task: Task) -> Payout:
    """Return the attempt as the provider's port takes it."""
    return Payout(
        reference=task.task_id,
        money=order.require_money(),
        destination=order.destination,
        terminal_id=task.terminal_id,
        provider_reference=task.provider_reference,
    )
