"""Every promise holds in every state of every small world, and rest is in reach."""

import pytest

from tests.model.checker import check
from tests.model.setups import SETUPS


@pytest.mark.slow
@pytest.mark.parametrize("setup", SETUPS, ids=lambda setup: setup.name)
def test_every_promise_holds_in_every_state(setup):
    verdict = check(setup)

    assert verdict.broken is None, str(verdict)
    assert verdict.states > 1000, "the world is empty"
