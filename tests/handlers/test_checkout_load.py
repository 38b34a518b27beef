"""What a checkout loads: at once, and once; and where it cannot be had."""

from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from fsm.domain.messages import LOAD_DUE, NOTIFICATION_DUE, queue_wakeup
from fsm.engine.backoff import Backoff
from fsm.engine.loading import (
    LOAD_POSTPONED,
)
from fsm.engine.records import replace
from fsm.engine.words import EngineWait, OrderState, State
from fsm.service.policy import ServicePolicy
from handlers import route
from handlers.checkout.load import BYTES_MAX, PLAN, plan_of
from handlers.ports.services import Fetched, ServiceRefused, ServiceUnclear
from payment_service.playground.memory.effects import Died
from tests.world.checkouts import DETAILS, STEPS, a_checkout, serve, wrongs
from tests.world.stores import url_of, world_on

PAGE = Path(__file__).parents[2] / "docs/lifecycle.md"
NAMES = tuple(fetch.name for fetch in PLAN)
PATIENT = ServicePolicy(
    retry=Backoff(first=timedelta(seconds=10), factor=2.0, longest=timedelta(hours=1)),
    attempts=4,
)
NOTHING_BEGAN = ["SKIPPED", "SKIPPED", "SKIPPED", "SKIPPED", "FAILED"]


@pytest.fixture(params=["memory", "postgres"])
async def house(request):
    """Give a world with a service for each fetch and each step of a checkout."""
    async with world_on(url_of(request)) as world:
        furnish(world)
        yield world


def furnish(world):
    serve(world, *STEPS, *NAMES, **dict.fromkeys(NAMES, PATIENT))


def loads(world):
    """Return how often each was asked."""
    return {name: len(world.services[name].loads) for name in NAMES}


def asked(world, name):
    """Return what a fetch was asked with, the last time."""
    return world.services[name].loads[-1].order


async def the_order(world):
    (order,) = await world.rows.orders()
    return order


async def test_a_step_has_what_was_loaded_of_each_and_nobody_was_asked_twice(house):
    await house.request(a_checkout())
    await house.rest()

    order = await the_order(house)
    assert order.queue.state is OrderState.COMPLETED
    assert order.loaded == {name: {"by": name} for name in NAMES}
    assert loads(house) == dict.fromkeys(NAMES, 1)
    for step in STEPS:
        for _, call in house.services[step].calls:
            assert call.order["loaded"] == order.loaded
    assert await wrongs(house) == []


async def test_each_is_asked_with_the_order_and_what_it_depends_on_alone(house):
    await house.request(a_checkout())
    await house.rest()

    order = await the_order(house)
    for name, after in {
        "items": (),
        "merchant_profile": (),
        "customer": (),
        "availability": ("items", "merchant_profile"),
        "payment_method": ("customer",),
    }.items():
        said = asked(house, name)
        assert said["loaded"] == {each: {"by": each} for each in after}
        assert (said["order_id"], said["queue_id"]) == ("c-1001", order.queue_id)
        assert (said["amount"], said["currency"]) == (12550, "EUR")
        assert {part: said[part] for part in DETAILS} == DETAILS


async def test_what_has_no_service_is_not_loaded_and_keeps_nobody_waiting(house):
    for name in ("items", "customer", "payment_method"):
        house.services.drop(name)
    await house.request(a_checkout())
    await house.rest()

    assert asked(house, "availability")["loaded"] == {
        "merchant_profile": {"by": "merchant_profile"}
    }
    loaded = (await the_order(house)).loaded
    assert sorted(loaded) == ["availability", "merchant_profile"]


async def test_an_order_of_which_nothing_is_to_be_loaded_begins_at_once(house):
    for name in NAMES:
        house.services.drop(name)
    await house.request(a_checkout())
    await house.rest()

    assert (await the_order(house)).queue.state is OrderState.COMPLETED


