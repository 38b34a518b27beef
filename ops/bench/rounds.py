"""Medians, percentiles and spreads, rounded nowhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of the values does not exceed."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@dataclass(frozen=True, slots=True)
class Rounds:
    """A figure over several rounds: what to quote, and how far they lie apart."""

    median: float
    lowest: float
    highest: float

    @property
    def spread(self) -> float:
        """Return the distance of the extremes as a share of the median."""
        return (self.highest - self.lowest) / self.median if self.median else 0.0


def over(values: Sequence[float]) -> Rounds:
    """Return the figure over these rounds."""
    return Rounds(median(values), min(values), max(values))
