"""Back-off: waits between retries that grow, and are spread by jitter."""

from dataclasses import dataclass
from datetime import timedelta
from zlib import crc32

from fsm.engine.rows import Queue, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Waits that grow: first, first·factor, … up to ``longest``."""

    first: timedelta
    factor: float
    longest: timedelta

    def after(self, tries: int, jitter: float = 1.0) -> timedelta:
        """Return the wait after ``tries`` earlier waits, within the bound."""
        # Seconds, since a timedelta overflows where a float only grows large.
        grown = self.first.total_seconds() * self.factor ** min(tries, 64)
        return timedelta(seconds=min(grown, self.longest.total_seconds())) * jitter


def jitter(row: Task | Queue) -> float:
    """Spread waits over ±10 %, the same for the same row and version."""
    entity_id = row.task_id if isinstance(row, Task) else row.queue_id
    spread = crc32(f"{entity_id}:{row.version}".encode()) / 2**32
    return 0.9 + 0.2 * spread
