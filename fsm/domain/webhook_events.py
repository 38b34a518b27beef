"""News from providers: what a webhook says, as the inbox keeps it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import orjson

from fsm.domain.binding import UNSIGNED, Signature
from fsm.domain.ids import is_made_here
from fsm.domain.odd import Odd

UNREADABLE: Final = "unreadable"
"""In the detail of news: what must agree with the task and cannot be read."""

WEBHOOKS_KEPT: Final = timedelta(days=7)
"""For how long a webhook waits for the task that it is about."""

HASHED: Final = "sha256:"
"""Begins the id of an event that is told apart by what it says."""

FORWARDER: Final = "forwarder:"
"""Begins the name of an actor that spoke on the bus, for a provider or a person."""

FORWARDED: Final = "forwarded_by"
"""In the detail of news: who of our own services has vouched for it on the bus."""


class WebhookEventType(StrEnum):
    """What a provider can say unasked; UNKNOWN is kept and never acted on."""

    SUCCEEDED = "payout.succeeded"
    FAILED = "payout.failed"
    ACCEPTED = "payout.accepted"
    RETURNED = "payout.returned"
    UNKNOWN = "unknown"

    @property
    def moved_money(self) -> bool:
        """True where money is said to have gone, or to have come back."""
        return self in {WebhookEventType.SUCCEEDED, WebhookEventType.RETURNED}


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEvent:
    """One webhook, stored once for ever by (provider, event_id).

    ``reference`` is empty where none could be read. ``content_hash`` is the same for
    the same statement under another id; ``sequence`` is the provider's own order of
    what it says about a payout. ``seen_as`` is the event's id where something else was
    stored under it before: such news may open a case, and is never applied. Who has
    verified it has given it its ``signature``: without one it is nobody's word.
    """

    provider: str
    event_id: str
    type: WebhookEventType
    reference: str
    provider_reference: str | None = None
    amount: int | None = None
    currency: str | None = None
    code: str | None = None
    message: str | None = None
    received_at: datetime
    body_hash: bytes = b""
    content_hash: bytes = b""
    sequence: int | None = None
    seen_as: str | None = None
    signature: Signature = UNSIGNED
    detail: Mapping[str, object] = field(default_factory=dict)

    @property
    def task_id(self) -> str | None:
        """The task it may be about; None where no task of ours is ever called so."""
        return self.reference if is_made_here(self.reference) else None


def forwarded(webhook: WebhookEvent, by: str) -> WebhookEvent:
    """Return news as the word of a forwarder, under an id that no provider can send.

    No event's id begins with white space: so whatever is said on the bus, the
    provider's own webhook of that id is still to come.
    """
    return replace(
        webhook,
        event_id=f" forwarded:{by}:{webhook.event_id}",
        detail={**webhook.detail, FORWARDED: by},
    )


class Arrival(StrEnum):
    """What the inbox knew of an event before it came."""

    STORED = "stored"
    SEEN = "seen"
    DIFFERS = "differs"


class WebhookEventState(StrEnum):
    """Where a stored webhook stands."""

    WAITING = "waiting"
    APPLIED = "applied"
    KNOWN = "known"
    IGNORED = "ignored"
    DEAD = "dead"


_DEFAULT_TYPES: Final = frozenset(kind.value for kind in WebhookEventType)


def hash_of_content(webhook: WebhookEvent, body: Mapping[str, object]) -> bytes:
    """Return the hash of all that a webhook says but for the event's own id."""
    told = {
        name: value
        for name, value in body.items()
        if name != "id" or body.get("type") not in _DEFAULT_TYPES
    }
    said = [
        webhook.provider,
        webhook.reference,
        webhook.type,
        webhook.provider_reference,
        webhook.amount,
        webhook.currency,
        webhook.code,
        webhook.message,
        _without(told, webhook.event_id),
    ]
    return digest_of(said)


def digest_of(said: object) -> bytes:
    """Return the hash of anything that was read, in whatever order it was written."""
    return hashlib.sha256(_written(said)).digest()


def _written(said: object) -> bytes:
    try:
        return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        # Half a surrogate pair, a number of more than 64 bits, or what is odd.
        return json.dumps(said, sort_keys=True, default=_of_odd).encode()


def _of_odd(value: object) -> object:
    if isinstance(value, Odd):
        return [value.problem, value.content]
    return str(value)


def differing_facts(first: WebhookEvent, second: WebhookEvent) -> list[str]:
    """Name the facts that two bodies of one event do not agree on.

    When it was sent, how often, and in which words is no fact.
    """
    told, said = _facts(first), _facts(second)
    return [name for name, value in told.items() if value != said[name]]


def disputing(first: WebhookEvent, second: WebhookEvent) -> WebhookEvent:
    """Return the second body of an event as news of its own, which is never applied."""
    said = ["seen again", first.event_id, _facts(second)]
    event_id = f"{HASHED}{digest_of(said).hex()}"
    return replace(second, event_id=event_id, seen_as=first.event_id)


def _facts(webhook: WebhookEvent) -> dict[str, object]:
    return {
        "type": webhook.type,
        "word": webhook.detail.get("type"),
        UNREADABLE: webhook.detail.get(UNREADABLE),
        "reference": webhook.reference,
        "provider_reference": webhook.provider_reference,
        "amount": webhook.amount,
        "currency": webhook.currency,
        "code": webhook.code,
    }


def _without(value: object, event_id: str) -> object:
    if isinstance(value, Mapping):
        return {
            name: _without(each, event_id)
            for name, each in value.items()
            if each != event_id
        }
    if isinstance(value, list):
        return [_without(each, event_id) for each in value]
    return value
