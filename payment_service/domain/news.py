"""News from providers: what a webhook says, as the inbox keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class NewsType(StrEnum):
    """What a provider can say unasked; UNKNOWN is kept and never acted on."""

    SUCCEEDED = "payout.succeeded"
    FAILED = "payout.failed"
    ACCEPTED = "payout.accepted"
    RETURNED = "payout.returned"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One webhook, stored once for ever by (provider, event_id)."""

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
    detail: Mapping[str, object] = field(default_factory=dict)


class NewsState(StrEnum):
    """Where a stored webhook stands."""

    WAITING = "waiting"
    APPLIED = "applied"
    KNOWN = "known"
    IGNORED = "ignored"
    DEAD = "dead"
