"""Rates as settings write them, ``100/s``, and a bucket that keeps one."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

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
    """Return the rate.

    :raises ValueError: it is none; says the form.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a rate like 100/s, 600/m or 5000/h")
    return Rate(int(found[1]), _PERIODS[found[2]])


class TokenBucket:
    """Lets so many a second through, and as many at once as it holds; for one process.

    ``elapsed`` tells seconds that only grow.
    """

    def __init__(
        self,
        elapsed: Callable[[], float],
        *,
        a_second: float,
        most: float,
        tokens: float = 0.0,
    ) -> None:
        self._elapsed = elapsed
        self._a_second = a_second
        self._most = most
        self._tokens = tokens
        self._filled_at = elapsed()

    @classmethod
    def full(cls, rate: Rate, elapsed: Callable[[], float]) -> Self:
        """Return one that lets all of a period's through at once, to begin with."""
        most = float(rate.count)
        return cls(elapsed, a_second=rate.a_second, most=most, tokens=most)

    @property
    def a_second(self) -> float:
        """How many come in a second."""
        return self._a_second

    @property
    def is_full(self) -> bool:
        """True where nobody has taken any for a while."""
        self._fill()
        return self._tokens >= self._most

    def change(self, *, a_second: float, most: float) -> None:
        """Fill and hold otherwise from now on."""
        self._fill()
        self._a_second = a_second
        self._most = most

    def take(self) -> bool:
        """Take one token; False where none is left."""
        self._fill()
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def overdraw(self) -> None:
        """Take one whether it is there or not: who comes next waits for it."""
        self._fill()
        self._tokens -= 1.0

    def wait(self) -> float:
        """Return the seconds until there is one; infinite where none come."""
        self._fill()
        missing = max(0.0, 1.0 - self._tokens)
        return missing / self._a_second if self._a_second else math.inf

    def _fill(self) -> None:
        now = self._elapsed()
        grown = self._tokens + (now - self._filled_at) * self._a_second
        self._tokens = min(grown, self._most)
        self._filled_at = now
