"""Checkouts that payment providers collect for: one has charged, or none has.

They are tried in order, the next one only once it is proven that the one before it has
not charged. Each test ends with the oracle: the providers' own books, their balances,
and rows and trails as ``verify`` judges them.
"""

from datetime import timedelta
from typing import Any

import pytest

from fsm.charge.lifecycle import CHARGE
from fsm.charge.policy import ChargePolicy
from fsm.engine.backoff import Backoff
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.engine.table import Facts
from fsm.engine.words import Kind, State
from fsm.flows import CHECKOUT
from fsm.service.words import ServiceWait, StepTrigger
from handlers.checkout import CheckoutHandlers
from handlers.commit import apply
from handlers.flows import FLOWS
from handlers.ports.services import ServiceNotKnown, ServiceRefused
from handlers.resolve import Ruling
from payment_service.playground.memory.effects import Died
from payment_service.playground.memory.payments import ChargeFate
from tests.handlers.test_checkouts import house, triggers
from tests.world.checkouts import a_checkout, collect, wrongs

HANDLED: Any = FLOWS
KEY = (Kind.CHECKOUT, 1)
BOTH = ("north", "south")
S, SKIPPED, REVERSED = "SUCCEEDED", "SKIPPED", "REVERSED"
RETRY = Backoff(first=timedelta(seconds=1), factor=2.0, longest=timedelta(seconds=4))
HASTY = ChargePolicy(retry=RETRY, attempts=3)
DEFINITE = ChargePolicy(
    retry=RETRY,
    attempts=9,
    absent_after=timedelta(seconds=10),
    key_lifetime=timedelta(0),
)
ALIVE, DEAD = timedelta(hours=1), timedelta(0)
__all__ = ["house"]


@pytest.fixture(autouse=True)
def charged(monkeypatch):
    """Have two payment providers collect for new checkouts."""
    handlers = CheckoutHandlers(CHECKOUT, {"payment": BOTH})
    monkeypatch.setitem(HANDLED, KEY, handlers)


@pytest.fixture
def shop(house):
    collect(house, *BOTH)
    return house


def hasten(world, policy=HASTY):
    for provider in world.payments.every():
        provider.policy = policy


async def checked_out(world):
    await world.request(a_checkout())
    await world.rest()
    assert await wrongs(world) == []
    return await world.states()


def calls(world, name):
    return [what for what, _ in world.payments[name].calls]


async def payment(world):
    """Return the states of both charges, and of the order."""
    states = await world.states()
    return [states[1], states[2], states[-1]]


def the_merchant_refuses(world):
    world.services["merchant"].refuses = True


# One collects.


async def test_the_first_provider_collects_and_the_second_is_not_asked(shop):
    assert await checked_out(shop) == [S, S, SKIPPED, S, S, "COMPLETED"]

    assert calls(shop, "north") == ["charge"]
    assert calls(shop, "south") == []
    assert shop.services["payment"].calls == []
    assert shop.core.book == []


async def test_a_provider_is_told_what_to_collect_and_by_which_key(shop):
    await checked_out(shop)

    task = await shop.task(1)
    ((_, charge),) = shop.payments["north"].calls
    assert (task.provider, task.name, task.lifecycle) == ("north", "payment", "charge")
    assert (charge.reference, charge.key) == (task.task_id, task.task_id)
    assert (charge.money.amount, charge.money.currency) == (12550, "EUR")
    assert charge.payment_method == {"type": "card", "token": "tok_8f2a"}


async def test_the_next_provider_is_tried_once_the_first_has_said_no(shop):
    shop.payments["north"].refuses = True

    assert await checked_out(shop) == [S, SKIPPED, S, S, S, "COMPLETED"]


async def test_where_all_say_no_the_order_turns_back(shop):
    for provider in shop.payments.every():
        provider.refuses = True

    await checked_out(shop)

    assert await payment(shop) == [SKIPPED, SKIPPED, "FAILED"]


