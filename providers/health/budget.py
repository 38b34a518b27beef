"""How many calls may be made: a bucket that can be shared, and turns for who waits."""

from collections.abc import Callable
from typing import Final

from fsm.domain.rates import Rate

BURST_SECONDS: Final = 1.0
QUEUE_SECONDS_MAX: Final = 300.0


class Budget:
    """A token bucket of which this process has a part; it starts empty.

    In any ``t`` seconds no more than ``rate * t`` plus one second's worth are let
    through (plus one, where that is less than one), and repeats, which may overdraw it.
    """

    def __init__(self, rate: Rate, elapsed: Callable[[], float]) -> None:
        self._whole = rate.a_second
        self._elapsed = elapsed
        self._part = 0.0
        self._tokens = 0.0
        self._filled_at = elapsed()

    @property
    def a_second(self) -> float:
        """How many a second this process may make."""
        return self._whole * self._part

    def share(self, part: float) -> None:
        """Take another part of the whole from now on."""
        self._fill()
        self._part = part

    def is_full(self) -> bool:
        """True where nobody has used it for a while."""
        self._fill()
        return self._part > 0 and self._tokens >= self._most()

    def take(self) -> bool:
        """Take one; False where there is none."""
        self._fill()
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def overdraw(self) -> None:
        """Take one whether it is there or not: new ones wait for it."""
        self._fill()
        self._tokens -= 1.0

    def wait(self) -> float:
        """Return the seconds until there is one."""
        self._fill()
        if not self._part:
            return BURST_SECONDS
        return max(0.0, (1.0 - self._tokens) / self.a_second)

    def _fill(self) -> None:
        now = self._elapsed()
        grown = self._tokens + (now - self._filled_at) * self.a_second
        self._tokens = min(grown, self._most())
        self._filled_at = now

    def _most(self) -> float:
        return max(1.0, self.a_second * BURST_SECONDS) if self._part else 0.0


class Turns:
    """Gives those that have to wait a time each, so that they do not all come at once.

    Who would have to wait longer than five minutes more than the others begins anew.
    """

    def __init__(self, elapsed: Callable[[], float]) -> None:
        self._elapsed = elapsed
        self._last = 0.0

    @property
    def are_waited_for(self) -> bool:
        """True where somebody was given a time that has not come yet."""
        return self._last > self._elapsed()

    def next(self, after: float, a_second: float) -> float:
        """Return how many seconds to wait: ``after`` at least, so many a second."""
        earliest = self._elapsed() + after
        turn = max(earliest, self._last + 1.0 / a_second)
        if turn > earliest + QUEUE_SECONDS_MAX:
            turn = earliest
        self._last = turn
        return turn - self._elapsed()
