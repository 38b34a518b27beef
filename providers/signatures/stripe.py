"""Stripe's signature: HMAC-SHA256 of ``{t}.{body}``, the secret taken as it stands."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from providers.port import Rejected, Verified
from providers.signatures.scheme import (
    SECONDS,
    SIGNATURES_MAX,
    Reason,
    any_equal,
    header,
    macs,
    text_keys,
    untimely,
)

_HEX: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_ITEMS_MAX: Final = SIGNATURES_MAX + 4


class Stripe:
    """Verifies ``Stripe-Signature``; the event's id stands in the body."""

    def __init__(self, secrets: Sequence[str], tolerance: timedelta) -> None:
        self._keys = text_keys(secrets)
        self._tolerance = tolerance

    def verify(
        self, headers: Mapping[str, list[str]], body: bytes, now: datetime
    ) -> Verified | Rejected:
        """Check every ``v1`` against every secret; other versions prove nothing."""
        told = header(headers, "stripe-signature")
        if isinstance(told, Rejected):
            return told
        items = [item.partition("=") for item in told.split(",")]
        times = [value for name, _, value in items if name == "t"]
        given = [value for name, _, value in items if name == "v1"]
        if (
            len(items) > _ITEMS_MAX
            or len(times) != 1
            or not SECONDS.fullmatch(times[0])
        ):
            return Rejected(Reason.MALFORMED)
        if late := untimely(times[0], now, self._tolerance):
            return late
        expected = macs(self._keys, times[0].encode("ascii") + b"." + body)
        ours = filter(_HEX.fullmatch, given)
        holds = any_equal(ours, [mac.hex().encode("ascii") for mac in expected])
        return Verified(None) if holds else Rejected(Reason.WRONG)
