"""Adyen's standard notifications: every item of the body is signed by itself."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from fsm.domain.errors import InvalidRequest
from fsm.domain.foreign_json import read_foreign
from providers.port import Rejected, Verified
from providers.signatures.encodings import from_hex
from providers.signatures.scheme import (
    RejectionReason,
    RouteKeys,
    any_equal,
    without_tolerance,
)
from providers.signatures.settings import SchemeSettings

ITEMS_MAX: Final = 16
# It is read before anybody is known to have signed it.
SIZE_MAX: Final = 64 * 1024
_SIGNATURE: Final = re.compile(r"[A-Za-z0-9+/]{43}=", re.ASCII)
# The fields are joined by colons that nothing escapes. Only one of them may hold a
# colon itself, so that the joined text can be taken apart in one way alone.
_FIELDS: Final[Mapping[str, re.Pattern[str]]] = {
    "pspReference": re.compile(r"[!-9;-~]{1,64}", re.ASCII),
    "originalReference": re.compile(r"[^:]{0,256}"),
    "merchantAccountCode": re.compile(r"[^:]{0,256}"),
    "merchantReference": re.compile(r"(?s:.){0,1024}"),
    "value": re.compile(r"(?:-?[0-9]{1,20})?", re.ASCII),
    "currency": re.compile(r"(?:[A-Z]{3})?", re.ASCII),
    "eventCode": re.compile(r"[A-Z0-9_]{1,64}", re.ASCII),
    "success": re.compile(r"true|false", re.ASCII),
}


@dataclass(frozen=True, slots=True)
class _Item:
    content: bytes
    signature: bytes
    event: str


class Adyen:
    """Verifies ``additionalData.hmacSignature`` of all items, or of none.

    Nothing but the eight fields of an item is signed, and no time is. The event is
    (pspReference, eventCode, success), and of several items all of these together.
    """

    def __init__(self, settings: SchemeSettings) -> None:
        without_tolerance(settings, "adyen")
        self._keys = RouteKeys(settings.secrets, from_hex)

    def verify(
        self, headers: Mapping[str, list[str]], body: bytes, now: datetime
    ) -> Verified | Rejected:
        """Check every item against every secret that counts."""
        del headers
        items = _items(body)
        if not items:
            return Rejected(RejectionReason.MALFORMED)
        keys = self._keys.at(now)
        holding = [_holds(item, keys) for item in items]
        if not all(holding):
            return Rejected(RejectionReason.WRONG)
        return Verified(_event_id([item.event for item in items]))


def _items(body: bytes) -> list[_Item] | None:
    """Return all items; None where one of them cannot be read."""
    try:
        tree = read_foreign(body, size_max=SIZE_MAX)
    except InvalidRequest:
        return None
    raw = tree.get("notificationItems") if isinstance(tree, dict) else None
    if not isinstance(raw, list) or len(raw) > ITEMS_MAX:
        return None
    items = [_item(one) for one in raw]
    found = [item for item in items if item is not None]
    return found if len(found) == len(items) else None


def _item(raw: object) -> _Item | None:
    if not isinstance(raw, dict) or list(raw) != ["NotificationRequestItem"]:
        return None
    told = raw["NotificationRequestItem"]
    if not isinstance(told, dict):
        return None
    amount, more = told.get("amount", {}), told.get("additionalData")
    if not isinstance(amount, dict) or not isinstance(more, dict):
        return None
    fields = _fields({**told, **_amount(amount)})
    signature = more.get("hmacSignature")
    if fields is None or not isinstance(signature, str):
        return None
    if not _SIGNATURE.fullmatch(signature):
        return None
    psp, code, success = (
        fields[name] for name in ("pspReference", "eventCode", "success")
    )
    content = ":".join(fields.values()).encode()
    return _Item(content, signature.encode("ascii"), f"{psp}:{code}:{success}")


def _amount(amount: Mapping[str, object]) -> dict[str, object]:
    """Return value and currency as text; None for what is no integer."""
    return {
        "value": _digits(amount["value"]) if "value" in amount else "",
        "currency": amount.get("currency", ""),
    }


def _digits(value: object) -> str | None:
    # A boolean is an integer too, and no digits.
    return str(value) if isinstance(value, int) else None


def _fields(told: Mapping[str, object]) -> dict[str, str] | None:
    fields: dict[str, str] = {}
    for name, form in _FIELDS.items():
        text = told.get(name, "")
        if not isinstance(text, str) or not form.fullmatch(text):
            return None
        fields[name] = text
    return fields


def _holds(item: _Item, keys: Sequence[bytes]) -> bool:
    macs = [hmac.digest(key, item.content, hashlib.sha256) for key in keys]
    return any_equal([item.signature], [base64.b64encode(mac) for mac in macs])


def _event_id(events: Sequence[str]) -> str:
    if len(events) == 1:
        return events[0]
    joined = "\n".join(sorted(events)).encode("ascii")
    return f"items:{hashlib.sha256(joined).hexdigest()}"
