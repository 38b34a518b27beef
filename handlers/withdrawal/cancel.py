"""The cancellation of a payout, asked of its provider."""

from fsm.domain.orders import Order
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.payout.words import Trigger
from handlers.commit import Ports
from handlers.withdrawal.answers import event_of_cancel
from handlers.withdrawal.asked import payout_of
from handlers.withdrawal.unheard import UNCONFIGURED


async def cancel(order: Order, task: Task, ports: Ports) -> Event:
    """Ask the provider to give the payout up, and return whether it has."""
    provider = ports.providers.get(task.provider)
    if provider is None:
        return Event(trigger=Trigger.CANCEL_UNCLEAR, code=UNCONFIGURED)
    return event_of_cancel(await provider.cancel(payout_of(order, task)), task)
