"""Has a layer look for a planted bug, and says where and how soon it found it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from payment_service.playground.memory.effects import FailureForm, Strike
from payment_service.playground.memory.world import NeverRests
from tests.forks import ForkServer
from tests.handlers.test_crash_points import SCENARIOS, Scenario, play, verdict
from tests.model.checker import check
from tests.planted.bugs import BUGS, CRASHES, MODEL, SIMULATION, Bug
from tests.simulation.simulation import simulate

SEEDS_MAX: Final = 200
TURNS_MAX: Final = 30_000
"""A world that goes on for so long never rests; without a bug it takes some 5,000."""

SUITE_SECONDS_MAX: Final = 200
RAN: Final = {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
# By the plugins of pytest, and by what conftest imports.
IMPORTED_BY_EVERY_SUITE: Final = (
    "_hypothesis_pytestplugin",
    "aiohttp.web",
    "alembic.command",
    "hypothesis.stateful",
    "pytest_asyncio.plugin",
    "pytest_timeout",
)
PLANTED: Final = "PLANTED_BUG"
ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catch:
    """Who caught a bug, by what, and after how much."""

    by: str
    what: str
    after: str


@cache
def suites() -> ForkServer:
    """Return what forks a run of pytest from where bugs and their world are known."""
    return ForkServer("pytest", "tests.planted.bugs", *IMPORTED_BY_EVERY_SUITE)


def catch(name: str, servers: Mapping[str, str] | None = None) -> Catch | None:
    """Return how the bug's layer caught it; None where it did not.

    ``servers`` is the environment that tells a suite of servers that run already.
    """
    bug = BUGS[name]
    if bug.layer not in {SIMULATION, CRASHES, MODEL}:
        return _by_suite(name, bug, {} if bug.alone else servers or {})
    with pytest.MonkeyPatch.context() as patch:
        bug.plant(patch)
        if bug.layer == MODEL:
            return _by_model(bug)
        if bug.layer == SIMULATION:
            return _by_simulation(bug.seed)
        return _by_crashes(bug.scenario)


def _by_simulation(first: int) -> Catch | None:
    for count, seed in enumerate([first, *range(SEEDS_MAX)], start=1):
        offences = simulate(seed, turns_max=TURNS_MAX).offences
        if offences:
            after = f"{count} seeds, at {seed}"
            return Catch(by=SIMULATION, what=offences[0], after=after)
    return None


def _by_crashes(first: str) -> Catch | None:
    points = 0
    for name in sorted(SCENARIOS, key=lambda each: each != first):
        scenario = SCENARIOS[name]
        clean = play(scenario)
        strikes = [()] + [
            (Strike(at, form),)
            for at in range(1, len(clean.effects.log) + 1)
            for form in FailureForm
        ]
        for strike in strikes:
            points += 1
            offences = _offences(scenario, *strike)
            if offences:
                return Catch(by=CRASHES, what=offences[0], after=f"{points} points")
    return None


def _offences(scenario: Scenario, *strikes: Strike) -> list[str]:
    try:
        return verdict(play(scenario, *strikes))
    except NeverRests as never:
        return [str(never)]


def _by_model(bug: Bug) -> Catch | None:
    found = check(bug.world)
    if found.broken is None:
        return None
    return Catch(by=MODEL, what=found.broken, after=f"{found.states} states")


def _by_suite(name: str, bug: Bug, servers: Mapping[str, str]) -> Catch | None:
    """Run a suite in a process of its own, with the bug planted before it."""
    command = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist"]
    command += ["-p", "tests.planted.plugin", bug.test]
    # A plugin's own asserts need no words: it is imported before pytest could add them.
    command += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    # What pytest-xdist tells its workers is not for this process.
    kept = {n: v for n, v in os.environ.items() if not n.startswith("PYTEST_")}
    env = {**kept, **servers, PLANTED: name}
    done = suites().run(command, cwd=ROOT, env=env, timeout=SUITE_SECONDS_MAX)
    said = done.stdout.decode()
    assert done.returncode in RAN, said + done.stderr.decode()
    failed = [line for line in said.splitlines() if line.startswith("FAILED")]
    if not failed:
        return None
    which = failed[0].removeprefix("FAILED ").partition(" - ")[0]
    passed = said.rsplit("\n", 2)[-2]
    return Catch(by=bug.layer, what=which, after=passed.strip("= "))
