"""A payment provider that gets no new work: who waits, who is passed over, who asks."""

from dataclasses import replace
from datetime import timedelta

import pytest

from fsm.charge.policy import ChargePolicy
from handlers.checkout import calls
from handlers.ports.controls import FleetView
from tests.handlers.test_charges import BOTH, RETRY, dies, hasten
from tests.handlers.test_checkouts import house, triggers
from tests.world.checkouts import a_checkout, collect, wrongs
from tests.world.keepers import paused

MINUTE = timedelta(minutes=1)
S, SKIPPED = "SUCCEEDED", "SKIPPED"
PATIENT = ChargePolicy(retry=RETRY, attempts=9, key_lifetime=timedelta(hours=1))
__all__ = ["house"]


@pytest.fixture
def shop(house):
    collect(house, *BOTH, north=PATIENT, south=PATIENT)
    house.paid_by = {"payment": BOTH}
    return house


def asked(world, name):
    return [what for what, _ in world.payments[name].calls]


async def payment(world):
    states = await world.states()
    return [states[1], states[2], states[-1]]


def pause(world, keeper, *names):
    keeper.heard(paused(*names, at=world.clock.now()))


async def test_a_paused_provider_is_passed_over_where_another_can_be_had(shop):
    pause(shop, shop.keep(), "north")

    await shop.submit(a_checkout())
    await shop.rest()

    assert await wrongs(shop) == []
    assert await payment(shop) == [SKIPPED, S, "COMPLETED"]
    assert asked(shop, "north") == []
    task = await shop.task(1)
    assert task.code == "provider_paused"
    assert (await triggers(shop, 1))[-1] == "provider.passed_over"


async def test_where_every_provider_is_paused_the_order_waits_and_then_goes_on(shop):
    keeper = shop.keep()
    pause(shop, keeper, *BOTH)
    await shop.submit(a_checkout())
    await shop.work_off()
    for _ in range(30):
        await shop.pass_time(MINUTE)
        await shop.work_off()

    assert await payment(shop) == ["EXECUTING", "PENDING", "ACTIVE"]
    assert (await shop.task(1)).code == "provider_paused"
    assert asked(shop, "north") == []
    keeper.heard(FleetView())
    await shop.rest()
    assert await wrongs(shop) == []
    assert await payment(shop) == [S, SKIPPED, "COMPLETED"]


async def test_who_waits_longer_than_its_deadline_is_given_up(shop):
    hasten(shop, replace(PATIENT, deadline=MINUTE))
    pause(shop, shop.keep(), *BOTH)

    await shop.submit(a_checkout())
    await shop.rest()

    assert await wrongs(shop) == []
    assert await payment(shop) == [SKIPPED, SKIPPED, "FAILED"]


async def test_who_waits_can_be_cancelled_at_once(shop):
    pause(shop, shop.keep(), *BOTH)
    await shop.submit(a_checkout())
    await shop.work_off()

    await shop.cancel_order()
    await shop.rest()

    assert await wrongs(shop) == []
    assert (await payment(shop))[-1] == "CANCELLED"


async def test_a_provider_whose_charges_fail_is_passed_over(shop):
    keeper = shop.keep()
    hasten(shop, PATIENT)
    shop.payments["north"].away["charge"] = 99
    for number in range(3):
        await shop.submit(a_checkout(f"c-{number}"))
        await shop.rest()
    told = len(asked(shop, "north"))
    assert keeper.states()["north"] == "open"

    await shop.submit(a_checkout("c-9"))
    await shop.work_off()

    assert len(asked(shop, "north")) == told
    assert shop.payments["south"].balance >= 3 * 12550


async def test_a_place_in_flight_is_given_back(shop):
    shop.keep(in_flight_here=1)
    for number in range(3):
        await shop.submit(a_checkout(f"c-{number}"))
        await shop.rest()

    assert shop.payments["north"].balance == 3 * 12550


async def test_what_may_have_arrived_is_asked_about_and_not_told_a_paused_one(shop):
    """Its worker died as it sent it; whoever takes over finds its provider paused."""
    keeper = shop.keep()
    shop.effects.meanwhile("north.charge", dies)
    await shop.submit(a_checkout())
    await shop.work_off()
    pause(shop, keeper, *BOTH)

    await shop.rest()

    assert await wrongs(shop) == []
    assert await payment(shop) == [S, SKIPPED, "COMPLETED"]
    assert asked(shop, "north").count("charge") == 1


async def test_who_slept_until_the_key_was_over_asks_instead(shop, monkeypatch):
    """It took over while the key lived; it is sent a moment later, or not at all."""
    shop.effects.meanwhile("north.charge", dies)
    monkeypatch.setattr(calls, "_key_lives", lambda *_: False)

    await shop.submit(a_checkout())
    await shop.rest()

    assert await wrongs(shop) == []
    assert await payment(shop) == [S, SKIPPED, "COMPLETED"]
    assert asked(shop, "north").count("charge") == 1
