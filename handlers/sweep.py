"""Rings again for what nobody came for: rows, and webhooks in the inbox."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import orjson

from fsm.domain.ids import derived_id
from fsm.domain.letters import DeadLetter, Reason
from fsm.domain.messages import (
    WEBHOOK_RECEIVED,
    Message,
    queue_doorbell,
    task_doorbell,
)
from fsm.domain.news import NEWS_KEPT, NewsState
from fsm.domain.orders import Order
from fsm.engine.records import replace
from handlers.letters import copy_of
from handlers.ports.bus import Publisher
from handlers.ports.clock import Clock
from handlers.ports.store import Store, StoredNews, Sweepable
from handlers.work import traced

BATCH: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep rang for; ``foreign`` counts what it has forgotten, by provider.

    ``full`` where more may be waiting than one sweep takes.
    """

    rows: int
    news: int
    expired: int = 0
    foreign: Mapping[str, int] = field(default_factory=dict)
    full: bool = False


async def sweep(
    *,
    rows: Sweepable,
    store: Store,
    publisher: Publisher,
    clock: Clock,
    grace: timedelta,
    limit: int = BATCH,
) -> Swept:
    """Ring for everything overdue by ``grace``; a missing ring costs one sweep.

    What nobody's task ever came for is given up first: looking at it puts it off.
    """
    expired = await rows.expired_news(after=NEWS_KEPT, limit=BATCH)
    for stored in expired:
        letter = letter_of_news(stored, clock.now())
        await store.bury(letter, [copy_of(letter, {})])
        await store.close_news(stored.inbox_id, NewsState.DEAD)
    foreign = await rows.forget_foreign(after=NEWS_KEPT, limit=BATCH)
    rung = await ring_overdue(
        rows=rows, publisher=publisher, clock=clock, grace=grace, limit=limit
    )
    full = rung.full or max(len(expired), sum(foreign.values())) >= BATCH
    return replace(rung, expired=len(expired), foreign=foreign, full=full)


async def ring_overdue(
    *,
    rows: Sweepable,
    publisher: Publisher,
    clock: Clock,
    grace: timedelta,
    limit: int = BATCH,
) -> Swept:
    """Ring for up to ``limit`` rows and as many webhooks overdue by ``grace``.

    A worker gives itself for the publisher, where nobody can publish.
    """
    orders = await rows.overdue(grace=grace, limit=limit)
    news = await rows.overdue_news(grace=grace, limit=limit)
    now = clock.now()
    again = f"sweep:{int(now.timestamp() * 1000)}"
    # Rung rows bear the database's time, which may be ahead of this machine's.
    soon = now + grace
    bells = [bell for order in orders for bell in _bells(order, soon, again)]
    await publisher.publish([*bells, *(_news_bell(n, again) for n in news)])
    return Swept(
        rows=len(bells), news=len(news), full=max(len(orders), len(news)) >= limit
    )


def _bells(order: Order, now: datetime, again: str) -> list[Message]:
    due = [task_doorbell(t, now, again=again) for t in order.queue.tasks if t.due(now)]
    if order.queue.due(now):
        due.append(queue_doorbell(order.queue, again=again))
    return [traced(bell, order.trace_parent) for bell in due if bell is not None]


def _news_bell(stored: StoredNews, again: str) -> Message:
    body = {"provider": stored.news.provider, "event_id": stored.news.event_id}
    cause = f"news:{stored.news.provider}:{stored.news.event_id}"
    return Message(
        subject=WEBHOOK_RECEIVED,
        body=orjson.dumps(body),
        message_id=f"{cause}:{again}",
    )


def letter_of_news(stored: StoredNews, now: datetime) -> DeadLetter:
    """Return the letter of a webhook that no task is there for."""
    news = stored.news
    body = {
        "provider": news.provider,
        "event_id": news.event_id,
        "type": news.type.value,
        "reference": news.reference,
        "provider_reference": news.provider_reference,
        "amount": news.amount,
        "currency": news.currency,
        "code": news.code,
    }
    return DeadLetter(
        id=derived_id("letter", "news", news.provider, news.event_id),
        subject=WEBHOOK_RECEIVED,
        reason=Reason.UNKNOWN_TASK,
        error=f"no task {news.reference!r} of {news.provider} in {NEWS_KEPT.days} days",
        deliveries=0,
        body=orjson.dumps(body),
        headers={},
        at=now,
        task_id=news.task_id,
    )
