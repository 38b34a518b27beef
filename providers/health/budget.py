"""How many calls may be made: a bucket that can be shared, and turns for who waits."""

from collections.abc import Callable
from typing import Final

from fsm.domain.rates import Rate, TokenBucket

BURST_SECONDS: Final = 1.0
QUEUE_SECONDS_MAX: Final = 300.0


class Budget:
    """A token bucket of which this process has a part; it starts empty.

    In any ``t`` seconds no more than ``rate * t`` plus one second's worth are let
    through (plus one, where that is less than one), and repeats, which may overdraw it.
    """

    def __init__(self, rate: Rate, elapsed: Callable[[], float]) -> None:
        self._whole = rate.a_second
        self._bucket = TokenBucket(elapsed, a_second=0.0, most=0.0)

    @property
    def a_second(self) -> float:
        """How many a second this process may make."""
        return self._bucket.a_second

    def share(self, part: float) -> None:
        """Take another part of the whole from now on."""
        a_second = self._whole * part
        most = max(1.0, a_second * BURST_SECONDS) if part else 0.0
        self._bucket.change(a_second=a_second, most=most)

    def is_full(self) -> bool:
        """True where nobody has used it for a while."""
        return self.a_second > 0 and self._bucket.is_full

    def take(self) -> bool:
        """Take one; False where there is none."""
        return self._bucket.take()

    def overdraw(self) -> None:
        """Take one whether it is there or not: new ones wait for it."""
        self._bucket.overdraw()

    def wait(self) -> float:
        """Return the seconds until there is one."""
        return self._bucket.wait() if self.a_second else BURST_SECONDS


class Pacer:
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
