"""Standard Webhooks 1.0.0, symmetric: HMAC-SHA256 of ``{id}.{timestamp}.{body}``."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from providers.port import Rejected, Verified
from providers.signatures.scheme import (
    SECONDS,
    SIGNATURES_MAX,
    BadSecret,
    Reason,
    any_equal,
    header,
    macs,
    strong,
    untimely,
)

PREFIX: Final = "whsec_"
VERSION: Final = "v1,"
# A dot in the id would let two different messages be signed alike.
_ID: Final = re.compile(r"[!-\-/-~]{1,128}", re.ASCII)


class Standard:
    """Verifies the three headers ``webhook-id``, ``-timestamp`` and ``-signature``."""

    def __init__(self, secrets: Sequence[str], tolerance: timedelta) -> None:
        self._keys = strong([_key(secret) for secret in secrets])
        self._tolerance = tolerance

    def verify(
        self, headers: Mapping[str, list[str]], body: bytes, now: datetime
    ) -> Verified | Rejected:
        """Check it against every secret; the event is ``webhook-id``."""
        event_id = header(headers, "webhook-id", _ID)
        seconds = header(headers, "webhook-timestamp", SECONDS)
        signatures = header(headers, "webhook-signature")
        for part in (event_id, seconds, signatures):
            if isinstance(part, Rejected):
                return part
        return self._checked(str(event_id), str(seconds), str(signatures), body, now)

    def _checked(
        self, event_id: str, seconds: str, signatures: str, body: bytes, now: datetime
    ) -> Verified | Rejected:
        if late := untimely(seconds, now, self._tolerance):
            return late
        given = signatures.split(" ")
        if len(given) > SIGNATURES_MAX:
            return Rejected(Reason.MALFORMED)
        content = f"{event_id}.{seconds}.".encode("ascii") + body
        expected = [base64.b64encode(mac) for mac in macs(self._keys, content)]
        ours = [one.removeprefix(VERSION) for one in given if one.startswith(VERSION)]
        return (
            Verified(event_id) if any_equal(ours, expected) else Rejected(Reason.WRONG)
        )


def _key(secret: str) -> bytes:
    if not secret.startswith(PREFIX):
        raise BadSecret("must have secrets of the form whsec_ and base64")
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise BadSecret("must have secrets of the form whsec_ and base64") from None
