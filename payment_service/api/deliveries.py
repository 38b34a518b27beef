"""Reads what a signed delivery says: every event of it, and the odd ones by name."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from fsm.domain.errors import InvalidRequest
from fsm.domain.foreign_json import read_foreign
from fsm.domain.masking import masked_prose
from fsm.domain.reading import shortened
from fsm.domain.text import is_id
from fsm.domain.webhook_events import WebhookEvent, WebhookEventType, hash_of_content
from handlers.ports.provider import Provider, Verified
from providers.events import EventFields, Events, Headers, bounded

NO_OBJECT: Final = "it is no object"
NO_REFERENCE: Final = "it has no reference that can be read"
FOREIGN: Final = "its reference is none of ours"
FIELDS_MAX: Final = 20
FIELD_LENGTH_MAX: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredEvent:
    """One event as it will be stored; ``idle`` says why it is of no use to us."""

    webhook: WebhookEvent
    idle: str | None = None


def read_delivery(
    provider: Provider,
    events: Events,
    verified: Verified,
    headers: Headers,
    body: bytes,
    now: datetime,
) -> Sequence[DeliveredEvent]:
    """Return the events of a delivery; none where it says nothing, as a ping does.

    An event that cannot be read is heard as one of no use where it came among others:
    it must not stop them, and would come again with them for ever.

    :raises InvalidRequest: it is no JSON, or its only event cannot be read.
    :raises TooManyEvents: there are more than one transaction is to have.
    """
    if not body.strip():
        return []
    told = events.of(verified, headers, read_foreign(body))
    heard = [_heard(provider, one, now, alone=len(told) == 1) for one in told]
    digest = hashlib.sha256(body).digest()
    stored = [replace(h, webhook=replace(h.webhook, body_hash=digest)) for h in heard]
    # A request has no order of its own, and what came back was paid before.
    return sorted(
        stored, key=lambda each: each.webhook.type is WebhookEventType.RETURNED
    )


def _heard(
    provider: Provider, told: EventFields, now: datetime, *, alone: bool
) -> DeliveredEvent:
    try:
        webhook, idle = _read(provider, told, now)
    except InvalidRequest as odd:
        if alone:
            raise
        webhook, idle = None, odd.problem
    if webhook is None:
        webhook = _nothing_of_ours(provider.name, told, now, because=idle)
    said = told.body if isinstance(told.body, Mapping) else {"event": told.body}
    return DeliveredEvent(
        webhook=replace(webhook, content_hash=hash_of_content(webhook, said)), idle=idle
    )


def _read(
    provider: Provider, told: EventFields, now: datetime
) -> tuple[WebhookEvent | None, str | None]:
    """Return what an event says, and why that is of no use to us."""
    body = told.body
    if not isinstance(body, Mapping):
        return None, NO_OBJECT
    webhook = provider.read_webhook(told.event_id, body, now)
    if webhook is None and told.event_id is None:
        # What has no id is known by what it says.
        webhook = provider.read_webhook(told.digest, body, now)
    if webhook is None or not is_id(webhook.reference):
        return None, NO_REFERENCE
    webhook = replace(webhook, event_id=bounded(webhook.event_id))
    return webhook, None if webhook.task_id is not None else FOREIGN


def _nothing_of_ours(
    provider: str, told: EventFields, now: datetime, *, because: str | None
) -> WebhookEvent:
    """Return an event for people's eyes: the names of its fields, and no value."""
    names = sorted(told.body)[:FIELDS_MAX] if isinstance(told.body, Mapping) else []
    fields = [shortened(masked_prose(name))[:FIELD_LENGTH_MAX] for name in names]
    return WebhookEvent(
        provider=provider,
        event_id=told.event_id or told.digest,
        type=WebhookEventType.UNKNOWN,
        reference="",
        received_at=now,
        detail={"because": because, "fields": fields},
    )
