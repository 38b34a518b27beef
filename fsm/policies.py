"""What a cascade entry changes in its provider's plan."""

from dataclasses import replace
from functools import lru_cache
from typing import Final

from fsm.domain.durations import parse_duration
from fsm.payout.policy import ProviderPolicy

NEVER: Final = "none"
CACHED_MAX: Final = 4096


def policy_for(provider_policy: ProviderPolicy, sla: str | None) -> ProviderPolicy:
    """Return the plan of one attempt; ``sla`` None leaves the provider's own.

    :raises ValueError: ``sla`` is neither a duration nor ``none``.
    """
    return provider_policy if sla is None else _with_sla(provider_policy, sla)


@lru_cache(maxsize=CACHED_MAX)
def _with_sla(provider_policy: ProviderPolicy, sla: str) -> ProviderPolicy:
    return replace(provider_policy, sla=None if sla == NEVER else parse_duration(sla))
