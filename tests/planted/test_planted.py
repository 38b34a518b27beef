"""A tool that never caught a planted bug proves nothing: each has to be caught."""

import pytest

from tests.planted.bugs import BUGS
from tests.planted.catching import catch


@pytest.mark.slow
@pytest.mark.parametrize("name", BUGS)
def test_it_is_caught_by_its_layer(name):
    caught = catch(name)

    assert caught is not None, f"nobody noticed that {name}"
    assert caught.by == BUGS[name].layer
