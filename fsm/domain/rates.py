"""Rates as settings write them, ``100/s``, and a bucket that keeps one."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

_FORM: Final = re.compile(r"([1-9][0-9]{0,8})/(s|m|h)", re.ASCII)
_PERIODS: Final = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
}


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in a period; as many may come at once."""

    count: int
    period: timedelta

    @property
    def a_second(self) -> float:
        """How many that is in a second."""
        return self.count / self.period.total_seconds()


def parse_rate(text: str) -> Rate:
    """Return the rate, or raise ValueError that says the form."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a rate like 100/s, 600/m or 5000/h")
    return Rate(int(found[1]), _PERIODS[found[2]])


class TokenBucket:
    """Lets ``rate`` through and says no to the rest; for one process."""

    def __init__(self, rate: Rate, elapsed: Callable[[], float]) -> None:
        self._rate = rate
        self._elapsed = elapsed
        self._filled_at = elapsed()
        self._tokens = float(rate.count)

    def take(self) -> bool:
        """Take one token; False where none is left."""
        now = self._elapsed()
        fresh = (now - self._filled_at) / self._rate.period.total_seconds()
        grown = self._tokens + fresh * self._rate.count
        self._tokens = min(float(self._rate.count), grown)
        self._filled_at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
