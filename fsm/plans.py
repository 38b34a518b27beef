"""What a cascade entry changes in its provider's plan."""

from dataclasses import replace
from functools import lru_cache
from typing import Final

from fsm.domain.durations import parse_duration
from fsm.payout.policy import Plan

NEVER: Final = "none"
CACHED_MAX: Final = 4096


def plan_for(provider_plan: Plan, sla: str | None) -> Plan:
    """Return the plan of one attempt; ``sla`` None leaves the provider's own.

    :raises ValueError: ``sla`` is neither a duration nor ``none``.
    """
    return provider_plan if sla is None else _with_sla(provider_plan, sla)


@lru_cache(maxsize=CACHED_MAX)
def _with_sla(provider_plan: Plan, sla: str) -> Plan:
    return replace(provider_plan, sla=None if sla == NEVER else parse_duration(sla))
