"""What all signature schemes share: the interface, strict headers, safe comparison."""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from providers.port import Rejected, Verified

KEY_BYTES_MIN: Final = 16
HEADER_LENGTH_MAX: Final = 4096
SIGNATURES_MAX: Final = 16

EVENT_ID: Final = re.compile(r"[!-~]{1,128}", re.ASCII)
SECONDS: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_PRINTABLE: Final = re.compile(rf"[ -~]{{1,{HEADER_LENGTH_MAX}}}", re.ASCII)


class Reason(StrEnum):
    """Why a webhook proves nothing: for the counter, never for the sender."""

    MISSING = "missing"
    REPEATED = "repeated"
    MALFORMED = "malformed"
    TOO_OLD = "too_old"
    TOO_NEW = "too_new"
    WRONG = "wrong"


class BadSecret(ValueError):
    """A secret that would protect nothing; the message never holds it."""


class Verifier(Protocol):
    """The check of one route, with the secrets and the tolerance of its configuration.

    It works on raw bytes and never raises.
    """

    def verify(
        self, headers: Mapping[str, list[str]], body: bytes, now: datetime
    ) -> Verified | Rejected:
        """Say who it is from; ``headers`` has lower-case names and every value."""
        ...


def header(
    headers: Mapping[str, list[str]], name: str, form: re.Pattern[str] = _PRINTABLE
) -> str | Rejected:
    """Return the value of a header that is there once and has the form."""
    values = headers.get(name) or []
    if len(values) != 1:
        return Rejected(Reason.REPEATED if values else Reason.MISSING)
    value = values[0]
    return value if form.fullmatch(value) else Rejected(Reason.MALFORMED)


def untimely(seconds: str, now: datetime, tolerance: timedelta) -> Rejected | None:
    """Reject a time outside the tolerance, on either side."""
    age = now.timestamp() - int(seconds)
    if age > tolerance.total_seconds():
        return Rejected(Reason.TOO_OLD)
    return Rejected(Reason.TOO_NEW) if -age > tolerance.total_seconds() else None


def macs(keys: Iterable[bytes], content: bytes) -> list[bytes]:
    """Return the HMAC-SHA256 under every key."""
    return [hmac.digest(key, content, hashlib.sha256) for key in keys]


def any_equal(given: Iterable[str], expected: Sequence[bytes]) -> bool:
    """Compare every pair in constant time, and all of them."""
    candidates = [text.encode("ascii") for text in given]
    found = [
        hmac.compare_digest(one, other) for one in candidates for other in expected
    ]
    return any(found)


def text_keys(secrets: Sequence[str]) -> list[bytes]:
    """Return the secrets' UTF-8 bytes, as they stand."""
    return strong([secret.encode() for secret in secrets])


def strong(keys: list[bytes]) -> list[bytes]:
    """Return the keys, or raise :class:`BadSecret` where one is too short."""
    if not keys:
        raise BadSecret("must have at least one secret")
    if any(len(key) < KEY_BYTES_MIN for key in keys):
        message = f"must have no secret of less than {KEY_BYTES_MIN} bytes"
        raise BadSecret(message)
    return keys