async def test_the_next_is_tried_where_nothing_was_ever_sent(shop):
    hasten(shop)
    shop.payments["north"].away["charge"] = 99

    await checked_out(shop)

    assert await payment(shop) == [SKIPPED, S, "COMPLETED"]


# A timeout is not a no.


@pytest.mark.parametrize("fault", ["silent", "lacking", "away"])
async def test_a_failure_that_passes_is_asked_about_and_costs_nothing(shop, fault):
    getattr(shop.payments["north"], fault)["charge"] = 1

    await checked_out(shop)

    assert await payment(shop) == [S, SKIPPED, "COMPLETED"]
    assert calls(shop, "south") == []


async def test_a_charge_that_lands_late_is_found_by_its_key(shop):
    shop.payments["north"].late = 1

    await checked_out(shop)

    assert await payment(shop) == [S, SKIPPED, "COMPLETED"]
    assert calls(shop, "south") == []


async def test_what_nobody_can_find_out_is_for_a_person_and_no_next_is_tried(shop):
    hasten(shop)
    shop.payments["north"].silent.update({"charge": 9, "charge_status": 99})

    states = await checked_out(shop)

    assert states[1:3] == ["MANUAL_CHECK", "PENDING"]
    assert calls(shop, "south") == []


@pytest.mark.parametrize(
    ("fate", "ruling", "ends"),
    [
        (ChargeFate.CHARGED, Ruling.POSITIVE, [S, SKIPPED, "COMPLETED"]),
        (ChargeFate.REFUSED, Ruling.NEGATIVE, ["FAILED", S, "COMPLETED"]),
    ],
)
async def test_a_person_finds_out_whether_it_was_charged(shop, fate, ruling, ends):
    hasten(shop)
    north = shop.payments["north"]
    north.silent.update({"charge": 9, "charge_status": 99})
    north.refuses = fate is ChargeFate.REFUSED
    await checked_out(shop)
    task = await shop.task(1)
    assert north.books[task.task_id] is fate

    await shop.decide_task(task.task_id, ruling)
    await shop.rest()

    assert await wrongs(shop) == []
    assert await payment(shop) == ends


async def test_what_a_person_found_charged_is_refunded_with_its_order(shop):
    hasten(shop)
    shop.payments["north"].silent.update({"charge": 9, "charge_status": 99})
    the_merchant_refuses(shop)
    await checked_out(shop)
    task = await shop.task(1)

    await shop.decide_task(task.task_id, Ruling.POSITIVE)
    await shop.rest()

    assert await wrongs(shop) == []
    assert await payment(shop) == [REVERSED, SKIPPED, "FAILED"]


async def test_absence_proves_only_after_its_time(shop):
    hasten(shop, DEFINITE)
    shop.payments["north"].lost = 1

    await checked_out(shop)

    assert await payment(shop) == [SKIPPED, S, "COMPLETED"]
    asked = [c for c in calls(shop, "north") if c == "charge_status"]
    assert len(asked) >= 2
    assert (await triggers(shop, 1))[-1] == "service.not_known"


@pytest.mark.parametrize("deadline", [None, timedelta(minutes=2)])
async def test_repeats_leave_absence_the_time_to_prove(shop, deadline):
    """Each repeat begins that time anew, also one that its provider never gets."""
    policy = ChargePolicy(absent_after=timedelta(minutes=1), deadline=deadline)
    hasten(shop, policy)
    shop.payments["north"].lost = 99

    await checked_out(shop)

    assert await payment(shop) == [SKIPPED, S, "COMPLETED"]
    assert (await triggers(shop, 1))[-1] == "service.not_known"


async def test_what_is_lost_once_is_charged_again_though_absence_would_prove(shop):
    hasten(shop, ChargePolicy(absent_after=timedelta(minutes=1)))
    shop.payments["north"].lost = 1

    await checked_out(shop)

    assert await payment(shop) == [S, SKIPPED, "COMPLETED"]


async def test_absence_that_proves_nothing_is_for_a_person(shop):
    hasten(shop, ChargePolicy(retry=RETRY, attempts=3, key_lifetime=timedelta(0)))
    shop.payments["north"].lost = 1

    states = await checked_out(shop)

    assert states[1:3] == ["MANUAL_CHECK", "PENDING"]


