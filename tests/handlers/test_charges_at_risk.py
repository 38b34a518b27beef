"""What charges put at risk, as the gauges say it: by provider, from its first call."""

import pytest

from payment_service.storage.gauges import standing
from tests.handlers.test_charges import BOTH, hasten
from tests.handlers.test_checkouts import house
from tests.world.checkouts import a_checkout, collect

pytestmark = pytest.mark.parametrize("house", ["postgres"], indirect=True)
__all__ = ["house"]


async def at_risk(world):
    return (await standing(world.rows.database)).money_at_risk


async def tasks(world):
    every = (await standing(world.rows.database)).tasks
    return {(state, provider) for state, provider, _ in every if provider in BOTH}


@pytest.fixture
def shop(house):
    collect(house, *BOTH)
    house.paid_by = {"payment": BOTH}
    hasten(house)
    return house


async def test_a_charge_that_nobody_can_find_out_about_is_at_risk(shop):
    shop.payments["north"].silent.update({"charge": 9, "charge_status": 99})
    await shop.submit(a_checkout())
    await shop.work_off()
    asked = await at_risk(shop)

    await shop.rest()

    assert asked == await at_risk(shop) == [("north", "EUR", 12550)]
    assert await tasks(shop) == {("MANUAL_CHECK", "north"), ("PENDING", "south")}


async def test_a_refund_that_is_refused_is_at_risk_and_a_charge_that_stands_is_not(
    shop,
):
    await shop.submit(a_checkout("c-1"))
    await shop.rest()
    assert await at_risk(shop) == []

    shop.payments["north"].keeps = True
    shop.services["merchant"].refuses = True
    await shop.submit(a_checkout("c-2"))
    await shop.rest()

    assert await at_risk(shop) == [("north", "EUR", 12550)]
