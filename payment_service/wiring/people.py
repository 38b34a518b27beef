"""Who may call this process, and from which amounts two decide, as the rows say it."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

from fsm.domain.errors import Fault
from fsm.domain.four_eyes import FourEyes
from fsm.domain.keys import ApiKey
from fsm.domain.roster import KeyRecord, Threshold, four_eyes_of
from handlers.people import (
    Admin,
    Environment,
    agree_to_key,
    make_key,
    revoke_key,
    set_threshold,
)
from handlers.ports.clock import Clock
from payment_service.api.keyring import Keyring
from payment_service.storage.people import PostgresPeople
from payment_service.wire.people_shapes import KeyShape
from payment_service.wire.people_views import environment_key_view, key_view

LOOK_EVERY: Final = timedelta(seconds=2)
"""So long a revoked key may still be taken by a process that did not revoke it."""
READ_EVERY: Final = timedelta(minutes=1)
"""Also where nothing has changed by the trail: somebody may have changed the rows."""
USES_EVERY: Final = timedelta(minutes=1)


class KeyFollower:
    """Has the keyring of a process follow the rows, in the background."""

    def __init__(self, people: PostgresPeople, keyring: Keyring) -> None:
        self._people = people
        self._keyring = keyring
        self._revision = -1
        self._read_again_at = 0.0
        self._turn = asyncio.Lock()

    async def look(self) -> None:
        """Take the keys in anew where any has changed.

        :raises StoreUnavailable: the keys that were known are taken a while longer.
        """
        async with self._turn:
            # A change between the two questions has another number: it is read again.
            revision = await self._people.revision()
            if revision == self._revision and time.monotonic() < self._read_again_at:
                self._keyring.confirm()
                return
            found = await self._people.keys()
            self._keyring.adopt(record.key for record in found if record.is_live)
            self._revision = revision
            self._read_again_at = time.monotonic() + READ_EVERY.total_seconds()

    async def changed(self) -> None:
        """Take in what has just been changed here; without the database, later."""
        with suppress(Fault):
            await self.look()

    async def note_uses(self) -> None:
        """Write down which keys were used since the last time."""
        used = self._keyring.take_used()
        try:
            await self._people.note_uses(used)
        except Fault:
            self._keyring.give_back(used)
            raise


class PostgresPeopleOperations:
    """Implements ``api.deps.PeopleOperations``; what it changes holds here at once."""

    def __init__(
        self,
        people: PostgresPeople,
        follower: KeyFollower,
        environment: Environment,
        clock: Clock,
    ) -> None:
        self._people = people
        self._follower = follower
        self._environment = environment
        self._clock = clock

    async def keys(self) -> Sequence[KeyShape]:
        """Return all keys as they are shown, by name."""
        day = self._clock.now().date()
        uses = await self._people.uses()
        views = [key_view(record, day) for record in await self._people.keys()]
        views += [
            environment_key_view(key, uses.get(key.name), day)
            for key in self._environment.keys
        ]
        return sorted(views, key=lambda view: str(view["name"]))

    async def make_key(self, key: ApiKey, *, by: Admin, reason: str) -> KeyRecord:
        """Make a key, which may wait for a second admin."""
        record = await make_key(
            key,
            by=by,
            reason=reason,
            environment=self._environment,
            people=self._people,
        )
        await self._follower.changed()
        return record

    async def agree_to_key(self, name: str, *, by: Admin, reason: str) -> KeyRecord:
        """Agree to a key that waits."""
        record = await agree_to_key(name, by=by, reason=reason, people=self._people)
        await self._follower.changed()
        return record

    async def revoke_key(self, name: str, *, by: Admin, reason: str) -> KeyRecord:
        """End a key for good."""
        record = await revoke_key(
            name,
            by=by,
            reason=reason,
            environment=self._environment,
            people=self._people,
        )
        await self._follower.changed()
        return record

    async def thresholds(self) -> tuple[FourEyes, Sequence[Threshold]]:
        """Return what holds, and what the database says."""
        found = await self._people.thresholds()
        return four_eyes_of(found, self._environment.floor), found

    async def set_threshold(
        self, currency: str, amount: int | None, *, by: Admin, reason: str
    ) -> Threshold:
        """Set an amount, which may wait for a second admin."""
        return await set_threshold(
            currency, amount, by=by, reason=reason, people=self._people
        )