@pytest.mark.parametrize("name", NAMES)
async def test_a_final_no_ends_it_before_anything_has_begun(house, name):
    house.services[name].found = ServiceRefused(code="gone", message="no more of it")
    await house.request(a_checkout())
    await house.rest()

    assert await house.states() == NOTHING_BEGAN
    (notice,) = house.core.notices
    assert notice.body["code"] == "gone"
    assert all(not house.services[step].calls for step in STEPS)
    assert loads(house)[name] == 1
    own = [x for x in await house.rows.trail() if x.trigger == "order.not_loaded"]
    assert own[0].detail["message"] == f"{name}: no more of it"


async def test_who_is_away_is_asked_again_after_pauses_that_grow(house):
    house.services["items"].away["load"] = 3
    await house.request(a_checkout())
    await house.rest()

    assert (await the_order(house)).queue.state is OrderState.COMPLETED
    assert loads(house)["items"] == 4
    # What comes after it was never asked in vain.
    assert loads(house)["availability"] == 1
    times = [x.at for x in await house.rows.trail() if x.trigger == LOAD_POSTPONED]
    first, second = (b - a for a, b in pairwise(times))
    # The waits are 10 s, 20 s and 40 s, each by a tenth more or less.
    assert timedelta(seconds=9) <= first <= timedelta(seconds=11)
    assert timedelta(seconds=18) <= second <= timedelta(seconds=22)
    assert await wrongs(house) == []


@pytest.mark.parametrize("fault", ["away", "silent", "unclear"])
async def test_who_is_away_for_the_whole_of_its_budget_ends_it_by_name(house, fault):
    service = house.services["customer"]
    if fault == "unclear":
        service.found = ServiceUnclear(because="status 503")
    else:
        getattr(service, fault)["load"] = 100
    await house.request(a_checkout())
    await house.rest()

    assert await house.states() == NOTHING_BEGAN
    (notice,) = house.core.notices
    assert notice.body["code"] == "not_loaded_customer"
    assert loads(house)["customer"] == PATIENT.attempts
    assert await house.rows.letters() == []


async def test_a_deadline_ends_it_however_many_tries_are_left(house):
    house.services["items"].policy = ServicePolicy(
        retry=PATIENT.retry, attempts=100, deadline=timedelta(seconds=25)
    )
    house.services["items"].away["load"] = 100
    await house.request(a_checkout())
    await house.rest()

    assert await house.states() == NOTHING_BEGAN
    assert loads(house)["items"] == 3


async def test_what_we_lack_ourselves_uses_up_no_try(house):
    service = house.services["items"]
    service.policy = ServicePolicy(retry=PATIENT.retry, attempts=2)
    service.away["load"], service.lacking["load"] = 1, 8
    await house.request(a_checkout())
    await house.rest()

    assert (await the_order(house)).queue.state is OrderState.COMPLETED
    assert loads(house)["items"] == 10
    said = [x.detail for x in await house.rows.trail() if x.trigger == LOAD_POSTPONED]
    assert [each["message"] for each in said] == [
        "items: connection refused",
        *["items: too many open files"] * 8,
    ]


async def test_what_we_lacked_is_no_try_of_those_that_come_after(house):
    service = house.services["items"]
    service.policy = ServicePolicy(retry=PATIENT.retry, attempts=2)
    service.lacking["load"] = 8
    await house.request(a_checkout())
    await house.rest(within=timedelta(seconds=45))
    service.lacking["load"], service.away["load"] = 0, 1
    await house.rest()

    assert (await the_order(house)).queue.state is OrderState.COMPLETED


async def test_an_answer_may_ask_for_a_longer_pause(house):
    service = house.services["items"]
    hour = timedelta(hours=1)
    service.found = ServiceUnclear(because="status 503", after=hour)
    await house.request(a_checkout())

    order = await the_order(house)
    assert order.queue.waiting_for is EngineWait.LOAD
    assert order.queue.wake_at == house.clock.now() + hour


async def test_what_is_loaded_is_not_read_again_whoever_dies_after_it(house):
    def dies(_work):
        raise Died("right after what was loaded was written")

    house.probe.on_recorded = [dies]
    await house.request(a_checkout())
    order = await the_order(house)
    assert (order.loaded is not None, order.queue.state) == (True, "ACTIVE")
    house.bus.wipe()
    await house.rest()

    assert (await the_order(house)).queue.state is OrderState.COMPLETED
    assert loads(house) == dict.fromkeys(NAMES, 1)


