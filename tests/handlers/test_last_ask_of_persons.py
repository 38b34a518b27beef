"""A person's no to a step that may have been done is acted on once it was asked about.

That is so of a charge, and of the merchant: after both there is no way back.
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from fsm.charge.policy import ChargePolicy
from fsm.domain.errors import NotNow
from fsm.engine.words import EngineWait
from fsm.service.policy import ServicePolicy
from fsm.service.words import ServiceWait
from handlers.resolve import Ruling
from payment_service.playground.memory.payments import ChargeFate
from tests.handlers.test_charges import BOTH, HASTY, RETRY, hasten
from tests.handlers.test_checkouts import ALL_DONE, house, triggers
from tests.world.checkouts import a_checkout, collect, serve, wrongs

FEW = ServicePolicy(retry=RETRY, attempts=3)
S, SKIPPED, REVERSED = "SUCCEEDED", "SKIPPED", "REVERSED"
TURNED_BACK = [S, REVERSED, REVERSED, "FAILED", "FAILED"]
__all__ = ["house"]


@pytest.fixture
async def shop(house):
    """Give a world in which nobody knows whether the first provider has charged."""
    collect(house, *BOTH)
    house.paid_by = {"payment": BOTH}
    hasten(house)
    house.payments["north"].silent.update({"charge": 9, "charge_status": 3})
    return house


async def a_check(world):
    await world.submit(a_checkout())
    await world.rest()
    assert "MANUAL_CHECK" in await world.states()
    assert await wrongs(world) == []


async def says_no(world):
    await world.decide(Ruling.NEGATIVE)
    await world.rest()


async def payment(world):
    states = await world.states()
    return [states[1], states[2], states[-1]]


def asked(side):
    return [what for what, _ in side.calls]


# A charge.


async def test_what_was_charged_after_all_stands_and_no_next_is_tried(shop):
    await a_check(shop)

    await says_no(shop)

    assert await wrongs(shop) == []
    assert await payment(shop) == [S, SKIPPED, "COMPLETED"]
    assert shop.payments["south"].calls == []
    assert (await triggers(shop, 1))[-2:] == ["resolved.negative", "service.done"]


async def test_what_was_charged_after_all_is_refunded_with_its_order(shop):
    shop.services["delivery"].refuses = True
    await a_check(shop)

    await says_no(shop)

    assert await wrongs(shop) == []
    assert await payment(shop) == [REVERSED, SKIPPED, "FAILED"]
    assert shop.payments["north"].balance == 0


async def test_a_no_that_the_provider_does_not_deny_lets_the_next_one_try(shop):
    await a_check(shop)
    north = shop.payments["north"]
    north.books.clear()
    north.balance = 0
    told = len(north.calls)

    await says_no(shop)

    assert await wrongs(shop) == []
    assert await payment(shop) == ["FAILED", S, "COMPLETED"]
    assert asked(north)[told:] == ["charge_status"], "nothing is repeated"
    assert (await shop.task(1)).code == "resolved_negative"


async def test_while_the_provider_is_at_it_the_person_decides_again(shop):
    await a_check(shop)
    north = shop.payments["north"]
    north.pending = 1

    await says_no(shop)

    task = await shop.task(1)
    assert (task.state, task.waiting_for) == ("MANUAL_CHECK", EngineWait.DECISION)
    assert task.code == "resolution_stopped"
    told = [m.subject.rpartition(".")[2] for m in shop.bus.streams.events]
    assert told.count("manual_check") == 2
    assert shop.payments["south"].calls == []
    await says_no(shop)
    assert await payment(shop) == [S, SKIPPED, "COMPLETED"]


async def test_silence_is_asked_about_again_and_then_the_no_stands(shop):
    await a_check(shop)
    north = shop.payments["north"]
    north.books = {(await shop.task(1)).task_id: ChargeFate.REFUSED}
    north.balance, told = 0, len(asked(north))
    north.silent["charge_status"] = 99

    await says_no(shop)

    assert await wrongs(shop) == []
    assert await payment(shop) == ["FAILED", S, "COMPLETED"]
    assert len(asked(north)) - told == HASTY.attempts
    assert (await triggers(shop, 1))[-1] == "service.unasked"


async def test_not_known_agrees_only_after_its_time(shop):
    late = ChargePolicy(
        retry=RETRY,
        attempts=9,
        key_lifetime=timedelta(0),
        absent_after=timedelta(days=1),
    )
    hasten(shop, late)
    north = shop.payments["north"]
    north.silent["charge_status"] = 9
    await a_check(shop)
    north.books.clear()
    north.balance = 0

    await shop.decide(Ruling.NEGATIVE)
    await shop.work_off()

    assert (await shop.task(1)).waiting_for is ServiceWait.LAST_QUESTION
    assert shop.payments["south"].calls == []


async def test_nobody_decides_while_it_is_asked(shop):
    await a_check(shop)
    shop.payments["north"].silent["charge_status"] = 1
    await shop.decide(Ruling.NEGATIVE)
    await shop.work_off()

    with pytest.raises(NotNow, match="asked once more before the no is acted on"):
        await shop.decide(Ruling.POSITIVE)


async def test_a_provider_that_is_gone_cannot_be_asked_and_the_no_stands(shop):
    await a_check(shop)
    north = shop.payments["north"]
    north.books = {(await shop.task(1)).task_id: ChargeFate.REFUSED}
    north.balance = 0
    shop.payments.drop("north")

    await says_no(shop)

    shop.payments.add(north)
    assert await wrongs(shop) == []
    assert await payment(shop) == ["FAILED", S, "COMPLETED"]


async def test_a_no_to_a_refund_needs_no_question(shop):
    north = shop.payments["north"]
    north.silent.clear()
    north.keeps = True
    shop.services["merchant"].refuses = True
    await a_check(shop)
    task = await shop.task(1)
    north.books[task.task_id], north.balance = ChargeFate.REFUNDED, 0

    await shop.decide(Ruling.NEGATIVE)

    assert (await shop.states())[1] == REVERSED


# The merchant, after whom there is no return.


async def unknown_merchant(world, policy=FEW):
    serve(world, "merchant", merchant=policy)
    merchant = world.services["merchant"]
    merchant.silent.update({"do": 99, "ask": 3})
    await a_check(world)
    merchant.silent["ask"] = 0
    return merchant


async def test_what_the_merchant_has_accepted_completes_the_order(house):
    await unknown_merchant(house)

    await says_no(house)

    assert await wrongs(house) == []
    assert await house.states() == ALL_DONE


async def test_what_the_merchant_does_not_know_turns_the_order_back(house):
    merchant = await unknown_merchant(house)
    merchant.books.clear()
    told = len(merchant.calls)

    await says_no(house)

    assert await wrongs(house) == []
    assert await house.states() == TURNED_BACK
    assert asked(merchant)[told:] == ["ask"]


async def test_while_the_merchant_is_at_it_nothing_is_undone(house):
    merchant = await unknown_merchant(house)
    merchant.pending = 1

    await says_no(house)

    task = await house.task(3)
    assert (task.state, task.waiting_for) == ("MANUAL_CHECK", EngineWait.DECISION)
    assert (await house.states())[1:3] == [S, S]


async def test_where_the_merchant_cannot_be_asked_the_no_stands_at_once(house):
    merchant = await unknown_merchant(house, replace(FEW, asks=False))
    merchant.books.clear()
    told = len(merchant.calls)

    await says_no(house)

    assert await wrongs(house) == []
    assert await house.states() == TURNED_BACK
    assert merchant.calls[told:] == []
    assert (await triggers(house, 3))[-1] == "service.unasked"


async def test_a_merchant_that_stays_silent_was_asked_as_often_as_it_may_be(house):
    merchant = await unknown_merchant(house)
    merchant.books.clear()
    merchant.silent["ask"], told = 99, len(merchant.calls)

    await says_no(house)

    assert await house.states() == TURNED_BACK
    assert len(merchant.calls) - told == FEW.attempts
