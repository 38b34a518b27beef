"""Checks a service of the checkout by the scenarios of the conformance kit."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from fsm.domain.errors import InvalidRequest
from fsm.domain.strict_json import parse_strict
from payment_service.cli.context import read_settings, run_async
from payment_service.cli.errors import DONE, FOUND_WRONG, Usage
from payment_service.cli.printing import print_json, print_table, print_text
from payment_service.settings import environment, proxies
from providers.config import ServiceTable
from providers.config.file import config_of, read_raw
from providers.files import read_text
from providers.testing.conformance.report import lines_of, views_of
from providers.testing.conformance.services.runner import ServiceCandidate
from providers.testing.conformance.services.scenarios import (
    SERVICE_SCENARIOS,
    ServiceScenario,
)
from providers.testing.conformance.services.stage import Samples


def check(
    name: str,
    *,
    config: Path | None,
    orders: Path | None,
    only: Sequence[str],
    as_json: bool,
) -> int:
    """Play the scenarios against one service; return 1 if it fails in any."""
    table = _table(name, config)
    candidate = ServiceCandidate(table, _samples(orders), proxies())
    outcomes = run_async(candidate.play_all(_chosen(only)))
    wrong = any(each.wrong for each in outcomes)
    if as_json:
        print_json({"service": name, "ok": not wrong, "scenarios": views_of(outcomes)})
    else:
        for line in lines_of(outcomes):
            print_text(line)
    return FOUND_WRONG if wrong else DONE


def list_scenarios(*, as_json: bool) -> int:
    """Print every scenario and what it proves."""
    if as_json:
        told = [{"scenario": s.name, "proves": s.proves} for s in SERVICE_SCENARIOS]
        print_json({"scenarios": told})
    else:
        rows = [(each.name, each.proves) for each in SERVICE_SCENARIOS]
        print_table(("scenario", "proves"), rows, empty="There is none.")
    return DONE


def _table(name: str, config: Path | None) -> ServiceTable:
    """Read this one table: the secrets of the others need not be here."""
    settings = read_settings()
    path = config or settings.config
    raw = read_raw(path, named_by="--config" if config else "PAYMENT_CONFIG")
    tables = raw.get("services")
    table = tables.get(name) if isinstance(tables, dict) else None
    if not isinstance(table, dict):
        raise Usage(f"{path} has no table [services.{name}]")
    read = config_of(
        {"services": {name: table}},
        ack_wait=settings.ack_wait,
        environment=environment(),
    )
    return read.services[name]


def _samples(path: Path | None) -> Samples:
    """Read the orders to try it with, each an object under its name."""
    if path is None:
        return Samples()
    try:
        told = parse_strict(read_text(path).encode())
    except OSError as error:
        raise Usage(f"--orders: {path}: cannot be read: {error.strerror}") from None
    except InvalidRequest as error:
        raise Usage(f"--orders: {path}: {error}") from None
    orders = told if isinstance(told, dict) else {"": None}
    if not all(isinstance(each, dict) for each in orders.values()):
        raise Usage(f"--orders: {path}: must be an object of objects")
    known = {each.name for each in fields(Samples)}
    if unknown := sorted(orders.keys() - known):
        names = ", ".join(sorted(known))
        raise Usage(f"--orders: {path}: {unknown[0]!r} is none of {names}")
    return Samples(**orders)


def _chosen(names: Sequence[str]) -> list[ServiceScenario]:
    known = {each.name: each for each in SERVICE_SCENARIOS}
    if unknown := [name for name in names if name not in known]:
        raise Usage(f"--scenario {unknown[0]}: there is none; see service scenarios")
    return [known[name] for name in names] or list(SERVICE_SCENARIOS)
