"""What the calls of the last while came to, in slices that go one by one."""

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Final

SLICES: Final = 10


class CreateOutcome(Enum):
    """What one create says about its provider."""

    TAKEN = "it took the payout"
    REFUSED = "it answered, and did not take it"
    FAILED = "it did not answer, or not as a provider should"


@dataclass(slots=True)
class Counts:
    """How many calls, and how many of them were refused or failed."""

    calls: int = 0
    refused: int = 0
    failed: int = 0

    def add(self, heard: CreateOutcome) -> None:
        """Count one more."""
        self.calls += 1
        self.refused += heard is CreateOutcome.REFUSED
        self.failed += heard is CreateOutcome.FAILED

    def without(self, others: "Counts") -> "Counts":
        """Return what is left when the others are taken away."""
        return Counts(
            self.calls - others.calls,
            self.refused - others.refused,
            self.failed - others.failed,
        )


class Window:
    """Counts the calls of the last ``seconds``, give or take a slice.

    ``now`` are seconds that only go forward: who asks has looked at the clock.
    """

    def __init__(self, seconds: float) -> None:
        self._slice = seconds / SLICES
        self._slices: deque[tuple[int, Counts]] = deque()
        self._total = Counts()

    def note(self, heard: CreateOutcome, now: float) -> None:
        """Count what a call came to."""
        number = self._number(now)
        if not self._slices or self._slices[-1][0] != number:
            self._slices.append((number, Counts()))
        self._slices[-1][1].add(heard)
        self._total.add(heard)

    def counts(self, now: float) -> Counts:
        """Return the sum of what is not too long ago; it goes on counting."""
        oldest = self._number(now) - SLICES
        while self._slices and self._slices[0][0] <= oldest:
            self._total = self._total.without(self._slices.popleft()[1])
        return self._total

    def clear(self) -> None:
        """Forget everything."""
        self._slices.clear()
        self._total = Counts()

    def _number(self, now: float) -> int:
        return int(now / self._slice)
