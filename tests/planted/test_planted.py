"""A tool that never caught a planted bug proves nothing: each has to be caught."""

import pytest

from tests.conftest import GIVEN_NATS, GIVEN_POSTGRES
from tests.planted.bugs import BUGS
from tests.planted.catching import catch


@pytest.fixture(scope="session")
def servers(postgres_server, nats_server):
    return {GIVEN_POSTGRES: postgres_server.url, GIVEN_NATS: nats_server.url}


@pytest.mark.slow
@pytest.mark.parametrize("name", BUGS)
def test_it_is_caught_by_its_layer(name, servers):
    caught = catch(name, servers)

    assert caught is not None, f"nobody noticed that {name}"
    assert caught.by == BUGS[name].layer
