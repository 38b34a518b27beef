"""Vouches for messages that ask for something, where they lie in the database.

Who can write there could else ask for a payout of his own: a row of the outbox is
published, and a dead letter replayed, in the service's name. What only rings for a row
needs nobody's word: it does what the row says.
"""

from collections.abc import Mapping
from typing import Final

import orjson

from fsm.domain.audit_keys import AuditKeys
from fsm.domain.messages import WEBHOOK_RECEIVED

VOUCHER: Final = "X-Vouched"
"""The header with ``key:hex`` of who has taken in what is to be sent again."""
_OWN: Final = "order."


def asks(subject: str, body: bytes) -> bool:
    """Tell whether a message is more than a wake-up or an event of ours.

    All requests are, whatever no subject of ours begins like, and a forwarded webhook.
    """
    if not subject.startswith(_OWN):
        return True
    return subject == WEBHOOK_RECEIVED and _says_something(body)


def _says_something(body: bytes) -> bool:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return True
    return not isinstance(found, dict) or "body" in found


def voucher(subject: str, body: bytes, keys: AuditKeys) -> str:
    """Return what vouches for this message, and for no other."""
    return f"{keys.signer}:{keys.mac(keys.signer, _said(subject, body)).hex()}"


def is_vouched(
    headers: Mapping[str, str], subject: str, body: bytes, keys: AuditKeys
) -> bool:
    """Tell whether a key that is known here vouches for just this."""
    key_id, _, digits = headers.get(VOUCHER, "").rpartition(":")
    try:
        mac = bytes.fromhex(digits)
    except ValueError:
        return False
    return keys.holds(key_id, _said(subject, body), mac)


def _said(subject: str, body: bytes) -> bytes:
    return orjson.dumps(["asks", subject]) + body
