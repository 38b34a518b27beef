"""The keys of the books: who can write the database cannot sign what it says.

The first signs, all verify. The id of a key stands beside whatever it has signed; the
key itself is in the settings, and never in the database.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Final

OPEN: Final = "open"
"""The id of the key that everybody knows: it shows accidents, and no forgery."""
KEY_BYTES_MIN: Final = 32
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}", re.ASCII)
_HEX: Final = re.compile(r"([0-9a-fA-F]{2})+", re.ASCII)
_BLOCK: Final = 64
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))
_PUBLIC: Final = b"payment-service: PAYMENT_AUDIT_KEYS is not set"


class _Hmac:
    """HMAC-SHA256 (RFC 2104) with a key that is taken in once.

    `hmac.digest` does so anew for each message, which is more than half of its cost;
    a step signs its line, and there are many steps a second.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        short = key if len(key) <= _BLOCK else sha256(key).digest()
        block = short.ljust(_BLOCK, b"\0")
        self._inner = sha256(block.translate(_INNER))
        self._outer = sha256(block.translate(_OUTER))

    def of(self, data: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(data)
        outer.update(inner.digest())
        return outer.digest()


@lru_cache(maxsize=64)
def _taken_in(key: bytes) -> _Hmac:
    return _Hmac(key)


@dataclass(frozen=True, slots=True)
class AuditKeys:
    """Keys by their ids, in the order of the settings; there is one at least."""

    keys: Mapping[str, bytes] = field(repr=False)

    @property
    def signer(self) -> str:
        """The id of the key that signs."""
        return next(iter(self.keys))

    @property
    def secret(self) -> bool:
        """True where what is signed cannot be forged by who can write the database."""
        return self.signer != OPEN

    def __contains__(self, key_id: object) -> bool:
        """Tell whether what this key has signed can be verified here."""
        return key_id in self.keys

    def mac(self, key_id: str, data: bytes) -> bytes:
        """Return the HMAC-SHA256 of ``data`` by a key.

        :raises KeyError: there is no such key here.
        """
        return _taken_in(self.keys[key_id]).of(data)

    def holds(self, key_id: str, data: bytes, mac: bytes) -> bool:
        """Tell whether that key is known, and has signed this."""
        return key_id in self.keys and hmac.compare_digest(self.mac(key_id, data), mac)


UNKEYED: Final = AuditKeys({OPEN: _PUBLIC})
"""What holds where no key is set: a chain as anybody could compute it."""


def parse_audit_keys(text: str) -> AuditKeys:
    """Read ``id:hex``, comma separated; ``open`` lets stand what was signed unkeyed.

    :raises ValueError: says which entry, by its place, and never what it holds.
    """
    keys: dict[str, bytes] = {}
    for place, entry in enumerate((e.strip() for e in text.split(",")), 1):
        if not entry:
            continue
        key_id, key = _key(place, entry, first=not keys)
        if key_id in keys:
            raise ValueError("has two keys of the same id")
        keys[key_id] = key
    return AuditKeys(keys) if keys else UNKEYED


def _key(place: int, entry: str, *, first: bool) -> tuple[str, bytes]:
    if entry == OPEN and not first:
        return OPEN, _PUBLIC
    key_id, colon, digits = entry.partition(":")
    if not colon:
        problem = "is not id:hex-of-the-key"
    elif not _ID.fullmatch(key_id) or key_id == OPEN:
        problem = "has an id that is not of letters, digits and ._-, or is open"
    elif not _HEX.fullmatch(digits) or len(digits) < 2 * KEY_BYTES_MIN:
        problem = f"has a key that is not of at least {2 * KEY_BYTES_MIN} hex digits"
    else:
        return key_id, bytes.fromhex(digits)
    message = f"has an entry {place} that {problem}"
    raise ValueError(message)
