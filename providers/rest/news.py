"""Reads the default webhook body (contract, section 7): pure, and never a guess."""

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

Body = Mapping[str, object]

_TYPES: Final = {kind.value: kind for kind in NewsType}
_UNKNOWN: Final = NewsType.UNKNOWN


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
