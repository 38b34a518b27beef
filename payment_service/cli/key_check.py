"""Judges the signatures of API keys and thresholds: rows changed by another hand."""

from collections.abc import Iterator
from typing import Final, LiteralString, NamedTuple

from fsm.domain.audit_keys import AuditKeys
from fsm.engine.judged import Offence
from fsm.engine.words import Invariant
from payment_service.cli.snapshot import Snapshot
from payment_service.storage.people import key_is_signed, threshold_is_signed

KEYS: Final[LiteralString] = """
SELECT name, role, sha256, person, merchants, expires, made_by, made_person, made_at,
    takes_two, agreed_by, agreed_at, revoked_by, revoked_at, revoke_reason, signed_by,
    signature
FROM api_keys ORDER BY name
"""
THRESHOLDS: Final[LiteralString] = """
SELECT currency, amount, set_by, set_at, reason, proposed_amount, proposed_by,
    proposed_person, proposed_at, signed_by, signature
FROM four_eyes ORDER BY currency
"""


class KeyRow(NamedTuple):
    """A row of ``api_keys``, by the names of its columns."""

    name: object
    role: object
    sha256: object
    person: object
    merchants: object
    expires: object
    made_by: object
    made_person: object
    made_at: object
    takes_two: object
    agreed_by: object
    agreed_at: object
    revoked_by: object
    revoked_at: object
    revoke_reason: object
    signed_by: object
    signature: object
    used_at: object = None


class ThresholdRow(NamedTuple):
    """A row of ``four_eyes``, by the names of its columns."""

    currency: object
    amount: object
    set_by: object
    set_at: object
    reason: object
    proposed_amount: object
    proposed_by: object
    proposed_person: object
    proposed_at: object
    signed_by: object
    signature: object


def roster_offences(snapshot: Snapshot, keys: AuditKeys) -> Iterator[Offence]:
    """Find keys and thresholds that are not as whoever decided them has signed them."""
    for row in snapshot.rows("keys", KEYS, {}):
        key = KeyRow._make((*row, None))
        if not key_is_signed(key, keys):
            what = f"key {key.name}: its row is not as it was signed"
            yield Offence(Invariant.DECISION, None, None, what)
    for row in snapshot.rows("thresholds", THRESHOLDS, {}):
        threshold = ThresholdRow._make(row)
        if not threshold_is_signed(threshold, keys):
            what = f"four_eyes {threshold.currency}: its row is not as it was signed"
            yield Offence(Invariant.DECISION, None, None, what)
