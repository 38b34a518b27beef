"""Handles ``order.task.webhook.received``: one stored webhook and what follows."""

from fsm.domain.errors import Tampered
from fsm.domain.news import NewsState
from fsm.domain.orders import Order
from handlers.calls import TAMPERED, View
from handlers.drive import drive, next_due
from handlers.engine import Engine
from handlers.news import apply_waiting
from handlers.ports.outcomes import Done, Outcome
from handlers.ports.store import StoredNews


async def webhook_received(
    provider: str, event_id: str, *, again: bool, engine: Engine
) -> Outcome:
    """Apply the task's webhooks in the order they came in, and drive the order on.

    Two that came together may be delivered to two workers; of two that contradict
    each other the first stands. One that matches no task yet stays in the inbox; the
    sweeper rings for it again.
    """
    taken_at = engine.clock.elapsed()
    stored = await engine.store.find_news(provider, event_id)
    if stored is None:
        return Done(what="stale")
    order = await matching_order(stored, engine=engine)
    if order is None:
        return Done(what="unmatched")
    if stored.state is not NewsState.WAITING and not again:
        return Done(what="duplicate")
    if stored.state is NewsState.WAITING:
        try:
            order = await apply_waiting(order, [stored.news.reference], engine=engine)
        except Tampered:
            # It waits in the inbox until the rows are put back.
            return Done(what=TAMPERED, order_id=order.order_id)
    if next_due(order, engine) is None:
        return Done()
    return await drive(order, engine=engine, view=View(taken_at=taken_at))


async def matching_order(stored: StoredNews, *, engine: Engine) -> Order | None:
    """Return the order a webhook is about, if its provider has the task."""
    task_id = stored.news.reference
    queue_id = await engine.store.queue_of(task_id)
    order = None if queue_id is None else await engine.store.load(queue_id)
    if order is None or order.task(task_id).provider != stored.news.provider:
        return None
    return order
