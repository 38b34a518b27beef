"""A plain HMAC-SHA256 of the body, in hexadecimal, with the event's id beside it."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from providers.port import Rejected, Verified
from providers.signatures.scheme import (
    EVENT_ID,
    Reason,
    any_equal,
    header,
    macs,
    text_keys,
)

PREFIX: Final = "sha256="
_SIGNATURE: Final = re.compile(r"sha256=[0-9a-f]{64}", re.ASCII)


class HmacSha256:
    """Verifies ``X-Signature: sha256=HEX``; the event is ``X-Event-Id``."""

    def __init__(self, secrets: Sequence[str], tolerance: timedelta) -> None:
        self._keys = text_keys(secrets)
        # Nothing in this scheme says when it was sent.
        del tolerance

    def verify(
        self, headers: Mapping[str, list[str]], body: bytes, now: datetime
    ) -> Verified | Rejected:
        """Check it against every secret; the time has no part in it."""
        del now
        signature = header(headers, "x-signature", _SIGNATURE)
        event_id = header(headers, "x-event-id", EVENT_ID)
        if isinstance(signature, Rejected):
            return signature
        if isinstance(event_id, Rejected):
            return event_id
        expected = [mac.hex().encode("ascii") for mac in macs(self._keys, body)]
        holds = any_equal([signature.removeprefix(PREFIX)], expected)
        return Verified(event_id) if holds else Rejected(Reason.WRONG)
