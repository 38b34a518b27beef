"""A provider that gets no new work: who waits, who is passed over, who goes on."""

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from fsm.domain.orders import CascadeEntry
from fsm.domain.rates import Rate
from fsm.payout.policy import ProviderPolicy
from handlers.claims import Claims
from handlers.drive import drive
from handlers.ports.controls import FleetView
from handlers.ports.core import Operation
from handlers.ports.provider import Unclear
from payment_service.playground.memory.providers import (
    ACCEPTS_SILENTLY,
    DECLINES,
    LOSES_REQUEST,
    PAYS,
    PAYS_SILENTLY,
    UNREACHABLE,
)
from payment_service.playground.memory.world import a_request
from tests.world.keepers import beats, paused

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def creates(world, name):
    return [asked for asked in world.providers[name].asked if asked.call == "create"]


def pause(world, admission_control, *names):
    admission_control.heard(paused(*names, at=world.clock.now()))


async def codes(world):
    return [task.code for task in await world.tasks()]


async def triggers(world, position=0):
    task_id = (await world.task(position)).task_id
    lines = [line for line in await world.rows.trail() if line.task_id == task_id]
    return [line.trigger for line in sorted(lines, key=lambda line: line.version)]


async def test_a_paused_provider_is_passed_over_where_another_can_be_had(world):
    pause(world, world.keep(), "acme")

    await world.submit()
    await world.rest()

    assert await world.states() == ["SKIPPED", "SUCCEEDED", "SKIPPED", "COMPLETED"]
    assert await codes(world) == ["provider_paused", None, "not_needed"]
    assert creates(world, "acme") == []
    assert await triggers(world) == [
        "order.requested",
        "provider.passed_over",
        "rollback.confirmed",
    ]
    assert "paused by key:ops" in str([x.detail for x in await world.rows.trail()])


async def test_where_every_provider_is_paused_the_order_waits_and_then_goes_on(world):
    admission_control = world.keep()
    pause(world, admission_control, "acme", "zeta", "nova")
    await world.submit()
    await world.work_off()
    for _ in range(30):
        await world.pass_time(MINUTE)
        await world.work_off()

    assert await world.states() == ["PENDING"] * 3 + ["ACTIVE"]
    assert (await world.task()).code == "provider_paused"
    assert world.core.frozen == set(), "who waits ties up no money"
    admission_control.heard(FleetView())
    await world.rest()
    assert await world.states() == ["SUCCEEDED", "SKIPPED", "SKIPPED", "COMPLETED"]
    assert (await world.task()).code is None


async def test_the_last_of_a_cascade_waits_for_its_provider_though_it_is_paused(world):
    world.provider("acme", DECLINES)
    admission_control = world.keep()
    pause(world, admission_control, "zeta")
    await world.submit(a_request("acme", "zeta"))
    await world.work_off()
    assert await world.states() == ["SKIPPED", "PENDING", "ACTIVE"]

    admission_control.heard(FleetView())
    await world.rest()

    assert await world.states() == ["SKIPPED", "SUCCEEDED", "COMPLETED"]


async def test_who_waits_can_be_cancelled_at_once(world):
    admission_control = world.keep()
    pause(world, admission_control, "acme", "zeta", "nova")
    await world.submit()
    await world.work_off()

    await world.cancel_order()
    await world.work_off()

    assert await world.states() == ["CANCELLED"] * 3 + ["CANCELLED"]
    assert world.core.frozen == set()


async def test_an_outage_is_waited_for_within_patience_and_then_passed_over(world):
    world.provider("acme", *[UNREACHABLE] * 3, PAYS)
    admission_control = world.keep()
    for n in range(3):
        await world.submit(a_request("acme", order_id=f"first-{n}"))
        await world.work_off()
    assert not admission_control.admits("acme")

    await world.submit(a_request("acme", "zeta", order_id="soon"))
    await world.work_off()
    (order,) = [o for o in await world.rows.orders() if o.order_id == "soon"]
    soon = order.queue.tasks[0]

    assert (soon.state, soon.code) == ("PENDING", "provider_unavailable")
    await world.rest()
    assert len(creates(world, "acme")) == 4
    assert {order.queue.state for order in await world.rows.orders()} == {"COMPLETED"}


async def test_a_long_outage_is_passed_over(world):
    admission_control = world.keep(patience=10 * SECOND)
    for _ in range(3):
        call = admission_control.began("acme")
        admission_control.ended("acme", call, None)
    admission_control.back_off("acme", MINUTE)

    await world.submit()
    await world.rest()

    assert await world.states() == ["SKIPPED", "SUCCEEDED", "SKIPPED", "COMPLETED"]
    assert (await world.task()).code == "provider_unavailable"


async def test_no_try_is_used_up_while_an_unsent_create_waits(world):
    world.provider("acme", UNREACHABLE, PAYS)
    admission_control = world.keep()
    await world.submit(a_request("acme"))
    await world.work_off()
    assert (await world.task()).tries == 1
    pause(world, admission_control, "acme")
    for _ in range(20):
        await world.pass_time(MINUTE)
        await world.work_off()

    waiting = await world.task()
    assert (waiting.state, waiting.tries) == ("CREATING", 1)
    assert waiting.code == "provider_paused"
    admission_control.heard(FleetView())
    await world.rest()
    assert (await world.states())[-1] == "COMPLETED"


