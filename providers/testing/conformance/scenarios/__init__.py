"""All scenarios of the kit, in the order in which they are told."""

from typing import Final

from providers.testing.conformance.scenario import Scenario
from providers.testing.conformance.scenarios import (
    cancel,
    create,
    lost,
    secrets,
    statement,
    status,
    tokens,
    webhooks,
    wire,
)

_PARTS = (create, lost, wire, status, cancel, webhooks, statement, tokens, secrets)

SCENARIOS: Final[tuple[Scenario, ...]] = tuple(
    scenario for part in _PARTS for scenario in part.SCENES.all
)
