"""Ids: UUIDv7 for what this service makes, derived UUIDs for what follows from it."""

import hashlib
import re
import secrets
from datetime import datetime
from typing import Final, TypeGuard
from uuid import NAMESPACE_URL, uuid5

_EVENTS: Final = uuid5(NAMESPACE_URL, "urn:payment-service:events")
_IN_SPACE: Final = hashlib.sha1(_EVENTS.bytes, usedforsecurity=False)
_CANONICAL: Final = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII
)
_MADE_HERE: Final = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII
)
ID_LENGTH_MAX: Final = 128


def new_id(at: datetime) -> str:
    """Make a UUIDv7: 48 bits of milliseconds, then 74 random ones (RFC 9562)."""
    millis = int(at.timestamp() * 1000)
    value = (millis & (2**48 - 1)) << 80 | 0x7 << 76 | secrets.randbits(12) << 64
    value |= 0b10 << 62 | secrets.randbits(62)
    return _written(f"{value:032x}")


def derived_id(*cause: object) -> str:
    """Return the one id that belongs to this cause, today and after any replay."""
    name = "\x1f".join(map(str, cause)).encode()
    # As `uuid.uuid5` does (RFC 9562, section 5.5), in half of its time.
    made = _IN_SPACE.copy()
    made.update(name)
    digits = made.hexdigest()
    variant = "89ab"[int(digits[16], 16) & 0b11]
    return _written(f"{digits[:12]}5{digits[13:16]}{variant}{digits[17:32]}")


def _written(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def is_uuid(text: object) -> TypeGuard[str]:
    """True for a UUID in its canonical, lower-case form."""
    return isinstance(text, str) and _CANONICAL.fullmatch(text) is not None


def is_made_here(text: str) -> bool:
    """True for a UUIDv7 as :func:`new_id` writes it."""
    return _MADE_HERE.fullmatch(text) is not None
