"""Durations as settings write them: ``250ms``, ``30s``, ``15m``, ``2h``, ``3d``."""

import re
from datetime import timedelta
from typing import Final

_UNITS: Final = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_FORM: Final = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)", re.ASCII)
DURATION_MAX: Final = timedelta(days=366)


def parse_duration(text: str) -> timedelta:
    """Return the duration.

    :raises ValueError: it is none; says the form.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a duration like 250ms, 30s, 15m, 2h or 3d")
    length = int(found[1]) * _UNITS[found[2]]
    if length > DURATION_MAX:
        raise ValueError(f"{text!r} is longer than 366 days")
    return length


def format_duration(length: timedelta) -> str:
    """Write a duration in the largest unit that loses nothing."""
    for unit in ("d", "h", "m", "s"):
        if length and length % _UNITS[unit] == timedelta(0):
            return f"{length // _UNITS[unit]}{unit}"
    return f"{length // _UNITS['ms']}ms"
