"""The scenarios as a pytest plugin: ``-p providers.testing.conformance.plugin``.

A test that asks for ``provider_scenario`` runs once for each provider of the
configuration and each scenario; such a test is
:mod:`providers.testing.conformance.suite`::

    pytest -p providers.testing.conformance.plugin --provider-config payment.toml \
        --pyargs providers.testing.conformance.suite
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from providers.config import ConfigError
from providers.config.file import read_raw
from providers.testing.conformance.charges import (
    CHARGE_SCENARIOS,
    ChargeCandidate,
)
from providers.testing.conformance.doubles import NoDouble
from providers.testing.conformance.runner import (
    Candidate,
    ScenarioOutcome,
    ToldScenario,
)
from providers.testing.conformance.scenarios import SCENARIOS

FIXTURE = "provider_scenario"
OPTION = "--provider-config"
INI = "provider_config"


@dataclass(frozen=True, slots=True)
class Trial:
    """One scenario for one provider; ``play`` plays it."""

    name: str
    scenario: ToldScenario
    play: Callable[[], Coroutine[None, None, ScenarioOutcome]]

    def __str__(self) -> str:
        """Return the name of the test."""
        return f"{self.name}-{self.scenario}"

    def check(self) -> None:
        """Play it; fail with everything that is wrong."""
        try:
            outcome = asyncio.run(self.play())
        except (ConfigError, NoDouble) as refused:
            pytest.fail(str(refused), pytrace=False)
        if outcome.not_here is not None:
            pytest.skip(outcome.not_here)
        if outcome.wrong:
            told = "\n".join((self.scenario.proves, *outcome.wrong))
            pytest.fail(told, pytrace=False)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the file, and single providers of it, be named."""
    group = parser.getgroup("payment-service")
    group.addoption(OPTION, metavar="FILE", help="The TOML file with the providers.")
    group.addoption(
        "--provider", action="append", default=[], help="One of them; repeatable."
    )
    parser.addini(INI, f"The same as {OPTION}.", default="payment.toml")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test for every provider and scenario."""
    if FIXTURE in metafunc.fixturenames:
        config = metafunc.config
        told: str | None = config.getoption(OPTION)
        path = Path(told) if told else config.rootpath / str(config.getini(INI))
        trials = trials_of(path, *config.getoption("--provider"))
        metafunc.parametrize(FIXTURE, trials, ids=str)


def trials_of(path: Path, *names: str) -> list[Trial]:
    """Return every scenario that fits these providers of a file, or all of them."""
    tables = read_raw(path, named_by=OPTION).get("providers", {})
    if unknown := [name for name in names if name not in tables]:
        raise pytest.UsageError(f"no [providers.{unknown[0]}] in {path}")
    return [
        trial
        for name in names or sorted(tables)
        for trial in _trials(name, tables[name])
    ]


def _trials(name: str, raw: Mapping[str, Any]) -> Iterator[Trial]:
    pays = Candidate(name, raw).play
    yield from (Trial(name, each, partial(pays, each)) for each in SCENARIOS)
    if "charge" in raw:
        charges = ChargeCandidate(name, raw).play
        for each in CHARGE_SCENARIOS:
            yield Trial(name, each, partial(charges, each))