async def test_an_unsent_create_is_rolled_back_where_it_is_passed_over(world):
    world.provider("acme", UNREACHABLE)
    admission_control = world.keep()
    await world.submit()
    await world.work_off()
    pause(world, admission_control, "acme")

    await world.rest()

    assert await world.states() == ["SKIPPED", "SUCCEEDED", "SKIPPED", "COMPLETED"]
    assert (await world.task()).code == "provider_paused"
    operations = [
        e.operation
        for e in world.core.book
        if e.task_id == (await world.task()).task_id
    ]
    assert operations == [Operation.FREEZE, Operation.ROLLBACK]


@pytest.mark.parametrize("conduct", [ACCEPTS_SILENTLY, PAYS_SILENTLY])
async def test_a_create_that_may_have_arrived_is_asked_about_and_never_passed_over(
    world, conduct
):
    world.provider("acme", conduct)
    admission_control = world.keep()
    await world.submit()
    await world.work_off()
    pause(world, admission_control, "acme")

    await world.pass_time(MINUTE)
    await world.work_off()

    assert (await world.states())[0] in {"EXECUTING", "SUCCEEDED"}
    assert len(creates(world, "acme")) == 1
    await world.settle_pending("acme", paid=True)
    await world.rest()
    assert (await world.states())[0] == "SUCCEEDED"


async def test_a_lost_create_is_not_repeated_while_its_provider_is_paused(world):
    plan = ProviderPolicy(idempotent_create=True, not_found_grace=SECOND)
    world.provider("acme", LOSES_REQUEST, PAYS, plan=plan)
    admission_control = world.keep()
    await world.submit(a_request("acme"))
    await world.work_off()
    pause(world, admission_control, "acme")

    for _ in range(3):
        await world.pass_time(MINUTE)
        await world.work_off()

    assert len(creates(world, "acme")) == 1
    assert (await world.states())[0] == "RECHECKING"
    admission_control.heard(FleetView())
    await world.rest()
    assert (await world.states())[-1] == "COMPLETED"
    assert len(creates(world, "acme")) == 2


class SlowAtFreezing:
    """Core, at which something else happens before the first freeze arrives."""

    def __init__(self, core, meanwhile):
        self.core = core
        self.meanwhile = meanwhile

    async def balance(self, operation, call):
        if operation is Operation.FREEZE and self.meanwhile:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        return await self.core.balance(operation, call)

    async def notify(self, event):
        await self.core.notify(event)


async def test_a_worker_that_was_freezing_and_one_that_passes_over_leave_no_hold(world):
    """One asks before the pause and is slow at core; the other one asks after it."""
    admission_control = world.keep()
    await world.submit()
    order = (await world.rows.orders())[0]
    claims = Claims(taken_at=world.clock.elapsed())

    async def passed_over():
        pause(world, admission_control, "acme")
        await drive(order, ports=world.ports, claims=claims)

    slow = replace(world.ports, core=SlowAtFreezing(world.core, passed_over))
    await drive(order, ports=slow, claims=Claims(taken_at=world.clock.elapsed()))
    await world.rest()

    assert (await world.states())[0] == "SKIPPED"
    assert creates(world, "acme") == []


async def test_a_refused_rollback_of_one_passed_over_ends_with_a_person(world):
    pause(world, world.keep(), "acme")
    world.core.refuses(Operation.ROLLBACK, "no", times=3)
    await world.submit()
    await world.work_off()

    assert await world.steps() == [
        "PENDING",
        "CREATING",
        "NEGATIVE_EVAL",
        "MANUAL_CHECK",
    ]
    assert await world.kinds_of_cases() == ["balance_refused"]


async def test_what_a_rate_lets_through_goes_on_and_the_rest_comes_one_by_one(world):
    admission_control = world.keep(rate=Rate(1, SECOND))
    admission_control.heard(beats("replica-1", joined_at=world.clock.now()))
    world.clock.advance(SECOND)
    for n in range(4):
        await world.submit(a_request("acme", order_id=f"w-{n}"))
    await world.work_off()
    assert len(creates(world, "acme")) == 1

    for _ in range(60):
        await world.pass_time(SECOND)
        admission_control.heard(beats("replica-1", joined_at=world.clock.now()))
        await world.work_off()

    assert len(creates(world, "acme")) == 4
    times = [asked.at for asked in creates(world, "acme")]
    assert all(b - a >= SECOND for a, b in itertools.pairwise(times))


async def test_a_place_is_free_again_once_the_create_is_answered(world):
    world.provider("acme", DECLINES, PAYS)
    world.keep(in_flight_here=1)
    twice = [CascadeEntry(provider="acme", terminal_id=name) for name in ("t-1", "t-2")]
    await world.submit(a_request(*twice))

    await world.work_off()

    assert await world.states() == ["SKIPPED", "SUCCEEDED", "COMPLETED"]
    assert "provider.held" not in await triggers(world, 1)


async def test_a_place_is_free_again_where_nothing_was_sent(world):
    world.keep(in_flight_here=1)
    world.core.refuses(Operation.FREEZE, "poor")
    await world.submit(a_request("acme", order_id="w-1"))
    await world.work_off()
    await world.submit(a_request("acme", order_id="w-2"))

    await world.work_off()

    assert len(creates(world, "acme")) == 1
    assert all(line.trigger != "provider.held" for line in await world.rows.trail())


async def test_the_next_question_waits_for_as_long_as_the_provider_has_asked(world):
    acme = world.provider("acme", LOSES_REQUEST)
    acme.statuses = [Unclear(because="429", after=3 * MINUTE)]
    world.keep()
    await world.submit(a_request("acme"))
    await world.work_off()
    await world.pass_time(6 * SECOND)
    await world.work_off()

    task = await world.task()

    assert task.state == "RECHECKING"
    assert task.wake_at - world.clock.now() >= 3 * MINUTE
