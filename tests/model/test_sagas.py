"""Every promise holds wherever the worlds of checkouts come to."""

import pytest

from tests.model.checker import check
from tests.model.sagas import SAGAS


@pytest.mark.parametrize("saga", SAGAS, ids=lambda each: each.name)
def test_every_promise_holds_in_every_state(saga):
    verdict = check(saga)

    assert verdict.broken is None, str(verdict)
    assert verdict.states > 1000, "the world is empty"
