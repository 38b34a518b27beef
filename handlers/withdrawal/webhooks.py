"""What a provider's webhook means for a payout."""

from typing import Final

from fsm.domain.news import FORWARDED, FORWARDER, UNREADABLE, News, NewsType
from fsm.domain.orders import Order
from fsm.engine.steps import Event
from fsm.engine.words import Source
from fsm.payout.words import Trigger

TRIGGERS: Final = {
    NewsType.SUCCEEDED: Trigger.PAID,
    NewsType.FAILED: Trigger.DECLINED,
    NewsType.ACCEPTED: Trigger.ACCEPTED,
    NewsType.RETURNED: Trigger.RETURNED,
}


def event_of_news(news: News, order: Order) -> Event | None:
    """Return what a webhook means; None where its type is unknown to us.

    What was said under an id that had said something else is no place in the
    provider's own order either.
    """
    trigger = TRIGGERS.get(news.type)
    if trigger is None:
        return None
    evidence: dict[str, object] = {
        "event_id": news.event_id.strip(),
        "type": news.type.value,
    }
    disputed = news.seen_as is not None
    if disputed:
        evidence["seen_as"] = news.seen_as
    if news.sequence is not None:
        evidence["sequence"] = news.sequence
    differs = differing(order, news.amount, news.currency)
    if unreadable := news.detail.get(UNREADABLE):
        # What cannot be compared does not agree.
        differs |= {UNREADABLE: unreadable}
    if differs:
        trigger = Trigger.MISMATCHED
    by = news.detail.get(FORWARDED)
    return Event(
        trigger=trigger,
        source=Source.WEBHOOK,
        actor=f"provider:{news.provider}" if by is None else f"{FORWARDER}{by}",
        code="amount_mismatch" if differs else news.code,
        message=news.message,
        reference=None if differs else news.provider_reference,
        # A return counts by when it was told, however late it is looked at.
        asked_at=news.received_at if trigger is Trigger.RETURNED else None,
        sequence=None if disputed else news.sequence,
        disputed=disputed,
        content=news.content_hash.hex() or None,
        detail={
            **({} if by is None else {"forwarded": True}),
            "evidence": {**evidence, **differs},
        },
    )


def differing(
    order: Order, amount: int | None, currency: str | None
) -> dict[str, object]:
    """Return what a provider says otherwise than the order; empty where it agrees."""
    said: dict[str, object] = {}
    if amount is not None and amount != order.money.amount:
        said["amount"] = amount
    if currency is not None and currency != order.money.currency:
        said["currency"] = currency
    return said
