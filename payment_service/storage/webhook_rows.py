"""Webhook rows: the inbox's rows to and from what a provider has said; pure."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

from fsm.domain.binding import Signature
from fsm.domain.webhook_events import WebhookEvent, WebhookEventState, WebhookEventType
from handlers.ports.store import StoredWebhook
from payment_service.storage.rows import Json, hexed


def webhook_row(webhook: WebhookEvent) -> Json:
    """Write a webhook."""
    return {
        "provider": webhook.provider,
        "event_id": webhook.event_id,
        "type": webhook.type,
        "reference": webhook.reference,
        "task_id": webhook.task_id,
        "provider_reference": webhook.provider_reference,
        "amount": webhook.amount,
        "currency": webhook.currency,
        "code": webhook.code,
        "message": webhook.message,
        "detail": dict(webhook.detail),
        "body_hash": hexed(webhook.body_hash),
        "content_hash": hexed(webhook.content_hash),
        "sequence": webhook.sequence,
        "seen_as": webhook.seen_as,
        "signed_by": webhook.signature.key_id,
        "signature": hexed(webhook.signature.mac),
        "received_at": webhook.received_at,
    }


WEBHOOK_TYPES: Final = [each.value for each in WebhookEventType]
"""What a webhook may be for this version to read it."""


def webhook_from(row: tuple[Any, ...]) -> StoredWebhook:
    """Read a webhook."""
    return StoredWebhook(
        inbox_id=row[0],
        state=WebhookEventState(row[1]),
        webhook=WebhookEvent(
            provider=row[2],
            event_id=row[3],
            type=WebhookEventType(row[4]),
            reference=row[5],
            provider_reference=row[6],
            amount=row[7],
            currency=row[8],
            code=row[9],
            message=row[10],
            received_at=row[11],
            body_hash=bytes(row[12]),
            detail=row[13],
            content_hash=bytes(row[14]),
            sequence=row[15],
            seen_as=row[16],
            signature=Signature(row[17], bytes(row[18])),
        ),
        repeats=row[19:20] == (True,),
    )


def webhooks_from(rows: Iterable[tuple[Any, ...]]) -> Sequence[StoredWebhook]:
    """Read webhooks; one with a word of another version is left to that version."""
    found = []
    for row in rows:
        with suppress(ValueError):
            found.append(webhook_from(row))
    return found
