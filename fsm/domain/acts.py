"""What people do beside moving a state, and the audit lines that say so.

What is about an order is a line of its own chain. What is about the service itself is
one of a chain under an id that nothing else can have. In each of these lines ``from``
and ``to`` say the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from fsm.domain.audit import GENESIS, AuditLine, audit_line, signed_line
from fsm.domain.audit_keys import AuditKeys
from fsm.domain.errors import NotNow, Tampered
from fsm.domain.masking import masked_text
from fsm.domain.seals import queue_is_sealed, sealed_queue
from fsm.engine.records import replace
from fsm.engine.rows import Queue
from fsm.engine.steps import QueueChange

SERVICE: Final = "00000000-0000-7000-8000-000000000000"
"""The entity of the service's lines: a UUIDv7 of 1970, smaller than any that is made.

So they lie in the partition for the rest, and come first where all are read.
"""
STATE: Final = "SERVICE"


NO_REASON: Final = "no reason was given"
"""Stands in the trail where somebody may act without a word, and has."""
SYSTEM: Final = "system"
"""Who acts where it is no person but this service."""


class CaseTrigger(StrEnum):
    """What people do to a case: always a line of its order."""

    CLOSED = "case.closed"
    CLOSE_PROPOSED = "case.close_proposed"
    CLOSE_WITHDRAWN = "case.close_withdrawn"
    CLOSE_CONTESTED = "case.close_contested"
    ASSIGNED = "case.assigned"


class LetterTrigger(StrEnum):
    """What is done to a dead letter: a line of its order, or else of the service.

    ``REOPENED`` is nobody's act: the same message has died again.
    """

    REPLAYED = "dead_letter.replayed"
    DISCARDED = "dead_letter.discarded"
    REOPENED = "dead_letter.reopened"


class ServiceTrigger(StrEnum):
    """What can be done to the service itself; ``verify`` knows nothing else."""

    PROVIDER_PAUSED = "provider.paused"
    PROVIDER_RESUMED = "provider.resumed"
    KEY_PROPOSED = "key.proposed"
    KEY_MADE = "key.made"
    KEY_AGREED = "key.agreed"
    KEY_REVOKED = "key.revoked"
    FOUR_EYES_PROPOSED = "four_eyes.proposed"
    FOUR_EYES_SET = "four_eyes.set"


ORDER_ACTS: Final = (*CaseTrigger, *LetterTrigger)
SERVICE_ACTS: Final = (*ServiceTrigger, *LetterTrigger)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something that somebody did, and why; ``detail`` names what it was done to."""

    trigger: str
    actor: str
    reason: str
    detail: Mapping[str, object] = field(default_factory=dict)

    @property
    def told(self) -> Mapping[str, object]:
        """The detail of its line: with the reason, what may not be seen hidden."""
        return {**self.detail, "reason": masked_text(self.reason)}


def case_act(
    trigger: CaseTrigger, case_id: str, *, actor: str, reason: str, **more: str
) -> Act:
    """Return what somebody does to a case."""
    detail = {"case_id": case_id, **more}
    return Act(trigger=trigger, actor=actor, reason=reason, detail=detail)


def letter_act(
    trigger: LetterTrigger, letter_id: str, *, actor: str, reason: str
) -> Act:
    """Return what somebody does to a dead letter."""
    detail = {"dead_letter_id": letter_id}
    return Act(trigger=trigger, actor=actor, reason=reason, detail=detail)


def acted(
    queue: Queue,
    act: Act,
    *,
    signed_by: str,
    at: datetime,
    keys: AuditKeys,
) -> tuple[Queue, AuditLine]:
    """Return an order's own row after an act, and the line that says so.

    Its version is one higher, and nothing else has changed: what is due stays due.
    ``signed_by`` is the key of the order, by which its row is sealed.

    :raises Tampered: another hand has changed the row: to write after it would seal it.
    :raises NotNow: that key is not known here.
    """
    if signed_by not in keys:
        raise NotNow(f"the order is signed by the key {signed_by!r}, not known here")
    if not queue_is_sealed(queue, signed_by, keys):
        raise Tampered(queue.queue_id, "its own row is not as it was left")
    after = replace(queue, version=queue.version + 1)
    change = QueueChange(
        before=queue,
        after=after,
        trigger=act.trigger,
        actor=act.actor,
        detail=act.told,
    )
    line = audit_line(change, at=at, keys=keys)
    return sealed_queue(after, line.hash, signed_by, keys), line


def service_line(
    act: Act, version: int, previous: bytes, *, at: datetime, keys: AuditKeys
) -> AuditLine:
    """Make the service's line after ``version``, whose hash was ``previous``.

    Version 0 is before the first.
    """
    return signed_line(
        previous if version else GENESIS,
        keys,
        entity_id=SERVICE,
        queue_id=SERVICE,
        version=version + 1,
        source=STATE if version else None,
        target=STATE,
        trigger=act.trigger,
        actor=act.actor,
        at=at,
        detail=act.told,
    )
