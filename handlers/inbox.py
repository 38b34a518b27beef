"""Applies what providers say by webhook to the tasks it is about."""

from collections.abc import Collection, Sequence
from typing import Final

from fsm.domain.erasure import is_erased, without_words
from fsm.domain.orders import Order
from fsm.domain.seals import signed_webhook, webhook_is_signed
from fsm.domain.webhook_events import (
    Arrival,
    WebhookEvent,
    WebhookEventState,
)
from fsm.engine.records import replace
from fsm.engine.steps import Known, Step, Wait
from handlers.commit import Contended, Ports, apply
from handlers.ports.store import StoredWebhook
from handlers.sound import UnknownKey, case_of

MARKS_MAX: Final = 10


async def keep(*events: WebhookEvent, ports: Ports) -> Sequence[Arrival]:
    """Store what somebody has verified, signed so that it is known again as that."""
    signed = (signed_webhook(webhook, ports.keys) for webhook in events)
    return await ports.store.store_webhooks(*signed)


async def apply_webhook(order: Order, stored: StoredWebhook, *, ports: Ports) -> Order:
    """Commit what one stored webhook means; return the order as it is then.

    What is too early stays in the inbox, and the task's row says so.
    """
    stored = await _forgotten(order, stored, ports)
    if not webhook_is_signed(stored.webhook, ports.keys):
        await _refuse(order, stored, ports)
        return order
    event = ports.flow_of(order).heard(stored.webhook, order)
    if event is None:
        await ports.store.close_webhook(stored.inbox_id, WebhookEventState.IGNORED)
        return order
    if stored.repeats:
        known = _after(stored.webhook, WebhookEventState.KNOWN)
        await ports.store.close_webhook(stored.inbox_id, known)
        return order
    task_id = stored.webhook.reference
    for _ in range(MARKS_MAX):
        applied = await apply(
            order,
            task_id,
            event,
            ports=ports,
            webhooks={stored.inbox_id: _after(stored.webhook)},
        )
        match applied.decision:
            case Step():
                return applied.order
            case Known():
                await ports.store.close_webhook(
                    stored.inbox_id, _after(stored.webhook, WebhookEventState.KNOWN)
                )
                return applied.order
            case Wait():
                version = applied.order.task(task_id).version
                if await ports.store.mark_waiting(task_id, version):
                    return applied.order
                order = await ports.store.load(order.queue_id) or order
    raise Contended(f"task {task_id} moved {MARKS_MAX} times")


async def _forgotten(
    order: Order, stored: StoredWebhook, ports: Ports
) -> StoredWebhook:
    """Forget a provider's own words about an order that was erased, and go on.

    First of all: who dies after the step would leave them where nobody looks again.
    """
    if not is_erased(order):
        return stored
    await ports.store.forget_words(stored.inbox_id)
    return replace(stored, webhook=without_words(stored.webhook))


async def _refuse(order: Order, stored: StoredWebhook, ports: Ports) -> None:
    """Open a case about a row of the inbox that no verified webhook is in.

    :raises UnknownKey: that cannot be told here.
    """
    webhook = stored.webhook
    if webhook.signature.key_id and webhook.signature.key_id not in ports.keys:
        raise UnknownKey(webhook.signature.key_id)
    what = f"nobody has sent the webhook {webhook.event_id!r} of {webhook.provider} so"
    case = case_of(
        order.task(webhook.reference), what, f"{webhook.provider}:{webhook.event_id}"
    )
    await ports.store.open_case(order, case, ports.clock.now())
    await ports.store.close_webhook(stored.inbox_id, WebhookEventState.IGNORED)


async def apply_waiting(
    order: Order, task_ids: Collection[str], *, ports: Ports
) -> Order:
    """Apply the webhooks that waited for these tasks to be ready."""
    for task_id in task_ids:
        waiting = await ports.store.pending_webhooks(task_id)
        order = await apply_all(order, waiting, ports=ports)
    return order


async def apply_all(
    order: Order, waiting: Sequence[StoredWebhook], *, ports: Ports
) -> Order:
    """Apply webhooks of one task, in the provider's own order where it has one."""
    for stored in _in_order(waiting):
        order = await apply_webhook(order, stored, ports=ports)
    return order


def _after(
    webhook: WebhookEvent, heard: WebhookEventState = WebhookEventState.APPLIED
) -> WebhookEventState:
    """Return what becomes of news that was heard; a disputed one never counts as so."""
    return heard if webhook.seen_as is None else WebhookEventState.IGNORED


def _in_order(waiting: Sequence[StoredWebhook]) -> Sequence[StoredWebhook]:
    """Return what waits in the provider's own order where it has one for all."""
    numbered = [(each.webhook.sequence, each) for each in waiting]
    if any(number is None for number, _ in numbered):
        return waiting
    return sorted(waiting, key=lambda each: each.webhook.sequence or 0)
