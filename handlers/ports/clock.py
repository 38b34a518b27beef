"""Time, by one clock for all replicas."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The database's clock as seen from this process, and a local stop-watch."""

    def now(self) -> datetime:
        """Return the database's time; it may be off by a round trip, not by hours."""
        ...

    def elapsed(self) -> float:
        """Return seconds on a clock that only goes forward, for local limits."""
        ...
