"""The configuration of docker-compose.yml: all that it names is simulated there."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from fsm.flows import CHECKOUT
from providers.config import read_config
from providers.testing.simulator.config import load, simulator_from

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "ops/compose"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def config():
    told = (ROOT / "docker-compose.yml").read_text()
    secrets = dict(re.findall(r"(\w+_WHSEC): (\S+)", told))
    return read_config(FOLDER / "payment.toml", ack_wait=MINUTE, environment=secrets)


@pytest.fixture
def simulated():
    return load(FOLDER / "simulator.toml")


def test_all_that_is_configured_is_simulated(config, simulated):
    assert {*config.providers} == {*simulated["providers"]}
    assert {*config.services} == {*simulated["services"]}
    assert {*config.partners} == {*simulated["partners"]}
    assert simulator_from(simulated).charges.standing() == []


def test_payment_providers_collect_and_services_do_every_other_step(config):
    paid_by = config.checkout.paid_by
    steps = {step.name for step in CHECKOUT.steps}

    assert paid_by == {"payment": ("acme", "zeta")}
    assert {*paid_by, *config.services} >= steps
    assert not {*paid_by} & {*config.services}


def test_a_charge_that_was_lost_is_repeated_or_proven_absent(config):
    for name in config.checkout.paid_by["payment"]:
        policy = config.providers[name].charge_policy
        assert policy.key_lifetime > timedelta(hours=23)
        assert policy.absent_after == MINUTE
