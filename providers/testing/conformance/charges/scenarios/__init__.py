"""The scenarios of charges: collected once, never guessed, given back for certain.

Each is one promise of an adapter; a planted adapter breaks it, in the kit's own tests.
"""

from typing import Final, TypeAlias

from providers.testing.conformance.charges.scenarios import (
    answers,
    lost,
    refunds,
    secrets,
    wire,
)
from providers.testing.conformance.charges.stage import ChargeStage
from providers.testing.conformance.scenario import StagedScenario

ChargeScenario: TypeAlias = StagedScenario[ChargeStage]

_PARTS = (wire, answers, lost, refunds, secrets)

CHARGE_SCENARIOS: Final[tuple[ChargeScenario, ...]] = tuple(
    scenario for part in _PARTS for scenario in part.SCENES.all
)
"""All of them, in the order in which they are told."""
