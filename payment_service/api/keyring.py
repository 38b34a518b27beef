"""Whose key it is: asked in memory for each request, filled from elsewhere."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

from fsm.domain.keys import ApiKey
from handlers.ports.clock import Clock

KEPT_FOR: Final = timedelta(minutes=5)
"""So long keys of the database are taken without it: one may have been revoked."""


class Keyring:
    """The keys of the environment, always, and those last read from the database.

    Keys are found by a hash under a secret of this process, so that the time it takes
    tells nothing about them, however many there are.
    """

    def __init__(self, environment: Iterable[ApiKey], clock: Clock) -> None:
        self.environment = tuple(environment)
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._fixed = self._blinded(self.environment)
        self._stored: Mapping[bytes, ApiKey] = {}
        self._stored_until = 0.0
        self._used: set[str] = set()

    @property
    def is_empty(self) -> bool:
        """True where nobody can be let in."""
        return not self._fixed and not self._stored

    def adopt(self, stored: Iterable[ApiKey]) -> None:
        """Take the keys that the database has now, in place of those it had."""
        self._stored = self._blinded(stored)
        self.confirm()

    def confirm(self) -> None:
        """Say that the database has no others than those that were last adopted."""
        self._stored_until = self._clock.elapsed() + KEPT_FOR.total_seconds()

    def holder(self, presented: str) -> ApiKey | None:
        """Return whose key this is, if it is one that is taken today."""
        return self._valid(hashlib.sha256(presented.encode()).digest())

    def still_takes(self, key: ApiKey) -> bool:
        """Tell whether a key that was let in before would be let in now."""
        return self._valid(key.sha256) == key

    def take_used(self) -> frozenset[str]:
        """Return the names of the keys that were used since this was last asked."""
        used, self._used = frozenset(self._used), set()
        return used

    def give_back(self, used: Iterable[str]) -> None:
        """Have these told again: they could not be written down."""
        self._used.update(used)

    def _valid(self, sha256: bytes) -> ApiKey | None:
        blinded = self._blind(sha256)
        key = self._fixed.get(blinded)
        if key is None and self._clock_allows():
            key = self._stored.get(blinded)
        if key is None or not hmac.compare_digest(key.sha256, sha256):
            return None
        if key.expires and not key.is_taken_on(self._clock.now().date()):
            return None
        self._used.add(key.name)
        return key

    def _clock_allows(self) -> bool:
        return bool(self._stored) and self._clock.elapsed() < self._stored_until

    def _blinded(self, keys: Iterable[ApiKey]) -> Mapping[bytes, ApiKey]:
        return {self._blind(key.sha256): key for key in keys}

    def _blind(self, sha256: bytes) -> bytes:
        return hmac.digest(self._secret, sha256, "sha256")
