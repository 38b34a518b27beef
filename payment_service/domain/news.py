"""News from providers: what a webhook says, as the inbox keeps it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

import orjson

from payment_service.domain.odd import Odd

UNREADABLE: Final = "unreadable"
"""In the detail of news: what must agree with the task and cannot be read."""


class NewsType(StrEnum):
    """What a provider can say unasked; UNKNOWN is kept and never acted on."""

    SUCCEEDED = "payout.succeeded"
    FAILED = "payout.failed"
    ACCEPTED = "payout.accepted"
    RETURNED = "payout.returned"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One webhook, stored once for ever by (provider, event_id).

    ``content_hash`` is the same for the same statement under another id; ``sequence``
    is the provider's own order of what it says about a payout.
    """

    provider: str
    event_id: str
    type: NewsType
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
    detail: Mapping[str, object] = field(default_factory=dict)


class NewsState(StrEnum):
    """Where a stored webhook stands."""

    WAITING = "waiting"
    APPLIED = "applied"
    KNOWN = "known"
    IGNORED = "ignored"
    DEAD = "dead"


_DEFAULT_TYPES: Final = frozenset(kind.value for kind in NewsType)


def hash_of_content(news: News, body: Mapping[str, object]) -> bytes:
    """Return the hash of all that a webhook says but for the event's own id."""
    told = {
        name: value
        for name, value in body.items()
        if name != "id" or body.get("type") not in _DEFAULT_TYPES
    }
    said = [
        news.provider,
        news.reference,
        news.type,
        news.provider_reference,
        news.amount,
        news.currency,
        news.code,
        news.message,
        _without(told, news.event_id),
    ]
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
