"""Checks an adapter by the scenarios of the conformance kit; reports for every kit."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from payment_service.cli.context import read_settings, run_async
from payment_service.cli.errors import DONE, FOUND_WRONG, Usage
from payment_service.cli.printing import print_json, print_table, print_text
from providers.config.file import read_raw
from providers.testing.conformance.charges import (
    CHARGE_SCENARIOS,
    ChargeCandidate,
)
from providers.testing.conformance.doubles import NoDouble
from providers.testing.conformance.report import lines_of, views_of
from providers.testing.conformance.runner import (
    Candidate,
    ScenarioOutcome,
    ToldScenario,
)
from providers.testing.conformance.scenarios import SCENARIOS

EVERY: Final[Sequence[ToldScenario]] = (*SCENARIOS, *CHARGE_SCENARIOS)
CHARGE: Final = "charge"
LISTED_BY: Final = "provider scenarios"

Played = TypeVar("Played", bound=ToldScenario)


def check(name: str, *, config: Path | None, only: Sequence[str], as_json: bool) -> int:
    """Play the scenarios for one provider; return 1 if it fails in any.

    Those of payouts, and of charges where its table has a ``charge``.
    """
    table = raw_table("providers", name, config)
    try:
        outcomes = run_async(_played(name, table, only))
    except NoDouble as absent:
        raise Usage(str(absent)) from None
    return reported(outcomes, {"provider": name}, as_json=as_json)


async def _played(
    name: str, table: dict[str, Any], only: Sequence[str]
) -> list[ScenarioOutcome]:
    """Play what was chosen of all that fits what a provider does."""
    fits = EVERY if CHARGE in table else SCENARIOS
    chosen = {each.name for each in chosen_of(fits, only, listed_by=LISTED_BY)}
    paid = [each for each in SCENARIOS if each.name in chosen]
    charged = [each for each in CHARGE_SCENARIOS if each.name in chosen]
    outcomes = await Candidate(name, table).play_all(paid)
    return outcomes + await ChargeCandidate(name, table).play_all(charged)


def list_scenarios(scenarios: Iterable[ToldScenario] = EVERY, *, as_json: bool) -> int:
    """Print every scenario of a kit and what it proves."""
    rows = [(each.name, each.proves) for each in scenarios]
    if as_json:
        told = [{"scenario": name, "proves": proves} for name, proves in rows]
        print_json({"scenarios": told})
    else:
        print_table(("scenario", "proves"), rows, empty="There is none.")
    return DONE


def raw_table(section: str, name: str, config: Path | None) -> dict[str, Any]:
    """Return the table ``[section.name]`` of the configuration, as it stands there."""
    path = config or read_settings().config
    named_by = "--config" if config else "PAYMENT_CONFIG"
    tables = read_raw(path, named_by=named_by).get(section)
    table = tables.get(name) if isinstance(tables, dict) else None
    if not isinstance(table, dict):
        raise Usage(f"{path} has no table [{section}.{name}]")
    return table


def chosen_of(
    scenarios: Sequence[Played], names: Sequence[str], *, listed_by: str
) -> list[Played]:
    """Return the scenarios of those names, or all; ``listed_by`` is who shows them."""
    known = {each.name: each for each in scenarios}
    if unknown := [name for name in names if name not in known]:
        raise Usage(f"--scenario {unknown[0]}: there is none; see {listed_by}")
    return [known[name] for name in names] or list(scenarios)


def reported(
    outcomes: Sequence[ScenarioOutcome],
    of: Mapping[str, object],
    *,
    as_json: bool,
    wrong: bool = False,
) -> int:
    """Tell what was found of whom; return 1 if any scenario found something wrong.

    ``wrong``: something is already, that ``of`` or the caller tells.
    """
    wrong = wrong or any(each.wrong for each in outcomes)
    if as_json:
        print_json({**of, "ok": not wrong, "scenarios": views_of(outcomes)})
    else:
        for line in lines_of(outcomes):
            print_text(line)
    return FOUND_WRONG if wrong else DONE
