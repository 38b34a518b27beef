"""Checks a service of the checkout by the scenarios of the conformance kit."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from fsm.domain.errors import InvalidRequest
from fsm.domain.strict_json import parse_strict
from payment_service.cli import conformance
from payment_service.cli.context import read_settings, run_async
from payment_service.cli.errors import Usage
from payment_service.settings import environment, proxies
from providers.config import ServiceTable
from providers.config.file import config_of
from providers.files import read_text
from providers.testing.conformance.services.runner import ServiceCandidate
from providers.testing.conformance.services.scenarios import (
    SERVICE_SCENARIOS,
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
    chosen = conformance.chosen_of(
        SERVICE_SCENARIOS, only, listed_by="service scenarios"
    )
    outcomes = run_async(candidate.play_all(chosen))
    return conformance.reported(outcomes, {"service": name}, as_json=as_json)


def list_scenarios(*, as_json: bool) -> int:
    """Print every scenario and what it proves."""
    return conformance.list_scenarios(SERVICE_SCENARIOS, as_json=as_json)


def _table(name: str, config: Path | None) -> ServiceTable:
    """Read this one table: the secrets of the others need not be here."""
    table = conformance.raw_table("services", name, config)
    read = config_of(
        {"services": {name: table}},
        ack_wait=read_settings().ack_wait,
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
