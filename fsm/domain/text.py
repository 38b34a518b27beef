"""What a string may be: an id, a reason, a time."""

import re
from datetime import UTC, datetime
from typing import Final

from fsm.domain.ids import ID_LENGTH_MAX

REASON_LENGTH_MAX: Final = 2000

_NEVER: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NEVER_IN_PROSE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)


def is_id(text: str, length_max: int = ID_LENGTH_MAX) -> bool:
    """True for 1 to ``length_max`` plain characters without white space at the ends."""
    return (
        0 < len(text) <= length_max
        and _NEVER.search(text) is None
        and text.strip() == text
    )


def is_reason(text: str) -> bool:
    """True for a sentence that a person wrote: lines are fine, controls are not."""
    return (
        len(text) <= REASON_LENGTH_MAX
        and bool(text.strip())
        and _NEVER_IN_PROSE.search(text) is None
    )


def parse_time(text: str) -> datetime:
    """Return an RFC 3339 time in UTC.

    :raises ValueError: it is none; says the form.
    """
    if _TIME.fullmatch(text) is None:
        raise ValueError("not a time like 2026-01-31T23:59:59Z")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("not a time that exists") from None