async def test_a_no_to_a_repeat_is_asked_about(shop):
    """It may be refused for being there already: that is no proof of anything."""
    north = shop.payments["north"]
    real, refused = north.charge, ServiceRefused(code="duplicate_reference")

    async def charge(charge):
        again = charge.reference in north.books
        return refused if again else await real(charge)

    async def forgets(_charge):
        north.charge_status = asks
        return ServiceNotKnown()

    asks, north.charge, north.charge_status = north.charge_status, charge, forgets
    north.silent["charge"] = 1

    await checked_out(shop)

    assert await payment(shop) == [S, SKIPPED, "COMPLETED"]
    assert calls(shop, "south") == []
    assert (await triggers(shop, 1))[-3:] == [
        "service.not_known",
        "service.unclear",
        "service.done",
    ]


async def test_a_no_to_the_first_do_proves_nothing_once_another_has_repeated_it(shop):
    """Whose do comes second may be refused for that, while the repeat has charged."""
    hasten(shop, ChargePolicy(retry=RETRY, attempts=9, key_lifetime=ALIVE))
    north = shop.payments["north"]
    real = north.charge

    async def overtaken(_charge):
        north.charge, north.silent["charge"] = real, 1
        await shop.pass_time(timedelta(minutes=2))
        await shop.sweep()
        await shop.work_off()
        assert calls(shop, "north")[-1:] == ["charge"], "nobody has taken it over"
        return ServiceRefused(code="duplicate_reference")

    north.charge = overtaken

    await checked_out(shop)

    assert await payment(shop) == [S, SKIPPED, "COMPLETED"]
    assert calls(shop, "south") == []


async def test_a_key_that_nobody_promises_lives_at_no_time(shop):
    """Clocks of two workers differ by a little: then no first do has been sent yet."""
    hasten(shop, ChargePolicy(retry=RETRY, attempts=9, key_lifetime=DEAD))
    task = Task(
        task_id="t",
        queue_id="q",
        position=1,
        provider="north",
        lifecycle="charge",
        state=State.EXECUTING,
        waiting_for=ServiceWait.DO,
        sent_first_at=shop.clock.now() + timedelta(milliseconds=5),
    )
    facts = Facts(task, shop.payments["north"].policy, shop.clock.now())

    row = CHARGE.advance(facts, StepTrigger.TAKEN_OVER)
    assert row is not None
    assert row.then is ServiceWait.ASK
    assert not facts.terms.key_lives(task.sent_first_at, facts.now)


async def test_another_amount_proves_nothing(shop):
    hasten(shop)
    shop.payments["north"].says = 1

    states = await checked_out(shop)

    assert states[1:3] == ["MANUAL_CHECK", "PENDING"]


async def test_a_no_of_a_person_stands_not_against_a_charge_of_another_amount(shop):
    """Their provider says that it has charged: no next one is tried on top of that."""
    hasten(shop)
    shop.payments["north"].says = 1
    await checked_out(shop)
    task = await shop.task(1)

    await shop.decide_task(task.task_id, Ruling.NEGATIVE)
    await shop.rest()

    assert await payment(shop) == ["MANUAL_CHECK", "PENDING", "ACTIVE"]
    assert (await shop.task(1)).code == "resolution_stopped"
    assert calls(shop, "south") == []


@pytest.mark.parametrize(("key", "charges"), [(ALIVE, 2), (DEAD, 1)])
async def test_what_another_has_left_is_charged_again_while_its_key_lives(
    shop, key, charges
):
    hasten(shop, ChargePolicy(retry=RETRY, attempts=9, key_lifetime=key))
    shop.effects.meanwhile("north.charge", dies)

    await checked_out(shop)

    assert await payment(shop) == [S, SKIPPED, "COMPLETED"]
    assert calls(shop, "north").count("charge") == charges


async def dies():
    raise Died("worker")


