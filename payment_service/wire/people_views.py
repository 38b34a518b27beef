"""Draws who holds keys and from which amounts two decide."""

from collections.abc import Sequence
from datetime import date, datetime

from fsm.domain.events import stamp
from fsm.domain.four_eyes import FourEyes
from fsm.domain.keys import ApiKey
from fsm.domain.masking import masked_text
from fsm.domain.roster import (
    DEFAULT,
    KeyRecord,
    KeyState,
    Threshold,
    fingerprint,
)
from payment_service.wire.views import View

ENVIRONMENT = "environment"
DATABASE = "database"


def key_view(record: KeyRecord, day: date) -> View:
    """Return a key of the database with its history, as it is on a day (UTC)."""
    reason = record.revoke_reason
    return {
        **_key(record.key, record.state_on(day), DATABASE),
        **_left_out(
            made_by=record.made_by,
            made_at=_stamp(record.made_at),
            agreed_by=record.agreed_by,
            agreed_at=_stamp(record.agreed_at),
            revoked_by=record.revoked_by,
            revoked_at=_stamp(record.revoked_at),
            reason=None if reason is None else masked_text(reason),
            last_used_at=_stamp(record.used_at),
        ),
    }


def environment_key_view(key: ApiKey, used_at: datetime | None, day: date) -> View:
    """Return a key of PAYMENT_API_KEYS, as it is on a day (UTC)."""
    state = KeyState.LIVE if key.is_taken_on(day) else KeyState.EXPIRED
    return {
        **_key(key, state, ENVIRONMENT),
        **_left_out(last_used_at=_stamp(used_at)),
    }


def made_key_view(record: KeyRecord) -> View:
    """Show what has become of a key that was made, agreed to or revoked."""
    word = "waits_for_second_person" if record.waits else "live"
    key = record.key
    return {
        "name": key.name,
        "role": key.role.value,
        "person": key.voter,
        "fingerprint": fingerprint(key),
        "status": "revoked" if record.revoked_at is not None else word,
    }


def _key(key: ApiKey, state: KeyState, source: str) -> View:
    return {
        "name": key.name,
        "role": key.role.value,
        "person": key.voter,
        "state": state.value,
        "source": source,
        "fingerprint": fingerprint(key),
        **_left_out(
            merchants=None if key.merchants is None else sorted(key.merchants),
            expires=None if key.expires is None else key.expires.isoformat(),
        ),
    }


def four_eyes_view(four_eyes: FourEyes, thresholds: Sequence[Threshold]) -> View:
    """Return the floor and what the database says; amounts are in minor units."""
    return {
        "floor": four_eyes.floor,
        "thresholds": [
            {
                "currency": each.currency,
                "from": each.amount,
                "effective": four_eyes.begins_at(each.currency),
                **_left_out(
                    set_by=each.set_by,
                    set_at=_stamp(each.set_at),
                    reason=None if each.reason is None else masked_text(each.reason),
                    proposed=_proposed(each),
                ),
            }
            for each in _with_default(thresholds)
        ],
    }


def _with_default(thresholds: Sequence[Threshold]) -> Sequence[Threshold]:
    """Have the default stand first, also where it was never set."""
    default = [each for each in thresholds if each.currency == DEFAULT]
    others = [each for each in thresholds if each.currency != DEFAULT]
    return [*(default or [Threshold(currency=DEFAULT)]), *others]


def _proposed(threshold: Threshold) -> View | None:
    proposal = threshold.proposal
    if proposal is None:
        return None
    return {"from": proposal.amount, "by": proposal.by, "at": stamp(proposal.at)}


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else stamp(at)


def _left_out(**told: object) -> View:
    return {name: value for name, value in told.items() if value is not None}
