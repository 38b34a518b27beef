"""How long a provider wants to be left alone: ``Retry-After`` (RFC 9110, 10.2.3)."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

from providers.answering import Answer
from providers.http.outbound import Response
from providers.port import NotSent, Unclear

HEEDED: Final = frozenset({429, 503})
SECONDS_MAX: Final = 366 * 24 * 3600
AFTER_MAX: Final = timedelta(minutes=15)
"""The longest wish of who does a checkout's step that is heeded: orders wait for it."""
_SECONDS: Final = re.compile(r"[0-9]{1,9}", re.ASCII)

Said = TypeVar("Said")


def heeding(said: Said, answer: Answer) -> Said:
    """Return what was said with the wish to be left alone, where there is one."""
    if isinstance(answer, Response) and isinstance(said, NotSent | Unclear):
        return replace(said, after=retry_after_asked(answer))
    return said


def retry_after_asked(answer: Response) -> timedelta:
    """Return for how long; zero where nothing, or nothing readable, was asked."""
    told = answer.headers.get("retry-after", "").strip()
    if answer.status not in HEEDED or not told:
        return timedelta(0)
    if _SECONDS.fullmatch(told):
        return timedelta(seconds=min(int(told), SECONDS_MAX))
    until = _date(told)
    if until is None:
        return timedelta(0)
    # By the provider's own clock, which may be another than ours.
    now = _date(answer.headers.get("date", "")) or datetime.now(UTC)
    return min(max(until - now, timedelta(0)), timedelta(seconds=SECONDS_MAX))


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
