"""Reads the dates and times that people and programs search by, in UTC.

The API and the command line read them with this, so that one text is one moment.
"""

import re
from datetime import datetime
from typing import Final

from fsm.domain.durations import parse_duration
from fsm.domain.text import parse_time

FORMS: Final = (
    "2026-01-31T23:59:59Z, with an offset 2026-02-01T01:59:59+02:00, a day in UTC "
    "2026-01-31 (from its first moment), or 2h for two hours ago"
)
ZONELESS: Final = "says no zone: write Z for UTC at its end, or an offset like +02:00"
UPSIDE_DOWN: Final = "is after the end of the time that is asked for"

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_CLOCK: Final = re.compile(
    rf"({_DAY.pattern})[Tt ]"
    r"([0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?)([Zz]|[+\- ][0-9]{2}:[0-9]{2})?",
    re.ASCII,
)
_AGO: Final = re.compile(r"[0-9]{1,9}(?:ms|s|m|h|d)", re.ASCII)


def read_moment(text: str, now: datetime) -> datetime:
    """Return the moment in UTC: a time, the first one of a day, or how long ago.

    A space stands for the T between day and clock, and for a plus: one that nobody
    escaped in an address arrives as that.

    :raises ValueError: it is none, or says no zone; says the forms.
    """
    if _AGO.fullmatch(text):
        return now - parse_duration(text)
    if _DAY.fullmatch(text):
        return parse_time(f"{text}T00:00:00Z")
    found = _CLOCK.fullmatch(text)
    if found is None:
        raise ValueError(f"is not a time like {FORMS}")
    day, clock, zone = found.groups()
    if zone is None:
        raise ValueError(ZONELESS)
    return parse_time(f"{day}T{clock}{zone.replace(' ', '+')}")


def require_order(since: datetime | None, until: datetime | None) -> None:
    """Let pass a time that begins before it ends, or has only one of both.

    :raises ValueError: it would hold nothing, whatever there is.
    """
    if since is not None and until is not None and since > until:
        raise ValueError(UPSIDE_DOWN)
