"""Who collects is the setting of new orders: of others their rows say who does.

A process is started anew with another ``[checkout] payment`` while orders run; nobody
is lost, and nobody is charged twice.
"""

import pytest

from handlers.resolve import Ruling
from tests.handlers.test_charges import BOTH, HASTY, hasten
from tests.handlers.test_checkouts import house
from tests.world.checkouts import a_checkout, collect, wrongs

SERVED = ["SUCCEEDED", "SUCCEEDED", "SUCCEEDED", "SUCCEEDED", "COMPLETED"]
COLLECTED = ["SUCCEEDED", "SUCCEEDED", "SKIPPED", "SUCCEEDED", "SUCCEEDED", "COMPLETED"]
__all__ = ["house"]


@pytest.fixture
def shop(house):
    collect(house, *BOTH)
    return house


def pays(world, *names):
    """Start the service anew with this setting."""
    world.paid_by = {"payment": names} if names else {}


async def fraud_is_asked_for_long(world):
    """Submit an order that waits at its first step."""
    world.services["fraud"].away["do"] = 3
    await world.submit(a_checkout())
    await world.work_off()
    assert (await world.states())[0] == "EXECUTING"


async def rested(world):
    await world.rest()
    assert await wrongs(world) == []
    return await world.states()


async def test_the_setting_has_its_providers_collect(shop):
    pays(shop, *BOTH)

    await shop.submit(a_checkout())

    assert await rested(shop) == COLLECTED
    assert shop.services["payment"].calls == []


async def test_an_order_from_before_the_setting_is_paid_by_the_service(shop):
    await fraud_is_asked_for_long(shop)
    pays(shop, *BOTH)

    assert await rested(shop) == SERVED
    assert shop.payments["north"].calls == []


async def test_an_order_from_before_the_setting_was_taken_out_is_collected_for(shop):
    pays(shop, *BOTH)
    await fraud_is_asked_for_long(shop)
    pays(shop)

    assert await rested(shop) == COLLECTED
    assert shop.services["payment"].calls == []


async def test_an_order_keeps_to_the_providers_of_its_own_time(shop):
    collect(shop, "west")
    pays(shop, *BOTH)
    await fraud_is_asked_for_long(shop)
    pays(shop, "west")
    shop.payments["north"].refuses = True

    await rested(shop)

    assert (await shop.states())[1:3] == ["SKIPPED", "SUCCEEDED"]
    assert shop.payments["west"].calls == []


async def test_orders_of_both_settings_run_side_by_side(shop):
    await shop.submit(a_checkout("c-1"))
    pays(shop, *BOTH)
    await shop.submit(a_checkout("c-2"))

    await shop.rest()

    orders = {order.order_id: order for order in await shop.rows.orders()}
    paid = {n: [t.provider for t in o.queue.tasks] for n, o in orders.items()}
    assert paid == {"c-1": [""] * 4, "c-2": ["", *BOTH, "", ""]}
    assert {o.queue.state.value for o in orders.values()} == {"COMPLETED"}
    assert shop.payments["north"].balance == 12550


async def test_what_was_never_sent_to_a_provider_taken_out_goes_to_the_next(shop):
    pays(shop, *BOTH)
    await fraud_is_asked_for_long(shop)
    north = shop.payments["north"]
    shop.payments.drop("north")

    await shop.rest()
    shop.payments.add(north)

    assert await wrongs(shop) == []
    assert (await shop.states())[1:3] == ["SKIPPED", "SUCCEEDED"]
    assert north.calls == []


async def test_what_may_be_charged_by_one_taken_out_is_for_a_person(shop):
    pays(shop, *BOTH)
    hasten(shop, HASTY)
    north = shop.payments["north"]
    north.silent["charge"] = 1
    await shop.submit(a_checkout())
    await shop.work_off()
    shop.payments.drop("north")

    await shop.rest()

    assert (await shop.states())[1:3] == ["MANUAL_CHECK", "PENDING"]
    assert shop.payments["south"].calls == []
    # It is put back into the file, and a person says what they have seen.
    shop.payments.add(north)
    await shop.decide(Ruling.POSITIVE)
    assert await rested(shop) == COLLECTED


async def test_what_one_taken_out_has_charged_is_refunded_once_it_is_back(shop):
    pays(shop, *BOTH)
    north = shop.payments["north"]
    shop.services["merchant"].refuses = True
    shop.services["merchant"].away["do"] = 1
    await shop.submit(a_checkout())
    await shop.work_off()
    assert (await shop.states())[1] == "SUCCEEDED"
    shop.payments.drop("north")
    await shop.rest()
    assert (await shop.states())[1] == "MANUAL_CHECK"
    assert north.balance == 12550

    shop.payments.add(north)
    await shop.decide(Ruling.POSITIVE)
    await shop.rest()

    # The person has said that it stays charged; nobody has refunded it since.
    assert await shop.kinds_of_cases() == []
    assert (await shop.states())[1] == "SUCCEEDED"
    assert await wrongs(shop) == []
