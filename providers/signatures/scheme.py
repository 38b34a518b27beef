"""What all signature schemes share: the interface, strict headers, safe comparison."""

import hmac
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from fsm.domain.durations import format_duration
from providers.port import Rejected, Verified
from providers.signatures.settings import BadSecret, SchemeSettings, Secret, Unsafe

KEY_BYTES_MIN: Final = 16
HEADER_LENGTH_MAX: Final = 4096
SIGNATURES_MAX: Final = 16
TOLERANCE_DEFAULT: Final = timedelta(minutes=5)
TOLERANCE_MAX: Final = timedelta(hours=1)

EVENT_ID: Final = re.compile(r"[!-~]{1,128}", re.ASCII)
PRINTABLE: Final = re.compile(rf"[ -~]{{1,{HEADER_LENGTH_MAX}}}", re.ASCII)


class RejectionReason(StrEnum):
    """Why a webhook proves nothing: for the counter, never for the sender."""

    MISSING = "missing"
    REPEATED = "repeated"
    MALFORMED = "malformed"
    TOO_OLD = "too_old"
    TOO_NEW = "too_new"
    WRONG = "wrong"
    NO_EVENT = "no_event"
    UNKNOWN_CERTIFICATE = "unknown_certificate"


class Verifier(Protocol):
    """The check of one route, with the secrets and the tolerance of its configuration.

    It works on raw bytes and never raises.
    """

    def verify(
        self, headers: Mapping[str, list[str]], body: bytes, now: datetime
    ) -> Verified | Rejected:
        """Say who it is from; ``headers`` has lower-case names and every value."""
        ...


class RouteKeys:
    """The keys of a route, each of them within its window."""

    def __init__(
        self, secrets: Sequence[Secret], read: Callable[[str], bytes | None]
    ) -> None:
        if not secrets:
            raise BadSecret("must have at least one secret")
        require_windows(secrets)
        self._keys = [(_strong(read(secret.value)), secret) for secret in secrets]

    def at(self, now: datetime) -> list[bytes]:
        """Return the keys that count at this time."""
        return [key for key, secret in self._keys if secret.counts(now)]


def header(
    headers: Mapping[str, list[str]], name: str, form: re.Pattern[str] = PRINTABLE
) -> str | Rejected:
    """Return the value of a header that is there once and has the form."""
    values = headers.get(name) or []
    if len(values) != 1:
        return Rejected(RejectionReason.REPEATED if values else RejectionReason.MISSING)
    value = values[0]
    return value if form.fullmatch(value) else Rejected(RejectionReason.MALFORMED)


def untimely(
    sent: float, now: datetime, past: timedelta, future: timedelta
) -> Rejected | None:
    """Reject a time outside the tolerance, on either side."""
    age = now.timestamp() - sent
    if age > past.total_seconds():
        return Rejected(RejectionReason.TOO_OLD)
    return Rejected(RejectionReason.TOO_NEW) if -age > future.total_seconds() else None


def tolerance_in(
    settings: SchemeSettings,
    *,
    default: timedelta = TOLERANCE_DEFAULT,
    longest: timedelta = TOLERANCE_MAX,
) -> timedelta:
    """Return how old a webhook may be.

    :raises Unsafe: it is so long that an old one could be used again.
    """
    if settings.tolerance is None:
        return default
    if settings.tolerance > longest:
        limit = format_duration(longest)
        raise Unsafe("tolerance", f"must not be longer than {limit}")
    return settings.tolerance


def without_tolerance(settings: SchemeSettings, scheme: str) -> None:
    """Refuse a tolerance where nothing says when it was sent."""
    if settings.tolerance is not None:
        raise Unsafe("tolerance", f"has no meaning where {scheme} signs no time")


def any_equal(given: Iterable[bytes], expected: Sequence[bytes]) -> bool:
    """Compare every pair in constant time, and all of them."""
    found = [hmac.compare_digest(one, other) for one in given for other in expected]
    return any(found)


def require_windows(secrets: Sequence[Secret], name: str = "secrets") -> None:
    """Refuse a window in which nothing can count."""
    for number, secret in enumerate(secrets):
        first, last = secret.not_before, secret.not_after
        if first is not None and last is not None and first >= last:
            raise Unsafe(f"{name}[{number}].not_after", "must be after not_before")


def _strong(key: bytes | None) -> bytes:
    if key is None:
        raise BadSecret("must have secrets of the form that the scheme wants")
    if len(key) < KEY_BYTES_MIN:
        message = f"must have no secret of less than {KEY_BYTES_MIN} bytes"
        raise BadSecret(message)
    return key
