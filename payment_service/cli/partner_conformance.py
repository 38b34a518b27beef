"""Checks the adapter of a partner by the scenarios of the conformance kit."""

from collections.abc import Sequence
from pathlib import Path

from payment_service.cli import conformance
from payment_service.cli.context import run_async
from payment_service.cli.errors import Usage
from providers.testing.conformance.doubles import NoDouble
from providers.testing.conformance.partners import PARTNER_SCENARIOS, PartnerCandidate


def check(name: str, *, config: Path | None, only: Sequence[str], as_json: bool) -> int:
    """Play the scenarios for one partner; return 1 if it fails in any."""
    table = conformance.raw_table("partners", name, config)
    chosen = conformance.chosen_of(
        PARTNER_SCENARIOS, only, listed_by="partner scenarios"
    )
    try:
        outcomes = run_async(PartnerCandidate(name, table).play_all(chosen))
    except NoDouble as absent:
        raise Usage(str(absent)) from None
    return conformance.reported(outcomes, {"partner": name}, as_json=as_json)


def list_scenarios(*, as_json: bool) -> int:
    """Print every scenario and what it proves."""
    return conformance.list_scenarios(PARTNER_SCENARIOS, as_json=as_json)
