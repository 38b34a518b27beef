"""Reads the default webhook body (contract, section 7): pure, and never a guess."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from payment_service.domain.news import News, NewsType
from payment_service.reading import (
    UnreadableField,
    amount_in,
    code_in,
    currency_in,
    identifier_in,
    message_in,
    shortened,
)
from payment_service.wire.text import parse_time

Body = Mapping[str, object]

_TYPES: Final = {kind.value: kind for kind in NewsType}
_UNKNOWN: Final = NewsType.UNKNOWN
_DIGITS: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
SEQUENCE_MAX: Final = 2**63 - 1
MICROSECONDS: Final = 1_000_000


def read_news(
    provider: str, event_id: str | None, body: Body, now: datetime
) -> News | None:
    """Return what a verified webhook says; None without an event or a reference.

    One that cannot be compared with its task is UNKNOWN: it is kept, and settles
    nothing.
    """
    event = event_id or identifier_in(body, "id")
    reference = identifier_in(body, "reference")
    if event is None or reference is None:
        return None
    kind, amount, currency, detail = _content(body)
    return News(
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


def _content(
    body: Body,
) -> tuple[NewsType, int | None, str | None, Mapping[str, object]]:
    try:
        amount, currency = amount_in(body), currency_in(body)
    except UnreadableField as error:
        detail = {"type": _said(body), "unreadable": str(error)}
        return _UNKNOWN, None, None, detail
    kind = _type(body.get("type"))
    detail = {"type": _said(body)} if kind is _UNKNOWN else {}
    return kind, amount, currency, detail


def _type(word: object) -> NewsType:
    return _TYPES.get(word, _UNKNOWN) if isinstance(word, str) else _UNKNOWN


def _said(body: Body) -> str | None:
    word = body.get("type")
    return shortened(word) if isinstance(word, str) else None
