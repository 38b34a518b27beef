"""Reads what a signed delivery says: every event of it, and the odd ones by name."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from fsm.domain.errors import InvalidRequest
from fsm.domain.foreign_json import read_foreign
from fsm.domain.masking import masked_prose
from fsm.domain.news import News, NewsType, hash_of_content
from fsm.domain.reading import shortened
from fsm.domain.text import is_id
from handlers.ports.provider import Provider, Verified
from providers.events import Events, Headers, Told, bounded

NO_OBJECT: Final = "it is no object"
NO_REFERENCE: Final = "it has no reference that can be read"
FOREIGN: Final = "its reference is none of ours"
FIELDS_MAX: Final = 20
FIELD_LENGTH_MAX: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One event as it will be stored; ``idle`` says why it is of no use to us."""

    news: News
    idle: str | None = None


def read_delivery(
    provider: Provider,
    events: Events,
    verified: Verified,
    headers: Headers,
    body: bytes,
    now: datetime,
) -> Sequence[Heard]:
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
    stored = [replace(h, news=replace(h.news, body_hash=digest)) for h in heard]
    # A request has no order of its own, and what came back was paid before.
    return sorted(stored, key=lambda each: each.news.type is NewsType.RETURNED)


def _heard(provider: Provider, told: Told, now: datetime, *, alone: bool) -> Heard:
    try:
        news, idle = _read(provider, told, now)
    except InvalidRequest as odd:
        if alone:
            raise
        news, idle = None, odd.problem
    if news is None:
        news = _nothing_of_ours(provider.name, told, now, because=idle)
    said = told.body if isinstance(told.body, Mapping) else {"event": told.body}
    return Heard(
        news=replace(news, content_hash=hash_of_content(news, said)), idle=idle
    )


def _read(
    provider: Provider, told: Told, now: datetime
) -> tuple[News | None, str | None]:
    """Return what an event says, and why that is of no use to us."""
    body = told.body
    if not isinstance(body, Mapping):
        return None, NO_OBJECT
    news = provider.read_news(told.event_id, body, now)
    if news is None and told.event_id is None:
        # What has no id is known by what it says.
        news = provider.read_news(told.digest, body, now)
    if news is None or not is_id(news.reference):
        return None, NO_REFERENCE
    news = replace(news, event_id=bounded(news.event_id))
    return news, None if news.task_id is not None else FOREIGN


def _nothing_of_ours(
    provider: str, told: Told, now: datetime, *, because: str | None
) -> News:
    """Return an event for people's eyes: the names of its fields, and no value."""
    names = sorted(told.body)[:FIELDS_MAX] if isinstance(told.body, Mapping) else []
    fields = [shortened(masked_prose(name))[:FIELD_LENGTH_MAX] for name in names]
    return News(
        provider=provider,
        event_id=told.event_id or told.digest,
        type=NewsType.UNKNOWN,
        reference="",
        received_at=now,
        detail={"because": because, "fields": fields},
    )
