"""A step without a provider is counted under its own name; none stands in the rows."""

from datetime import timedelta

import pytest
from prometheus_client import generate_latest

from fsm.domain.money import Money
from payment_service.observability.measured import StepWatch
from payment_service.observability.metrics import Metrics
from payment_service.storage.gauges import standing
from tests.handlers.test_checkouts import house
from tests.handlers.test_tampering import change
from tests.world.checkouts import a_checkout

__all__ = ["house"]


def counted(house):
    metrics = Metrics()
    watch = StepWatch(metrics)

    def recorded(work):
        watch.recorded(work)
        house.probe.on_recorded.append(recorded)

    house.probe.on_recorded.append(recorded)
    return metrics


async def test_attempts_and_times_are_those_of_the_step(house):
    metrics = counted(house)
    house.services["merchant"].refuses = True
    await house.request(a_checkout())
    await house.rest()

    page = generate_latest(metrics.registry).decode()
    assert 'provider=""' not in page
    for label in (
        'outcome="succeeded",provider="fraud"',
        'outcome="reversed",provider="payment"',
        'outcome="skipped",provider="merchant"',
    ):
        assert f"attempts_total{{{label}}} 1.0" in page


@pytest.mark.parametrize("house", ["postgres"], indirect=True)
async def test_its_gauge_has_its_name_and_its_case_no_provider(house):
    house.services["payment"].away["do"] = 9
    await house.request(a_checkout())
    await change(house, "order", money=Money(1, "EUR"))
    await house.rest(within=timedelta(minutes=1))

    backlog = await standing(house.rows.database)
    cases = await house.rows.database.run("SELECT kind, provider FROM cases", {})

    assert {name for _, name, _ in backlog.tasks} == {"payment", "merchant"}
    assert [tuple(case) for case in cases] == [("tampered", None)]
