"""What people decide beside the states, as an audit line says it and as a row does."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple, Protocol

from fsm.domain.acts import (
    SERVICE,
    CaseTrigger,
    LetterTrigger,
    ServiceTrigger,
)
from fsm.engine.words import CaseState


class Subject(NamedTuple):
    """What was decided about: a thing of this kind, by its id or its name."""

    kind: str
    id: str


class Decided(NamedTuple):
    """The last decision about a subject; None is what a row does not keep.

    ``more`` is what else it sets: until when a provider is paused, who owns a case.
    ``queue_id`` is the order in whose chain it stands, None for the service's.
    """

    what: str
    by: str | None
    at: datetime | None
    reason: str | None
    more: str | None = None
    queue_id: str | None = None


class _Words(NamedTuple):
    """How a line says it: the subject's kind, the fields of its id and of ``more``."""

    kind: str
    id: str
    what: str
    more: str = ""


PROVIDER: Final = "provider"
PAUSED: Final = "paused"
READY: Final = "ready"
CASE: Final = "case"
OWNER: Final = "owner of case"
VOTE: Final = "vote to close case"
RETURN: Final = "return of task"
RETURN_SETTLED: Final = "return.confirmed"
"""What a line says where core has taken the money of a task back in."""
LETTER: Final = "dead letter"
OPEN: Final = "open"
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
    CaseTrigger.CLOSED: _Words(CASE, "case_id", CaseState.CLOSED),
    CaseTrigger.CLOSE_PROPOSED: _Words(VOTE, "case_id", "proposed", "voter"),
    CaseTrigger.CLOSE_WITHDRAWN: _Words(VOTE, "case_id", OPEN),
    CaseTrigger.CLOSE_CONTESTED: _Words(VOTE, "case_id", OPEN),
    CaseTrigger.ASSIGNED: _Words(OWNER, "case_id", "assigned", "owner"),
    LetterTrigger.REPLAYED: _Words(LETTER, "dead_letter_id", "replayed"),
    LetterTrigger.DISCARDED: _Words(LETTER, "dead_letter_id", "discarded"),
    LetterTrigger.REOPENED: _Words(LETTER, "dead_letter_id", OPEN),
}


class Said(Protocol):
    """An audit line, as it was made or as it was read."""

    @property
    def queue_id(self) -> str: ...
    @property
    def task_id(self) -> str | None: ...
    @property
    def trigger(self) -> str: ...
    @property
    def actor(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def detail(self) -> Mapping[str, object]: ...


def decision_in(line: Said) -> tuple[Subject, Decided] | None:
    """Return what an audit line decides; None where it only moves a state."""
    queue_id = None if line.queue_id == SERVICE else line.queue_id
    if line.trigger == RETURN_SETTLED and line.task_id is not None:
        settled = Decided(
            CaseState.SETTLED, line.actor, line.at, None, queue_id=queue_id
        )
        return Subject(RETURN, line.task_id), settled
    words = _WORDS.get(line.trigger)
    if words is None:
        return None
    subject = Subject(words.kind, str(line.detail.get(words.id)))
    reason, more = line.detail.get("reason"), line.detail.get(words.more)
    decided = Decided(
        words.what, line.actor, line.at, _text(reason), _text(more), queue_id
    )
    return subject, decided


def _text(value: object) -> str | None:
    return None if value is None else str(value)
