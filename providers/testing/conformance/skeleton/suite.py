"""The conformance scenarios, one test for each."""

from pathlib import Path

import pytest

from providers.testing.conformance.plugin import Trial, trials_of

TRIALS = trials_of(Path(__file__).with_name("payment.toml"))


@pytest.mark.parametrize("trial", TRIALS, ids=str)
def test_it_conforms(trial: Trial) -> None:
    """Play one scenario against the real adapter."""
    trial.check()
