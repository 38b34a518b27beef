"""Every promise holds wherever the worlds of charges come to."""

import pytest

from tests.model.charges import CHARGES
from tests.model.checker import check


@pytest.mark.parametrize("charges", CHARGES, ids=lambda each: each.name)
def test_nobody_is_charged_twice_or_refunded_for_nothing_in_any_state(charges):
    verdict = check(charges)

    assert verdict.broken is None, str(verdict)
    assert verdict.states > 1000, "the world is empty"
