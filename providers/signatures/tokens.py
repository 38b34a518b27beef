"""A token that both sides have, sent as it is: it says who knocks, and nothing else."""

import hashlib
from collections.abc import Mapping
from datetime import datetime

from providers.port import Rejected, Verified
from providers.signatures.scheme import (
    EVENT_ID,
    PRINTABLE,
    RejectionReason,
    RouteKeys,
    any_equal,
    header,
    without_tolerance,
)
from providers.signatures.settings import SchemeSettings, SignatureForm, Unsafe
from providers.signatures.signed import named, nameless, pointer_of, require_one_event
from providers.signatures.signed import require_headers_apart as require_apart


class Token:
    """Compares a header with every token that counts, in constant time.

    Nothing of the body is proven, and no time is: whoever once saw the token can say
    whatever there is to say.
    """

    def __init__(self, settings: SchemeSettings) -> None:
        form = settings.token
        if form is None:
            raise Unsafe("token", "is missing")
        without_tolerance(settings, "token")
        require_one_event(form)
        require_apart(form)
        self._form: SignatureForm = form
        self._pointer = pointer_of(form)
        self._keys = RouteKeys(settings.secrets, _sent)

    def verify(
        self, headers: Mapping[str, list[str]], body: bytes, now: datetime
    ) -> Verified | Rejected:
        """Check the token; the event is where the form says."""
        told = header(headers, self._form.header)
        if isinstance(told, Rejected):
            return told
        if not told.startswith(self._form.prefix):
            return Rejected(RejectionReason.MALFORMED)
        given = told.removeprefix(self._form.prefix).encode("ascii")
        # Of one length, so that not even that is told.
        ours = [_digest(key) for key in self._keys.at(now)]
        if not any_equal([_digest(given)], ours):
            return Rejected(RejectionReason.WRONG)
        event: str | Rejected | None = None
        if self._form.event_id_header is not None:
            event = header(headers, self._form.event_id_header, EVENT_ID)
        if isinstance(event, Rejected):
            return nameless(event, self._form)
        return named(event, body, self._pointer)


def _sent(secret: str) -> bytes | None:
    """Return a token as a header can bring it; None for one that never can."""
    can = PRINTABLE.fullmatch(secret) and secret.strip() == secret
    return secret.encode("ascii") if can else None


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()
