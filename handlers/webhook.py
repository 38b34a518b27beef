"""Handles ``order.task.webhook.received``: one stored webhook and what follows."""

from collections.abc import Sequence
from dataclasses import dataclass

from fsm.domain.errors import Tampered
from fsm.domain.orders import Order
from fsm.domain.webhook_events import WebhookEventState
from handlers.claims import Claims
from handlers.commit import Ports
from handlers.drive import all_due, drive, next_due
from handlers.inbox import apply_all
from handlers.ports.outcomes import Done, Outcome
from handlers.ports.store import StoredWebhook
from handlers.sound import TAMPERED


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookHint:
    """Which stored webhook a message says has come, and about what: a hint."""

    provider: str
    event_id: str
    queue_id: str | None = None
    task_id: str | None = None


async def webhook_received(told: WebhookHint, *, again: bool, ports: Ports) -> Outcome:
    """Apply the task's webhooks in the order they came in, and drive the order on.

    Two that came together may be delivered to two workers; of two that contradict
    each other the first stands. One that matches no task yet stays in the inbox; the
    sweeper rings for it again.
    """
    taken_at = ports.clock.elapsed()
    order, waiting = await _hinted(told, ports=ports)
    if not any(_is(each, told) for each in waiting):
        # No hint, a wrong one, or it was heard before: what was stored has the word.
        stored = await ports.store.find_webhook(told.provider, told.event_id)
        if stored is None:
            return Done(what="stale")
        order = await matching_order(stored, ports=ports)
        if order is None:
            return Done(what="unmatched")
        if stored.state is not WebhookEventState.WAITING and not again:
            return Done(what="duplicate")
        waiting = []
        if stored.state is WebhookEventState.WAITING:
            waiting = await ports.store.pending_webhooks(stored.webhook.reference)
    if order is None:
        return Done(what="unmatched")
    before = all_due(order, ports)
    try:
        order = await apply_all(order, waiting, ports=ports)
    except Tampered:
        # It waits in the inbox until the rows are put back.
        return Done(what=TAMPERED, order_id=order.order_id)
    if next_due(order, ports) is None:
        return Done()
    moved = [row for row in all_due(order, ports) if row not in before]
    return await drive(
        order,
        ports=ports,
        claims=Claims(taken_at=taken_at),
        woken=None if again else moved,
    )


async def _hinted(
    told: WebhookHint, *, ports: Ports
) -> tuple[Order | None, Sequence[StoredWebhook]]:
    """Return the order that the message names, and what waits for its task.

    A hint is no evidence: the order must have the task, with the webhook's provider.
    """
    if told.queue_id is None or told.task_id is None:
        return None, []
    order = await ports.store.load(told.queue_id)
    if order is None or not _has(order, told.task_id, told.provider):
        return None, []
    return order, await ports.store.pending_webhooks(told.task_id)


def _is(stored: StoredWebhook, told: WebhookHint) -> bool:
    webhook = stored.webhook
    return (webhook.provider, webhook.event_id) == (told.provider, told.event_id)


def _has(order: Order, task_id: str, provider: str) -> bool:
    tasks = order.queue.tasks
    return any(t.task_id == task_id and t.provider == provider for t in tasks)


async def matching_order(stored: StoredWebhook, *, ports: Ports) -> Order | None:
    """Return the order a webhook is about, if its provider has the task."""
    task_id = stored.webhook.reference
    queue_id = await ports.store.queue_of(task_id)
    order = None if queue_id is None else await ports.store.load(queue_id)
    if order is None or not _has(order, task_id, stored.webhook.provider):
        return None
    return order
