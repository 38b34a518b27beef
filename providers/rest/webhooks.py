"""Reads the default webhook body (contract, section 7): pure, and never a guess."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from fsm.domain.odd import Odd
from fsm.domain.reading import (
    code_in,
    identifier_in,
    message_in,
    money_in,
    shortened,
    shown,
)
from fsm.domain.text import parse_time
from fsm.domain.webhook_events import UNREADABLE, WebhookEvent, WebhookEventType
from providers.config.places import Place, require_clear
from providers.rest.requests import ours

Body = Mapping[str, object]

_TYPES: Final = {kind.value: kind for kind in WebhookEventType}
_READ: Final = (Place(("type",)), Place(("reference",)))
_NAMED: Final = (Place(("id",)), *_READ)
_UNKNOWN: Final = WebhookEventType.UNKNOWN
_DIGITS: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
SEQUENCE_MAX: Final = 2**63 - 1
MICROSECONDS: Final = 1_000_000


def read_webhook(
    provider: str, event_id: str | None, body: Body, now: datetime
) -> WebhookEvent | None:
    """Return what a verified webhook says; None without an event or a reference.

    Money that cannot be read contradicts the task: it stands in the detail as
    unreadable, and what the event means settles nothing.

    :raises InvalidRequest: something that is neither money nor a message is odd.
    """
    require_clear(_NAMED if event_id is None else _READ, body)
    event = event_id or identifier_in(body, "id")
    reference = identifier_in(body, "reference")
    if event is None or reference is None:
        return None
    reference = ours(reference, "uuid")
    kind = _type(body.get("type"))
    detail: dict[str, object] = {"type": _said(body)} if kind is _UNKNOWN else {}
    amount, currency, unreadable = money_in(body, kind)
    if isinstance(other := body.get("provider_reference"), Odd):
        unreadable["provider_reference"] = shown(other)
    if unreadable:
        detail[UNREADABLE] = unreadable
    return WebhookEvent(
        provider=provider,
        event_id=event,
        type=kind,
        reference=reference,
        provider_reference=identifier_in(body, "provider_reference"),
        amount=amount,
        currency=currency,
        code=code_in(body),
        message=message_in(body),
        received_at=now,
        detail=detail,
    )


def sequence_of(said: object) -> int | None:
    """Return a provider's place in order: a number, digits, or a time.

    None where it is anything else: such a webhook counts by when it came.
    """
    if isinstance(said, str):
        try:
            return int(parse_time(said).timestamp() * MICROSECONDS)
        except ValueError:
            said = int(said) if _DIGITS.fullmatch(said) else None
    if not isinstance(said, int) or isinstance(said, bool):
        return None
    return said if abs(said) <= SEQUENCE_MAX else None


def _type(word: object) -> WebhookEventType:
    return _TYPES.get(word, _UNKNOWN) if isinstance(word, str) else _UNKNOWN


def _said(body: Body) -> str | None:
    word = body.get("type")
    return shortened(word) if isinstance(word, str) else None
