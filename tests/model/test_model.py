"""Every promise holds in every state of small worlds, and rest is in reach.

``make model`` searches the large ones too.
"""

import pytest

from tests.model.checker import check
from tests.model.setups import LARGE, SETUPS

WORLDS = [setup for setup in SETUPS if setup.name not in LARGE]


def test_the_large_worlds_are_some_of_all():
    assert len(WORLDS) == len(SETUPS) - len(LARGE)


@pytest.mark.slow
@pytest.mark.parametrize("setup", WORLDS, ids=lambda setup: setup.name)
def test_every_promise_holds_in_every_state(setup):
    verdict = check(setup)

    assert verdict.broken is None, str(verdict)
    assert verdict.states > 1000, "the world is empty"
