"""Every promise holds wherever the worlds of partner links come to."""

import pytest

from tests.model.checker import check
from tests.model.links import LINKS


@pytest.mark.parametrize("link", LINKS, ids=lambda each: each.name)
def test_every_promise_holds_in_every_state(link):
    verdict = check(link)

    assert verdict.broken is None, str(verdict)
    assert verdict.states > 1000, "the world is empty"
