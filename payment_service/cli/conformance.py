"""Checks an adapter by the scenarios of the conformance kit."""

from collections.abc import Sequence
from pathlib import Path

from payment_service.cli.context import read_settings, run_async
from payment_service.cli.errors import DONE, FOUND_WRONG, Usage
from payment_service.cli.printing import print_json, print_table, print_text
from providers.config.file import read_raw
from providers.testing.conformance.doubles import NoDouble
from providers.testing.conformance.report import lines_of, views_of
from providers.testing.conformance.runner import Candidate
from providers.testing.conformance.scenario import Scenario
from providers.testing.conformance.scenarios import SCENARIOS


def check(name: str, *, config: Path | None, only: Sequence[str], as_json: bool) -> int:
    """Play the scenarios for one provider; return 1 if it fails in any."""
    path = config or read_settings().config
    named_by = "--config" if config else "PAYMENT_CONFIG"
    tables = read_raw(path, named_by=named_by).get("providers")
    table = tables.get(name) if isinstance(tables, dict) else None
    if not isinstance(table, dict):
        raise Usage(f"{path} has no table [providers.{name}]")
    candidate = Candidate(name, table)
    try:
        outcomes = run_async(candidate.play_all(_chosen(only)))
    except NoDouble as absent:
        raise Usage(str(absent)) from None
    wrong = any(each.wrong for each in outcomes)
    if as_json:
        print_json({"provider": name, "ok": not wrong, "scenarios": views_of(outcomes)})
    else:
        for line in lines_of(outcomes):
            print_text(line)
    return FOUND_WRONG if wrong else DONE


def list_scenarios(*, as_json: bool) -> int:
    """Print every scenario and what it proves."""
    if as_json:
        told = [{"scenario": s.name, "proves": s.proves} for s in SCENARIOS]
        print_json({"scenarios": told})
    else:
        rows = [(each.name, each.proves) for each in SCENARIOS]
        print_table(("scenario", "proves"), rows, empty="There is none.")
    return DONE


def _chosen(names: Sequence[str]) -> list[Scenario]:
    known = {each.name: each for each in SCENARIOS}
    if unknown := [name for name in names if name not in known]:
        raise Usage(f"--scenario {unknown[0]}: there is none; see provider scenarios")
    return [known[name] for name in names] or list(SCENARIOS)
