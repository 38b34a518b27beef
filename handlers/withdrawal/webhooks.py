"""What a provider's webhook means for a payout."""

from typing import Final

from fsm.domain.orders import Order
from fsm.domain.webhook_events import (
    FORWARDED,
    FORWARDER,
    UNREADABLE,
    WebhookEvent,
    WebhookEventType,
)
from fsm.engine.steps import Event
from fsm.engine.words import Source, as_theirs
from fsm.payout.words import Trigger

TRIGGERS: Final = {
    WebhookEventType.SUCCEEDED: Trigger.PAID,
    WebhookEventType.FAILED: Trigger.DECLINED,
    WebhookEventType.ACCEPTED: Trigger.ACCEPTED,
    WebhookEventType.RETURNED: Trigger.RETURNED,
}


def event_of_webhook(webhook: WebhookEvent, order: Order) -> Event | None:
    """Return what a webhook means; None where its type is unknown to us.

    What was said under an id that had said something else is no place in the
    provider's own order either.
    """
    trigger = TRIGGERS.get(webhook.type)
    if trigger is None:
        return None
    evidence: dict[str, object] = {
        "event_id": webhook.event_id.strip(),
        "type": webhook.type.value,
    }
    disputed = webhook.seen_as is not None
    if disputed:
        evidence["seen_as"] = webhook.seen_as
    if webhook.sequence is not None:
        evidence["sequence"] = webhook.sequence
    differs = differing(order, webhook.amount, webhook.currency)
    if unreadable := webhook.detail.get(UNREADABLE):
        # What cannot be compared does not agree.
        differs |= {UNREADABLE: unreadable}
    if differs:
        trigger = Trigger.MISMATCHED
    by = webhook.detail.get(FORWARDED)
    return Event(
        trigger=trigger,
        source=Source.WEBHOOK,
        actor=f"provider:{webhook.provider}" if by is None else f"{FORWARDER}{by}",
        code="amount_mismatch" if differs else as_theirs(webhook.code),
        message=webhook.message,
        reference=None if differs else webhook.provider_reference,
        # A return counts by when it was told, however late it is looked at.
        asked_at=webhook.received_at if trigger is Trigger.RETURNED else None,
        sequence=None if disputed else webhook.sequence,
        disputed=disputed,
        content=webhook.content_hash.hex() or None,
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
    money = order.require_money()
    if amount is not None and amount != money.amount:
        said["amount"] = amount
    if currency is not None and currency != money.currency:
        said["currency"] = currency
    return said
