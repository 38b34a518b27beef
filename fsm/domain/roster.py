"""Who holds keys of the database and from which amounts two decide, as rows say it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

import orjson

from fsm.domain.four_eyes import FourEyes
from fsm.domain.keys import ApiKey

DEFAULT: Final = "default"
"""In place of a currency: for all that have no amount of their own."""
FINGERPRINT_LENGTH: Final = 16
STRICTEST: Final = 1
"""From this amount on (minor units) no decision is one person's."""


class KeyState(StrEnum):
    """What has become of a key."""

    LIVE = "live"
    WAITS = "waits_for_second_person"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """A key with who made it, who agreed where that took two, and who revoked it.

    ``made_person`` is who stood behind ``made_by``: another one has to agree.
    """

    key: ApiKey
    made_by: str
    made_person: str
    made_at: datetime
    takes_two: bool = False
    agreed_by: str | None = None
    agreed_at: datetime | None = None
    revoked_by: str | None = None
    revoked_at: datetime | None = None
    revoke_reason: str | None = None
    used_at: datetime | None = None

    @property
    def is_live(self) -> bool:
        """True where the key is taken, until it expires."""
        return self.revoked_at is None and not self.waits

    @property
    def waits(self) -> bool:
        """True until a second person has agreed to it, where that is asked."""
        return self.takes_two and self.agreed_at is None

    def state_on(self, day: date) -> KeyState:
        """Return what has become of it by that day (UTC)."""
        if self.revoked_at is not None:
            return KeyState.REVOKED
        if not self.key.is_taken_on(day):
            return KeyState.EXPIRED
        return KeyState.WAITS if self.waits else KeyState.LIVE

    @property
    def signed(self) -> bytes:
        """Return what is signed: all that decides what the key may do."""
        key = self.key
        parts = [
            "api_key",
            key.name,
            key.role,
            key.sha256.hex(),
            key.person,
            None if key.merchants is None else sorted(key.merchants),
            key.expires,
            self.made_by,
            self.made_person,
            self.made_at.timestamp(),
            self.takes_two,
            self.agreed_by,
        ]
        return orjson.dumps(parts)


def fingerprint(key: ApiKey) -> str:
    """Return what a key is recognised by: its holder can compute it."""
    return key.sha256.hex()[:FINGERPRINT_LENGTH]


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdProposal:
    """A looser amount that waits for a second person; None: none of its own."""

    amount: int | None
    by: str
    person: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """From which amount two decide in a currency, as the database says it.

    ``amount`` None: none of its own. ``set_by`` None: it has only been proposed so far.
    """

    currency: str
    amount: int | None = None
    set_by: str | None = None
    set_at: datetime | None = None
    reason: str | None = None
    proposal: ThresholdProposal | None = None

    @property
    def signed(self) -> bytes:
        """Return what is signed: the amount that holds, and the one that waits."""
        proposal = self.proposal
        parts = [
            "four_eyes",
            self.currency,
            self.amount,
            self.set_by,
            self.set_at and self.set_at.timestamp(),
            proposal
            and [
                proposal.amount,
                proposal.by,
                proposal.person,
                proposal.at.timestamp(),
            ],
        ]
        return orjson.dumps(parts)


def four_eyes_of(thresholds: Iterable[Threshold], floor: int | None) -> FourEyes:
    """Return from which amounts two decide; those of the database tighten the floor."""
    amounts = {t.currency: t.amount for t in thresholds}
    default = amounts.pop(DEFAULT, None)
    own = {name: amount for name, amount in amounts.items() if amount is not None}
    return FourEyes(floor=floor, default=default, by_currency=own)
