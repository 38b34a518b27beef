"""What people decide beside the states, as an audit line says it and as a row does."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from payment_service.domain.acts import ServiceTrigger


class Subject(NamedTuple):
    """What was decided about: a thing of this kind, by its id or its name."""

    kind: str
    id: str


class Decided(NamedTuple):
    """The last decision about a subject; None is what a row does not keep.

    ``more`` is what else it sets: until when a provider is paused.
    """

    what: str
    by: str | None
    at: datetime | None
    reason: str | None
    more: str | None = None


class _Words(NamedTuple):
    """How a line says it: the subject's kind, the fields of its id and of ``more``."""

    kind: str
    id: str
    what: str
    more: str = ""


PROVIDER: Final = "provider"
PAUSED: Final = "paused"
READY: Final = "ready"
KEY: Final = "key"
WAITING: Final = "waiting"
LIVE: Final = "live"
REVOKED: Final = "revoked"
FOUR_EYES: Final = "four_eyes"
SET: Final = "set"
_WORDS: Final[Mapping[str, _Words]] = {
    ServiceTrigger.PROVIDER_PAUSED: _Words(PROVIDER, "provider", PAUSED, "until"),
    ServiceTrigger.PROVIDER_RESUMED: _Words(PROVIDER, "provider", READY, "until"),
    ServiceTrigger.KEY_PROPOSED: _Words(KEY, "key", WAITING, "fingerprint"),
    ServiceTrigger.KEY_MADE: _Words(KEY, "key", LIVE, "fingerprint"),
    ServiceTrigger.KEY_AGREED: _Words(KEY, "key", LIVE, "fingerprint"),
    ServiceTrigger.KEY_REVOKED: _Words(KEY, "key", REVOKED, "fingerprint"),
    ServiceTrigger.FOUR_EYES_SET: _Words(FOUR_EYES, "currency", SET, "from"),
}


def decision_in(
    *, trigger: str, actor: str, at: datetime, detail: Mapping[str, object]
) -> tuple[Subject, Decided] | None:
    """Return what an audit line decides; None where it only moves a state."""
    words = _WORDS.get(trigger)
    if words is None:
        return None
    subject = Subject(words.kind, str(detail.get(words.id)))
    reason, more = detail.get("reason"), detail.get(words.more)
    return subject, Decided(words.what, actor, at, _text(reason), _text(more))


def _text(value: object) -> str | None:
    return None if value is None else str(value)