async def test_a_worker_that_dies_before_it_is_written_has_it_loaded_again(house):
    async def dies():
        raise Died("with all of it in hand")

    house.effects.meanwhile("availability.load", dies)
    await house.request(a_checkout())
    await house.rest()

    assert (await the_order(house)).queue.state is OrderState.COMPLETED
    assert loads(house)["availability"] == 2
    assert await wrongs(house) == []


async def test_a_message_that_comes_again_has_nothing_loaded_again(house):
    await house.request(a_checkout())
    queue = (await the_order(house)).queue
    first = replace(queue, version=1, wake_at=house.clock.now())
    for message in (queue_wakeup(first), queue_wakeup(first, again="2")):
        house.bus.deliver_again(message)
    await house.request(a_checkout())
    await house.rest()
    house.bus.deliver_again(queue_wakeup(first))
    await house.work_off()

    assert loads(house) == dict.fromkeys(NAMES, 1)


async def test_a_load_that_is_due_rings_by_a_subject_of_its_own(house, monkeypatch):
    house.services["items"].away["load"] = 1
    await house.request(a_checkout())
    await house.work_off()
    queue = (await the_order(house)).queue
    assert queue.waiting_for is EngineWait.LOAD
    wakeup = queue_wakeup(queue)
    assert wakeup is not None
    assert wakeup.subject == LOAD_DUE

    with monkeypatch.context() as older:
        older.setattr(route, "WAKEUPS", route.WAKEUPS - {LOAD_DUE})
        house.bus.deliver_again(wakeup)
        await house.work_off()
        assert house.words()[-1] == "parked"
    await house.rest()
    order = await the_order(house)
    assert order.queue.state is OrderState.COMPLETED
    told = replace(order.queue, waiting_for=EngineWait.NOTIFICATION)
    wakeup = queue_wakeup(replace(told, wake_at=house.clock.now()))
    assert wakeup is not None
    assert wakeup.subject == NOTIFICATION_DUE


async def test_more_than_may_be_kept_is_refused_by_name(house):
    half = {"text": "x" * (BYTES_MAX // 2)}
    house.services["customer"].found = Fetched(content=half)
    house.services["payment_method"].found = Fetched(content=half)
    await house.request(a_checkout())
    await house.rest()

    assert await house.states() == NOTHING_BEGAN
    (notice,) = house.core.notices
    assert notice.body["code"] == "not_loaded_payment_method"
    assert loads(house)["payment_method"] == 1


async def test_as_much_as_may_be_kept_is_kept(house):
    for name in NAMES[1:]:
        house.services.drop(name)
    frame = len(b'{"text":""}')
    most = {"text": "x" * (BYTES_MAX - frame)}
    house.services["items"].found = Fetched(content=most)
    await house.request(a_checkout())
    await house.rest()

    assert (await the_order(house)).loaded == {"items": most}


async def test_an_order_that_is_given_up_while_it_waits_is_asked_for_no_more(house):
    house.services["items"].away["load"] = 1
    await house.request(a_checkout())
    await house.cancel_order()
    await house.rest()

    order = await the_order(house)
    assert order.queue.state is OrderState.CANCELLED
    assert {task.state for task in order.queue.tasks} == {State.CANCELLED}
    assert loads(house)["items"] == 1


def test_the_plan_reads_as_it_is_made():
    assert str(PLAN).splitlines() == [
        "items, within 30 s",
        "merchant_profile, within 30 s",
        "customer, within 30 s",
        "availability after items, merchant_profile, within 30 s",
        "payment_method after customer, within 30 s",
    ]
    assert str(plan_of(frozenset({"availability", "items"}))).splitlines() == [
        "items, within 30 s",
        "availability after items, within 30 s",
    ]


def test_the_page_shows_the_plan_and_its_bound():
    page = PAGE.read_text()
    shown = page.partition("<!-- load:begin -->")[2].partition("<!-- load:end -->")[0]
    assert shown.strip() == f"```mermaid\n{PLAN.mermaid}\n```"
    assert f"{BYTES_MAX // 1024} KiB at most" in " ".join(page.split())
