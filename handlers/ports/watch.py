"""Who looks over the handlers' shoulders and counts, so that they need not."""

from typing import Protocol

from handlers.ports.store import StepWrite


class Watch(Protocol):
    """Is told what happened; never fails, never waits."""

    def recorded(self, work: StepWrite) -> None:
        """A step was committed."""
        ...

    def conflicted(self) -> None:
        """A step was lost to another worker and is decided again."""
        ...

    def woke(self, lateness_seconds: float) -> None:
        """A timer was handled so long after its time."""
        ...


class NobodyWatches:
    """Counts nothing."""

    def recorded(self, work: StepWrite) -> None:
        """Ignore a step."""

    def conflicted(self) -> None:
        """Ignore a conflict."""

    def woke(self, lateness_seconds: float) -> None:
        """Ignore a wake-up."""
