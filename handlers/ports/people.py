"""The keys and thresholds that people have set, and how they are changed one by one."""

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from fsm.domain.acts import Act
from fsm.domain.roster import KeyRecord, Threshold


class Turn(Protocol):
    """What there is while nobody else can change it; all is committed on leaving.

    ``keys`` are by name, also those that were revoked, and those of ``unsigned`` names,
    which somebody has written past the service; ``now`` is the database's time.
    Each change goes with the line of the trail that says so.
    """

    @property
    def now(self) -> datetime: ...

    @property
    def keys(self) -> Sequence[KeyRecord]: ...

    @property
    def unsigned(self) -> Collection[str]: ...

    @property
    def thresholds(self) -> Sequence[Threshold]: ...

    async def add_key(self, record: KeyRecord, act: Act) -> None:
        """Store a new key."""
        ...

    async def change_key(self, record: KeyRecord, act: Act) -> None:
        """Store who agreed to a key, or who revoked it."""
        ...

    async def put_threshold(self, threshold: Threshold, act: Act) -> None:
        """Store a threshold, or what is proposed for it."""
        ...


class People(Protocol):
    """The rows; any method may raise StoreUnavailable."""

    async def keys(self) -> Sequence[KeyRecord]:
        """Return all keys whose signature holds, by name, with when each was used."""
        ...

    async def thresholds(self) -> Sequence[Threshold]:
        """Return the amounts that were set or proposed, by currency."""
        ...

    async def revision(self) -> int:
        """Return a number that is another after each change."""
        ...

    async def note_uses(self, names: Collection[str]) -> None:
        """Say that these keys were just used."""
        ...

    def turn(self) -> AbstractAsyncContextManager[Turn]:
        """Give what there is to one who changes it; others wait."""
        ...
