"""Back-off: waits between retries that grow, and are spread by jitter."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zlib import crc32

from fsm.engine.rows import Queue, Task
from fsm.engine.steps import Event


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


SHORTEST: Final = 0.9
"""By this factor a wait may be shorter than it would be without jitter."""


def jitter(row: Task | Queue) -> float:
    """Spread waits over ±10 %, the same for the same row and version."""
    entity_id = row.task_id if isinstance(row, Task) else row.queue_id
    spread = crc32(f"{entity_id}:{row.version}".encode()) / 2**32
    return SHORTEST + 0.2 * spread


def tries_after(task: Task, event: Event) -> int:
    """Return how often it has been tried now; what we lacked ourselves is no try."""
    return task.tries if event.lacking else task.tries + 1


def spaced(
    task: Task, event: Event, pace: Backoff, tries: int, now: datetime
) -> timedelta:
    """Return how long to wait after an event, no less than the other side asks for.

    For what we lack ourselves there is no try to count: the wait grows with the time
    since the first call.
    """
    wait = pace.after(tries, jitter(task))
    if event.lacking and task.sent_first_at is not None:
        wait = max(wait, min(now - task.sent_first_at, pace.longest))
    return max(wait, event.after)
