"""A tool that never caught a planted bug proves nothing: each has to be caught."""

import pytest

from tests.conftest import GIVEN_NATS, GIVEN_POSTGRES
from tests.planted.bugs import BUGS, SIMULATION
from tests.planted.catching import TURNS_MAX, catch
from tests.simulation.simulation import simulate


@pytest.fixture(scope="session")
def servers(postgres_server, nats_server):
    return {GIVEN_POSTGRES: postgres_server.url, GIVEN_NATS: nats_server.url}


@pytest.mark.slow
@pytest.mark.parametrize("name", BUGS)
def test_it_is_caught_by_its_layer(name, servers):
    caught = catch(name, servers)

    assert caught is not None, f"nobody noticed that {name}"
    assert caught.by == BUGS[name].layer


@pytest.mark.slow
def test_without_a_bug_the_seeds_that_find_them_rest_in_time_and_break_nothing():
    seeds = {bug.seed for bug in BUGS.values() if bug.layer == SIMULATION}

    offences = {n: simulate(n, turns_max=TURNS_MAX).offences for n in seeds}

    assert {seed: found for seed, found in offences.items() if found} == {}
