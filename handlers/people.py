"""Makes and revokes keys and sets thresholds: what one admin may, and what takes two.

Where any decision takes two persons, so does what could make two persons of one: a
key that can decide or order, and a threshold that asks less often. What takes power
away, a revocation or a stricter threshold, takes one.
"""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from fsm.domain.acts import Act, ServiceTrigger
from fsm.domain.errors import InvalidRequest, NotNow, UnknownOrder
from fsm.domain.field_errors import in_body
from fsm.domain.keys import ApiKey, KeyRole
from fsm.domain.roster import (
    KeyRecord,
    Threshold,
    ThresholdProposal,
    fingerprint,
    four_eyes_of,
)
from handlers.ports.people import People, Turn

PREFIX: Final = "psk_"
"""So that a key is recognised where it should not be."""
SECRET_BYTES: Final = 32
KEYS_MAX: Final = 100_000
_DECIDING: Final = frozenset({KeyRole.SUPPORT, KeyRole.ADMIN})
NO_REASON: Final = "no reason was given"


@dataclass(frozen=True, slots=True, kw_only=True)
class Admin:
    """Who asks: ``expires`` is the last day of the key with which it is done."""

    actor: str
    person: str
    expires: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What the settings of this process say beside the database."""

    keys: Collection[ApiKey] = ()
    floor: int | None = None


def new_secret() -> str:
    """Return a new key that nobody can guess."""
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def hash_of(secret: str) -> bytes:
    """Return what is kept of a key."""
    return hashlib.sha256(secret.encode()).digest()


async def make_key(
    key: ApiKey,
    *,
    by: Admin,
    reason: str,
    environment: Environment,
    people: People,
    first: bool = False,
) -> KeyRecord:
    """Store a key, which waits for a second admin where it takes two.

    ``first`` is for who has a shell and no admin to ask: nobody may be there then.

    :raises InvalidRequest: it would have expired before it is made.
    :raises NotNow: the name or the key is taken; or there is an admin after all.
    """
    async with people.turn() as turn:
        _require_new(key, turn, environment)
        if first:
            _require_nobody(turn, environment)
        takes_two = not first and _takes_two(key, by, turn, environment)
        record = KeyRecord(
            key=key,
            made_by=by.actor,
            made_person=by.person,
            made_at=turn.now,
            takes_two=takes_two,
        )
        word = ServiceTrigger.KEY_PROPOSED if takes_two else ServiceTrigger.KEY_MADE
        await turn.add_key(record, _about(key, word, by, reason))
    return record


async def agree_to_key(
    name: str, *, by: Admin, reason: str, people: People
) -> KeyRecord:
    """Agree to a key that another admin has made: it is taken from now on.

    :raises UnknownOrder: there is no such key.
    :raises NotNow: it waits for nobody; or who made it is the same person.
    """
    async with people.turn() as turn:
        record = _known(name, turn)
        if record.revoked_at is not None or not record.waits:
            raise NotNow(f"the key {record.key.name} waits for nobody")
        if record.key.name in turn.unsigned:
            raise NotNow("the service has not made this key: see `verify`, revoke it")
        if record.made_person == by.person:
            raise NotNow("the same person cannot agree twice: a second admin must")
        agreed = replace(record, agreed_by=by.actor, agreed_at=turn.now)
        act = _about(record.key, ServiceTrigger.KEY_AGREED, by, reason)
        await turn.change_key(agreed, act)
    return agreed


async def revoke_key(
    name: str, *, by: Admin, reason: str, environment: Environment, people: People
) -> KeyRecord:
    """End a key for good; its name is not given away again.

    :raises UnknownOrder: there is no such key.
    :raises NotNow: it is revoked, or is one of the environment.
    """
    if name.lower() in {key.name.lower() for key in environment.keys}:
        raise NotNow("it is a key of PAYMENT_API_KEYS: take it out there, and restart")
    async with people.turn() as turn:
        record = _known(name, turn)
        if record.revoked_at is not None:
            raise NotNow(f"the key {record.key.name} has been revoked")
        revoked = replace(
            record, revoked_by=by.actor, revoked_at=turn.now, revoke_reason=reason
        )
        act = _about(record.key, ServiceTrigger.KEY_REVOKED, by, reason)
        await turn.change_key(revoked, act)
    return revoked


async def set_threshold(
    currency: str, amount: int | None, *, by: Admin, reason: str, people: People
) -> Threshold:
    """Set from which amount two decide; a looser one waits for a second admin.

    None takes away what a currency has of its own: it goes by the default then.
    What waits is in the answer's ``proposal``. The same amount by a second admin sets
    it; another looser one takes its place; a stricter one is set at once.

    :raises NotNow: it is set so, or the same person has proposed it.
    """
    async with people.turn() as turn:
        present = _present(currency, turn)
        if present.amount == amount and present.proposal is None:
            raise NotNow("it is set so already")
        if _loosens(currency, amount, turn) and _must_wait(present, amount, by):
            proposal = ThresholdProposal(
                amount=amount, by=by.actor, person=by.person, at=turn.now
            )
            waiting = replace(present, proposal=proposal)
            word = ServiceTrigger.FOUR_EYES_PROPOSED
            await turn.put_threshold(waiting, _set(currency, amount, word, by, reason))
            return waiting
        decided = Threshold(
            currency=currency,
            amount=amount,
            set_by=by.actor,
            set_at=turn.now,
            reason=reason,
        )
        act = _set(currency, amount, ServiceTrigger.FOUR_EYES_SET, by, reason)
        await turn.put_threshold(decided, act)
    return decided


def _takes_two(key: ApiKey, by: Admin, turn: Turn, environment: Environment) -> bool:
    if key.role is KeyRole.VIEWER:
        return False
    if not four_eyes_of(turn.thresholds, environment.floor).exists:
        return False
    if _adds_nobody(key, by):
        return False
    # Who is the only one that decides cannot wait for a second. This is so once: that
    # all others were revoked makes nobody the only one there ever was.
    alone = not (_deciders(turn, environment) - {by.person})
    return not (key.role is KeyRole.ADMIN and alone)


def _adds_nobody(key: ApiKey, by: Admin) -> bool:
    """Tell whether it is one more key of who asks, for as long and no more power."""
    lasts = by.expires is not None and (key.expires is None or key.expires > by.expires)
    return key.voter == by.person and key.role is not KeyRole.UPSTREAM and not lasts


def _deciders(turn: Turn, environment: Environment) -> set[str]:
    """Return who could ever decide: as support, or as admin."""
    keys = [record.key for record in turn.keys] + list(environment.keys)
    return {key.voter for key in keys if key.role in _DECIDING}


def _require_new(key: ApiKey, turn: Turn, environment: Environment) -> None:
    if not key.is_taken_on(turn.now.date()):
        raise InvalidRequest.of_field("expires", detail="must not be over")
    known = [record.key for record in turn.keys] + list(environment.keys)
    if key.name.lower() in {each.name.lower() for each in known}:
        raise _taken("name", "there is, or was, a key of this name: take another")
    if key.sha256 in {each.sha256 for each in known}:
        raise _taken("sha256", "this key is known under another name: make a new one")
    if len(turn.keys) >= KEYS_MAX:
        raise NotNow(f"there are {KEYS_MAX} keys")


def _taken(field: str, told: str) -> NotNow:
    return NotNow(told, errors=[in_body((field,), told)])


def _require_nobody(turn: Turn, environment: Environment) -> None:
    today = turn.now.date()
    live = [r.key for r in turn.keys if r.is_live and r.key.is_taken_on(today)]
    admins = [k for k in (*live, *environment.keys) if k.role is KeyRole.ADMIN]
    if admins:
        raise NotNow("there is an admin key, which makes all others")


def _known(name: str, turn: Turn) -> KeyRecord:
    for record in turn.keys:
        if record.key.name == name:
            return record
    raise UnknownOrder(name, "key")


def _present(currency: str, turn: Turn) -> Threshold:
    for threshold in turn.thresholds:
        if threshold.currency == currency:
            return threshold
    return Threshold(currency=currency)


def _loosens(currency: str, amount: int | None, turn: Turn) -> bool:
    """Tell whether one would decide where two did, were there no floor.

    The floor may hide it today, and be raised tomorrow.
    """
    others = [t for t in turn.thresholds if t.currency != currency]
    wanted = [*others, Threshold(currency=currency, amount=amount)]
    now = four_eyes_of(turn.thresholds, None)
    return four_eyes_of(wanted, None).is_looser_than(now)


def _must_wait(present: Threshold, amount: int | None, by: Admin) -> bool:
    proposal = present.proposal
    if proposal is None or proposal.amount != amount:
        return True
    if proposal.person == by.person:
        raise NotNow("the same person cannot agree twice: a second admin must")
    return False


def _about(key: ApiKey, trigger: ServiceTrigger, by: Admin, reason: str) -> Act:
    return Act(
        trigger=trigger,
        actor=by.actor,
        reason=reason,
        detail={
            "key": key.name,
            "role": key.role.value,
            "fingerprint": fingerprint(key),
            "person": key.voter,
            **({} if key.merchants is None else {"merchants": sorted(key.merchants)}),
            **({} if key.expires is None else {"expires": key.expires.isoformat()}),
        },
    )


def _set(
    currency: str, amount: int | None, trigger: ServiceTrigger, by: Admin, reason: str
) -> Act:
    told = {} if amount is None else {"from": amount}
    return Act(
        trigger=trigger,
        actor=by.actor,
        reason=reason,
        detail={"currency": currency, "person": by.person, **told},
    )
