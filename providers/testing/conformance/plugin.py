"""The scenarios as a pytest plugin: ``-p providers.testing.conformance.plugin``.

A test that asks for ``provider_scenario`` runs once for each provider of the
configuration and each scenario; such a test is
:mod:`providers.testing.conformance.suite`::

    pytest -p providers.testing.conformance.plugin --provider-config payment.toml \
        --pyargs providers.testing.conformance.suite
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from providers.config import ConfigError
from providers.config.file import read_raw
from providers.testing.conformance.doubles import NoDouble
from providers.testing.conformance.runner import Candidate
from providers.testing.conformance.scenario import Scenario
from providers.testing.conformance.scenarios import SCENARIOS

FIXTURE = "provider_scenario"
OPTION = "--provider-config"
INI = "provider_config"


@dataclass(frozen=True, slots=True)
class Trial:
    """One scenario for one provider."""

    candidate: Candidate
    scenario: Scenario

    def __str__(self) -> str:
        """Return the name of the test."""
        return f"{self.candidate.name}-{self.scenario}"

    def check(self) -> None:
        """Play it; fail with everything that is wrong."""
        try:
            outcome = asyncio.run(self.candidate.play(self.scenario))
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
    """Return every scenario for these providers of a file, or for all of them."""
    tables = read_raw(path, named_by=OPTION).get("providers", {})
    if unknown := [name for name in names if name not in tables]:
        raise pytest.UsageError(f"no [providers.{unknown[0]}] in {path}")
    return [
        Trial(Candidate(name, tables[name]), scenario)
        for name in names or sorted(tables)
        for scenario in SCENARIOS
    ]
