"""The policy of a payout provider: its capabilities, as the core sees them."""

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final

from fsm.domain.durations import parse_duration
from fsm.engine.backoff import Backoff
from fsm.engine.rows import Task

NEVER: Final = "none"
CACHED_MAX: Final = 4096
_MINUTES: Final = timedelta(minutes=5)
_POLL: Final = Backoff(first=timedelta(seconds=30), factor=2.0, longest=_MINUTES)
_RECHECK: Final = Backoff(first=timedelta(seconds=5), factor=2.0, longest=_MINUTES)


class AskedBy(StrEnum):
    """By which name a provider can be asked for the status of a payout."""

    OURS = "our reference"
    THEIRS = "the provider's own id"
    NOTHING = "nothing: it cannot be asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderPolicy:
    """How a provider may be treated: its capabilities as the core sees them.

    ``asked_by`` is the name that its status is asked by: where that is not known, or
    there is none, a repeat of the create with the same key is the question.

    ``sla`` None means: wait for a webhook or a person, never poll.
    ``polls`` says what follows the SLA: ask the provider, or a person. ``finality`` is
    how long after its success a payout may come back and be settled through core;
    ``settles_returns`` lets that happen without a person.
    """

    asked_by: AskedBy = AskedBy.OURS
    idempotent_create: bool = False
    key_lifetime: timedelta = timedelta(hours=24)
    not_found_definite: bool = False
    not_found_grace: timedelta = timedelta(minutes=2)
    sla: timedelta | None = timedelta(minutes=15)
    polls: bool = True
    poll: Backoff = _POLL
    poll_deadline: timedelta = timedelta(minutes=30)
    recheck: Backoff = _RECHECK
    recheck_attempts: int = 8
    finality: timedelta | None = timedelta(days=30)
    settles_returns: bool = False

    def can_ask(self, task: Task) -> bool:
        """True where the status of this attempt can be asked now."""
        if self.asked_by is AskedBy.THEIRS:
            return task.provider_reference is not None
        return self.asked_by is AskedBy.OURS


def policy_for(provider_policy: ProviderPolicy, sla: str | None) -> ProviderPolicy:
    """Return the policy of one attempt; ``sla`` None leaves the provider's own.

    :raises ValueError: ``sla`` is neither a duration nor ``none``.
    """
    return provider_policy if sla is None else _with_sla(provider_policy, sla)


@lru_cache(maxsize=CACHED_MAX)
def _with_sla(provider_policy: ProviderPolicy, sla: str) -> ProviderPolicy:
    return replace(provider_policy, sla=None if sla == NEVER else parse_duration(sla))
