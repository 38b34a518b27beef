"""What all replicas know of each provider: who paused it, and how each one finds it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A provider that somebody has paused; ``until`` None: until it is resumed."""

    provider: str
    reason: str
    until: datetime | None
    by: str
    at: datetime

    def holds(self, now: datetime) -> bool:
        """True until its time is over."""
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """How one replica finds one provider, as it says once a second.

    ``since`` is when its breaker opened, ``open_until`` when it tries again;
    ``silent_until`` is when the provider wants to hear of us again.
    """

    provider: str
    replica: str
    state: str
    since: datetime | None = None
    open_until: datetime | None = None
    silent_until: datetime | None = None
    in_flight: int = 0
    calls: int = 0
    failed: int = 0
    refused: int = 0
    joined_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetView:
    """What the rows say: pauses by provider, and the beats of live replicas."""

    paused: Mapping[str, Control] = field(default_factory=dict)
    beats: Mapping[str, Sequence[Heartbeat]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlEvent:
    """One line of the history of a provider's pauses."""

    provider: str
    state: str
    reason: str
    until: datetime | None
    by: str
    at: datetime


class Controls(Protocol):
    """The rows that replicas share; any method may raise StoreUnavailable."""

    async def beat(self, beats: Sequence[Heartbeat]) -> None:
        """Say how this replica finds its providers."""
        ...

    async def fleet_view(self) -> FleetView:
        """Return the pauses, and what every replica that is alive has said last."""
        ...

    async def leave(self, replica: str) -> None:
        """Take back what a replica has said: it is about to end."""
        ...

    async def pause(
        self, provider: str, *, reason: str, until: datetime | None, by: str
    ) -> None:
        """Pause a provider on all replicas; a pause replaces the one before."""
        ...

    async def resume(self, provider: str, *, reason: str, by: str) -> bool:
        """End a pause; False where there was none."""
        ...

    async def history(self, provider: str, *, limit: int) -> Sequence[ControlEvent]:
        """Return who paused and resumed it, newest first."""
        ...
