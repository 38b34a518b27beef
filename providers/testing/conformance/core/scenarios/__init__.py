"""The scenarios of core, by what they try; reading them makes the list."""

from typing import Final

from providers.testing.conformance.core.scenario import AREAS, SCENES, CoreScenario
from providers.testing.conformance.core.scenarios import (
    holds,
    ledger,
    memberships,
    notifications,
    payouts,
    reach,
    rollbacks,
)

__all__ = [
    "CORE_SCENARIOS",
    "holds",
    "ledger",
    "memberships",
    "notifications",
    "payouts",
    "reach",
    "rollbacks",
]

CORE_SCENARIOS: Final[list[CoreScenario]] = sorted(
    SCENES, key=lambda each: AREAS.index(each.area)
)
"""All of them, in the order in which they are played and told."""
