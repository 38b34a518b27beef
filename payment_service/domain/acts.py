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

from payment_service.domain.audit import GENESIS, AuditLine, chained
from payment_service.domain.audit_keys import AuditKeys
from payment_service.domain.masking import masked_text

SERVICE: Final = "00000000-0000-7000-8000-000000000000"
"""The entity of the service's lines: a UUIDv7 of 1970, smaller than any that is made.

So they lie in the partition for the rest, and come first where all are read.
"""
STATE: Final = "SERVICE"


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


def service_line(
    act: Act, version: int, previous: bytes, *, at: datetime, keys: AuditKeys
) -> AuditLine:
    """Make the service's line after ``version``, whose hash was ``previous``.

    Version 0 is before the first.
    """
    return chained(
        previous if version else GENESIS,
        entity_id=SERVICE,
        queue_id=SERVICE,
        task_id=None,
        version=version + 1,
        source=STATE if version else None,
        target=STATE,
        trigger=act.trigger,
        actor=act.actor,
        at=at,
        trace_id=None,
        detail=act.told,
        keys=keys,
    )
