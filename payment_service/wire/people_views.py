"""Draws who holds keys and from which amounts two decide."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Literal

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
from payment_service.wire.people_shapes import (
    FourEyesShape,
    KeyAnswer,
    KeyShape,
    ProposalShape,
    ThresholdShape,
)
from payment_service.wire.views import given, stamp_or_none


def key_view(record: KeyRecord, day: date) -> KeyShape:
    """Return a key of the database with its history, as it is on a day (UTC)."""
    told: KeyShape = {
        **_key(record.key, record.state_on(day), "database"),
        "made_by": record.made_by,
        "made_at": stamp_or_none(record.made_at),
        "agreed_by": record.agreed_by,
        "agreed_at": stamp_or_none(record.agreed_at),
        "revoked_by": record.revoked_by,
        "revoked_at": stamp_or_none(record.revoked_at),
        "reason": record.revoke_reason and masked_text(record.revoke_reason),
        "last_used_at": stamp_or_none(record.used_at),
    }
    return given(told, KeyShape.__optional_keys__)


def environment_key_view(key: ApiKey, used_at: datetime | None, day: date) -> KeyShape:
    """Return a key of PAYMENT_API_KEYS, as it is on a day (UTC)."""
    state = KeyState.LIVE if key.is_taken_on(day) else KeyState.EXPIRED
    told: KeyShape = {
        **_key(key, state, "environment"),
        "last_used_at": stamp_or_none(used_at),
    }
    return given(told, KeyShape.__optional_keys__)


def made_key_view(record: KeyRecord, *, secret: str | None = None) -> KeyAnswer:
    """Show what has become of a key that was made, agreed to or revoked.

    The ``secret`` is the key itself, told once, to who made it.
    """
    key = record.key
    told: KeyAnswer = {
        "name": key.name,
        "role": key.role,
        "person": key.voter,
        "fingerprint": fingerprint(key),
        "status": "waits_for_second_person" if record.waits else "live",
        "key": secret,
    }
    if record.revoked_at is not None:
        told["status"] = "revoked"
    return given(told, KeyAnswer.__optional_keys__)


def _key(
    key: ApiKey, state: KeyState, source: Literal["environment", "database"]
) -> KeyShape:
    return {
        "name": key.name,
        "role": key.role,
        "person": key.voter,
        "state": state,
        "source": source,
        "fingerprint": fingerprint(key),
        "merchants": None if key.merchants is None else sorted(key.merchants),
        "expires": None if key.expires is None else key.expires.isoformat(),
    }


def four_eyes_view(
    four_eyes: FourEyes, thresholds: Sequence[Threshold]
) -> FourEyesShape:
    """Return the floor and what the database says; amounts are in minor units."""
    return {
        "floor": four_eyes.floor,
        "thresholds": [
            _threshold(each, four_eyes) for each in _with_default(thresholds)
        ],
    }


def _threshold(threshold: Threshold, four_eyes: FourEyes) -> ThresholdShape:
    told: ThresholdShape = {
        "currency": threshold.currency,
        "from": threshold.amount,
        "effective": four_eyes.begins_at(threshold.currency),
        "set_by": threshold.set_by,
        "set_at": stamp_or_none(threshold.set_at),
        "reason": threshold.reason and masked_text(threshold.reason),
        "proposed": _proposed(threshold),
    }
    return given(told, ThresholdShape.__optional_keys__)


def _with_default(thresholds: Sequence[Threshold]) -> Sequence[Threshold]:
    """Have the default stand first, also where it was never set."""
    default = [each for each in thresholds if each.currency == DEFAULT]
    others = [each for each in thresholds if each.currency != DEFAULT]
    return [*(default or [Threshold(currency=DEFAULT)]), *others]


def _proposed(threshold: Threshold) -> ProposalShape | None:
    proposal = threshold.proposal
    if proposal is None:
        return None
    return {"from": proposal.amount, "by": proposal.by, "at": stamp(proposal.at)}
