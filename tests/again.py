"""Names, where a run repeats what failed, the flaky tests that pass the second time.

``make test-again`` loads it: ``pytest -p tests.again --last-failed``.
"""

import pytest
from _pytest.terminal import TerminalReporter

BEFORE = pytest.StashKey[set[str]]()


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Remember what had failed before this run forgets it."""
    assert config.cache is not None
    config.stash[BEFORE] = set(config.cache.get("cache/lastfailed", {}))


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(
    terminalreporter: TerminalReporter, config: pytest.Config
) -> None:
    """Say which failed before and passed now: what is named nowhere is never mended."""
    passed = _named(terminalreporter, "passed")
    failed = _named(terminalreporter, "failed", "error")
    flaky = sorted(config.stash[BEFORE] & passed - failed)
    if flaky:
        terminalreporter.section("failed beside all others, passed alone: mend them")
        for name in flaky:
            terminalreporter.line(f"FLAKY {name}")


def _named(reporter: TerminalReporter, *outcomes: str) -> set[str]:
    return {each.nodeid for how in outcomes for each in reporter.stats.get(how, [])}
