"""Rings again for what nobody came for: rows, and webhooks in the inbox."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import orjson

from fsm.domain.dead_letters import DeadLetter, Reason
from fsm.domain.ids import derived_id
from fsm.domain.messages import (
    WEBHOOK_RECEIVED,
    Message,
    queue_wakeup,
    task_wakeup,
)
from fsm.domain.orders import Order
from fsm.domain.webhook_events import (
    WEBHOOKS_KEPT,
    WebhookEvent,
    WebhookEventState,
)
from fsm.engine.flow import Rules
from fsm.engine.records import replace
from fsm.flows import RULES
from handlers.dead_letters import copy_of
from handlers.ports.bus import Publisher
from handlers.ports.clock import Clock
from handlers.ports.store import Store, StoredWebhook, Sweepable
from handlers.work import traced

BATCH: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep rang for; ``foreign`` counts what it has forgotten, by provider.

    ``full`` where more may be waiting than one sweep takes.
    """

    rows: int
    webhook: int
    expired: int = 0
    foreign: Mapping[str, int] = field(default_factory=dict)
    full: bool = False


async def sweep(  # noqa: PLR0913 - what it sees, rings with and goes by
    *,
    rows: Sweepable,
    store: Store,
    publisher: Publisher,
    clock: Clock,
    grace: timedelta,
    limit: int = BATCH,
    rules: Rules = RULES,
) -> Swept:
    """Ring for everything overdue by ``grace``; a missing ring costs one sweep.

    What nobody's task ever came for is given up first: looking at it puts it off.
    """
    expired = await rows.expired_webhooks(after=WEBHOOKS_KEPT, limit=BATCH)
    for stored in expired:
        letter = dead_letter_of_webhook(stored, clock.now())
        await store.dead_letter(letter, [copy_of(letter, {})])
        await store.close_webhook(stored.inbox_id, WebhookEventState.DEAD)
    foreign = await rows.forget_foreign(after=WEBHOOKS_KEPT, limit=BATCH)
    woken = await wake_overdue(
        rows=rows,
        publisher=publisher,
        clock=clock,
        grace=grace,
        limit=limit,
        rules=rules,
    )
    full = woken.full or max(len(expired), sum(foreign.values())) >= BATCH
    return replace(woken, expired=len(expired), foreign=foreign, full=full)


async def wake_overdue(
    *,
    rows: Sweepable,
    publisher: Publisher,
    clock: Clock,
    grace: timedelta,
    limit: int = BATCH,
    rules: Rules = RULES,
) -> Swept:
    """Ring for up to ``limit`` rows and as many webhooks overdue by ``grace``.

    A worker gives itself for the publisher, where nobody can publish.
    """
    orders = await rows.overdue(grace=grace, limit=limit)
    webhook = await rows.overdue_webhooks(grace=grace, limit=limit)
    now = clock.now()
    again = f"sweep:{int(now.timestamp() * 1000)}"
    # Woken rows bear the database's time, which may be ahead of this machine's.
    soon = now + grace
    wakeups = [w for order in orders for w in wakeups_of(order, soon, again, rules)]
    heard = [_about(stored.webhook, again) for stored in webhook]
    await publisher.publish([*wakeups, *heard])
    return Swept(
        rows=len(wakeups),
        webhook=len(webhook),
        full=max(len(orders), len(webhook)) >= limit,
    )


def wakeups_of(
    order: Order, now: datetime, again: str, rules: Rules = RULES
) -> list[Message]:
    """Return a wake-up for each row of an order that is due."""
    tasks = [task for task in order.queue.tasks if task.due(now)]
    due = [task_wakeup(task, now, rules, again=again) for task in tasks]
    if order.queue.due(now):
        due.append(queue_wakeup(order.queue, again=again))
    return [traced(wakeup, order.trace_parent) for wakeup in due if wakeup is not None]


def _about(webhook: WebhookEvent, again: str) -> Message:
    return webhook_wakeup(webhook.provider, webhook.event_id, again)


def webhook_wakeup(provider: str, event_id: str, again: str) -> Message:
    """Return the wake-up for a webhook that was stored and not heard."""
    return Message(
        subject=WEBHOOK_RECEIVED,
        body=orjson.dumps({"provider": provider, "event_id": event_id}),
        message_id=f"webhook:{provider}:{event_id}:{again}",
    )


def dead_letter_of_webhook(stored: StoredWebhook, now: datetime) -> DeadLetter:
    """Return the letter of a webhook that no task is there for."""
    webhook = stored.webhook
    body = {
        "provider": webhook.provider,
        "event_id": webhook.event_id,
        "type": webhook.type.value,
        "reference": webhook.reference,
        "provider_reference": webhook.provider_reference,
        "amount": webhook.amount,
        "currency": webhook.currency,
        "code": webhook.code,
    }
    return DeadLetter(
        id=derived_id("letter", "webhook", webhook.provider, webhook.event_id),
        subject=WEBHOOK_RECEIVED,
        reason=Reason.UNKNOWN_TASK,
        error=f"no task {webhook.reference!r} of {webhook.provider} "
        f"in {WEBHOOKS_KEPT.days} days",
        deliveries=0,
        body=orjson.dumps(body),
        headers={},
        at=now,
        task_id=webhook.task_id,
    )