@pytest.mark.parametrize(
    ("trigger", "ends"),
    [
        (StepTrigger.DONE, [S, SKIPPED, "COMPLETED"]),
        (StepTrigger.REFUSED, [SKIPPED, S, "COMPLETED"]),
    ],
)
async def test_what_a_provider_says_late_spares_the_person(shop, trigger, ends):
    hasten(shop)
    north = shop.payments["north"]
    north.silent.update({"charge": 9, "charge_status": 99})
    north.refuses = trigger is StepTrigger.REFUSED
    await checked_out(shop)
    order = await shop.order()
    task = order.queue.tasks[1]

    await apply(order, task.task_id, Event(trigger=trigger), ports=shop.ports)
    await shop.rest()

    assert await wrongs(shop) == []
    assert await payment(shop) == ends


async def test_a_charge_of_what_was_given_up_as_never_charged_is_for_a_person(shop):
    shop.payments["north"].refuses = True
    await checked_out(shop)
    order = await shop.order()
    done = Event(trigger=StepTrigger.DONE)

    await apply(order, order.queue.tasks[1].task_id, done, ports=shop.ports)

    assert await shop.kinds_of_cases() == ["late_success"]


# Refunds.


async def test_what_was_charged_is_refunded_where_the_order_turns_back(shop):
    the_merchant_refuses(shop)

    await checked_out(shop)

    assert await payment(shop) == [REVERSED, SKIPPED, "FAILED"]
    task = await shop.task(1)
    (_, refund) = shop.payments["north"].calls[-1]
    assert refund.key == f"{task.task_id}:refund"
    assert refund.provider_reference == f"ch_{task.task_id}"


@pytest.mark.parametrize("fault", ["silent", "away", "lacking"])
async def test_a_refund_is_repeated_with_its_key(shop, fault):
    the_merchant_refuses(shop)
    getattr(shop.payments["north"], fault)["refund"] = 2

    await checked_out(shop)

    assert await payment(shop) == [REVERSED, SKIPPED, "FAILED"]
    assert len(shop.payments["north"].refunds) == 1


@pytest.mark.parametrize(
    ("ruling", "ends"), [(Ruling.POSITIVE, S), (Ruling.NEGATIVE, REVERSED)]
)
async def test_a_refund_that_is_refused_is_for_a_person(shop, ruling, ends):
    the_merchant_refuses(shop)
    north = shop.payments["north"]
    north.keeps = True
    await checked_out(shop)
    task = await shop.task(1)
    assert (await payment(shop))[0] == "MANUAL_CHECK"
    if ruling is Ruling.NEGATIVE:
        north.books[task.task_id], north.balance = ChargeFate.REFUNDED, 0

    await shop.decide_task(task.task_id, ruling)
    await shop.rest()

    assert await wrongs(shop) == []
    assert await payment(shop) == [ends, SKIPPED, "FAILED"]


async def test_what_is_not_known_to_be_charged_is_asked_about_and_never_refunded(shop):
    hasten(shop)
    shop.payments["north"].lost = 1
    shop.services["delivery"].refuses = True

    await checked_out(shop)

    assert "refund" not in calls(shop, "north")
    assert (await payment(shop))[0] == "MANUAL_CHECK"


async def test_a_charge_that_is_found_late_is_refunded(shop):
    shop.payments["north"].silent["charge"] = 1
    shop.services["delivery"].refuses = True

    await checked_out(shop)

    assert await payment(shop) == [REVERSED, SKIPPED, "FAILED"]


# What is configured.


async def test_a_provider_that_is_not_configured_is_passed_over(shop):
    dropped = shop.payments["north"]
    shop.payments.drop("north")

    await shop.request(a_checkout())
    await shop.rest()
    shop.payments.add(dropped)

    assert await wrongs(shop) == []
    assert await payment(shop) == [SKIPPED, S, "COMPLETED"]


def test_no_payment_provider_does_what_is_no_charge():
    with pytest.raises(ValueError, match="no payment provider can do delivery"):
        CheckoutHandlers(CHECKOUT, {"delivery": BOTH})
