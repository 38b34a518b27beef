"""Acme passes the conformance kit of partners, scenario by scenario."""

import asyncio
import tomllib
from pathlib import Path

import pytest

from providers.testing.conformance.partners import (
    PARTNER_SCENARIOS,
    PartnerCandidate,
    PartnerScenario,
)

FILE = Path(__file__).with_name("payment.toml")
TABLE = tomllib.loads(FILE.read_text("utf-8"))["partners"]["acme"]


@pytest.mark.parametrize("scenario", PARTNER_SCENARIOS, ids=str)
def test_acme(scenario: PartnerScenario) -> None:
    """Play a scenario; one that has no meaning for this partner is skipped."""
    outcome = asyncio.run(PartnerCandidate("acme", TABLE).play(scenario))

    if outcome.not_here is not None:
        pytest.skip(outcome.not_here)
    if outcome.wrong:
        pytest.fail("\n".join(outcome.wrong), pytrace=False)
