"""The breaker of one provider in one process: closed, open, or trying a few."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from providers.health.window import Counts, CreateOutcome, Window


class BreakerState(StrEnum):
    """Whether new creates are sent: all, none, or a few to try."""

    CLOSED = "ready"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerTerms:
    """When it opens, and how it closes again; times in seconds.

    A call counts as failed from ``hung_after`` on, while nobody knows how it ends.
    """

    window: float
    failure_rate: float
    min_calls: int
    open: float
    probes: int
    hung_after: float


@dataclass(eq=False, slots=True)
class TrackedCreate:
    """A create that is under way."""

    began: float


class Breaker:
    """Watches creates as they begin and end; is asked before a new one is prepared."""

    def __init__(self, terms: BreakerTerms, elapsed: Callable[[], float]) -> None:
        self._terms = terms
        self._elapsed = elapsed
        self._window = Window(terms.window)
        self._under_way: dict[TrackedCreate, None] = {}
        self._state = BreakerState.CLOSED
        self._open_until = 0.0
        self._trying_since = 0.0
        self._trying = 0
        self._succeeded = 0
        self._failing_since = 0.0

    def state(self) -> BreakerState:
        """Return the state now; calls that hang may have changed it."""
        now = self._elapsed()
        if self._state is BreakerState.OPEN and now >= self._open_until:
            self._state = BreakerState.HALF_OPEN
            self._trying_since, self._succeeded = now, 0
        if self._state is BreakerState.HALF_OPEN:
            if self._hanging(now, since=self._trying_since):
                self._open(now)
        elif self._state is BreakerState.CLOSED and self._is_failing(now):
            self._failing_since = now
            self._open(now)
        return self._state

    def may_try(self) -> bool:
        """True where one more may be sent to see how the provider does."""
        return (
            self.state() is BreakerState.HALF_OPEN and self._trying < self._terms.probes
        )

    def tries(self) -> None:
        """Take a place among the few; :meth:`tried` gives it back."""
        self._trying += 1

    def tried(self) -> None:
        """Give the place back, whether anything was sent or not."""
        self._trying -= 1

    def began(self) -> TrackedCreate:
        """Note that a create is being sent."""
        call = TrackedCreate(self._elapsed())
        self._under_way[call] = None
        return call

    def ended(self, call: TrackedCreate, heard: CreateOutcome | None) -> None:
        """Note what it came to; None says nothing about the provider."""
        del self._under_way[call]
        if heard is None:
            return
        self._window.note(heard, self._elapsed())
        state = self.state()
        if state is BreakerState.HALF_OPEN and call.began >= self._trying_since:
            self._probed(heard)

    def counts(self) -> Counts:
        """Return what the window holds, with the calls that hang as failed ones."""
        now = self._elapsed()
        counts, hanging = self._window.counts(now), self._hanging(now)
        return Counts(
            calls=counts.calls + hanging,
            refused=counts.refused,
            failed=counts.failed + hanging,
        )

    @property
    def in_flight(self) -> int:
        """How many creates are under way."""
        return len(self._under_way)

    def left(self) -> float:
        """Return the seconds until it tries again; zero where it does already."""
        if self.state() is not BreakerState.OPEN:
            return 0.0
        return max(0.0, self._open_until - self._elapsed())

    def failing_for(self) -> float:
        """Return the seconds since it opened, however often it has tried since."""
        if self.state() is BreakerState.CLOSED:
            return 0.0
        return self._elapsed() - self._failing_since

    def _probed(self, heard: CreateOutcome) -> None:
        if heard is CreateOutcome.FAILED:
            self._open(self._elapsed())
            return
        self._succeeded += 1
        if self._succeeded >= self._terms.probes:
            self._state = BreakerState.CLOSED
            self._window.clear()

    def _open(self, now: float) -> None:
        self._state = BreakerState.OPEN
        self._open_until = now + self._terms.open

    def _is_failing(self, now: float) -> bool:
        counts, hanging = self._window.counts(now), self._hanging(now)
        calls, failed = counts.calls + hanging, counts.failed + hanging
        rate = self._terms.failure_rate
        return calls >= self._terms.min_calls and failed >= calls * rate

    def _hanging(self, now: float, since: float = 0.0) -> int:
        """Count what is under way for too long; the oldest come first."""
        hanging, latest = 0, now - self._terms.hung_after
        for call in self._under_way:
            if call.began > latest:
                break
            hanging += call.began >= since
        return hanging
