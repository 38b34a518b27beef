"""Finds the link that stands for a card, from the orders about it that were completed.

They run one after the other, by the constraint of their exclusive key, so nothing
changes while the next one runs. Which of them was the last is not told by clocks, which
part: a link stands as long as no order says that it has removed it.
"""

from datetime import datetime, timedelta
from typing import Final

from fsm.domain.orders import Order
from fsm.engine.words import Kind, State
from fsm.partner.words import ALREADY_LINKED, ALREADY_UNLINKED
from handlers.commit import Ports
from handlers.sound import NOT_AS_REQUESTED, halted, looked_over

LOOKED_AT_MAX: Final = 1024
"""Of the orders about a card so many, the newest: more end in no two minutes."""
CLOCKS_PART: Final = timedelta(minutes=1)
"""By how much the times of two processes may be out of order."""


async def standing_link(exclusive_key: str, ports: Ports) -> str | None:
    """Return the queue of the order that has made the link of a card that stands.

    Orders about the same card have the same exclusive key.

    :raises Tampered: an order that says so is not as the service has left it.
    :raises UnknownKey: it cannot be looked over here.
    """
    made = list[str]()
    removed = set[str]()
    newest: datetime | None = None
    for queue_id in await ports.store.completed(exclusive_key, limit=LOOKED_AT_MAX):
        found = await _sound(queue_id, ports)
        ended = found.finished_at or found.created_at
        before = timedelta(0) if newest is None else newest - ended
        # What removed a link may seem to be older than it: so far back they are read.
        if before > 2 * CLOCKS_PART:
            break
        (task,) = found.queue.tasks
        if task.state is not State.SUCCEEDED:
            continue
        newest = newest or ended
        says = found.queue.kind is Kind.PARTNER_LINK or task.code == ALREADY_UNLINKED
        if not says:
            removed.add(task.provider_reference or "")
        elif before <= CLOCKS_PART and (maker := made_by(found)) is not None:
            made.append(maker)
    return next((each for each in made if each not in removed), None)


async def _sound(queue_id: str, ports: Ports) -> Order:
    found = await ports.store.load(queue_id)
    if found is None:
        raise LookupError(f"order queue {queue_id} is gone")
    found = await looked_over(found, ports)
    if not found.sound:
        raise await halted(found, found.queue.tasks[0], NOT_AS_REQUESTED, ports)
    return found


def made_by(order: Order) -> str | None:
    """Return the queue of the order that has made the link that one says stands.

    It is the order itself, unless it found the link already, and names it.
    """
    (task,) = order.queue.tasks
    found = task.code in {ALREADY_LINKED, ALREADY_UNLINKED}
    return task.provider_reference if found else order.queue_id
