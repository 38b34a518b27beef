"""What we lack ourselves is waited for: nobody is passed over or asked less for it."""

from dataclasses import replace
from datetime import timedelta

from fsm.payout.policy import AskedBy, ProviderPolicy
from payment_service.playground.memory.providers import (
    ACCEPTS,
    LACKING,
    LOSES_REQUEST,
    OUT_OF_DESCRIPTORS,
    PAYS,
    PAYS_SILENTLY,
    UNREACHABLE,
)

FEW = ProviderPolicy(recheck_attempts=3)
UNASKED = replace(FEW, idempotent_create=True, asked_by=AskedBy.NOTHING)
MANY = 12
"""More than any budget."""


async def lacks_for(world, *creates, plan=FEW):
    world.provider("acme", *creates, plan=plan)
    await world.submit()


async def test_a_create_goes_to_the_same_provider_once_there_is_what_it_takes(world):
    await lacks_for(world, *[OUT_OF_DESCRIPTORS] * MANY, PAYS)

    await world.rest()

    assert await world.states() == ["SUCCEEDED", "SKIPPED", "SKIPPED", "COMPLETED"]
    assert [asked.call for asked in world.providers["acme"].asked] == ["create"]


async def test_the_last_try_is_not_spent_on_what_we_lack(world):
    spent = [UNREACHABLE] * (FEW.recheck_attempts - 1)
    await lacks_for(world, *spent, OUT_OF_DESCRIPTORS, PAYS)

    await world.rest()

    assert (await world.states())[0] == "SUCCEEDED"


async def test_the_waits_grow_so_that_a_long_lack_leaves_few_lines(world):
    await lacks_for(world, *[OUT_OF_DESCRIPTORS] * MANY, PAYS)

    await world.rest(within=timedelta(minutes=20))
    early = await world.steps()
    await world.rest()

    assert early[-1] == "CREATING"
    assert len(early) < 2 * MANY + 5


async def test_what_became_of_a_create_is_asked_as_often_as_planned(world):
    await lacks_for(world, PAYS_SILENTLY)
    world.providers["acme"].statuses.extend([LACKING] * MANY)

    await world.rest()

    assert (await world.states())[0] == "SUCCEEDED"


async def test_a_repeat_that_is_the_question_uses_up_none_either(world):
    lost = [LOSES_REQUEST, *[OUT_OF_DESCRIPTORS] * MANY]
    await lacks_for(world, *lost, PAYS, plan=UNASKED)

    await world.rest()

    assert (await world.states())[0] == "SUCCEEDED"


async def test_the_time_to_poll_goes_on_once_there_is_what_it_takes(world):
    plan = replace(FEW, sla=timedelta(minutes=1), poll_deadline=timedelta(minutes=2))
    await lacks_for(world, ACCEPTS, plan=plan)
    world.providers["acme"].statuses.extend([LACKING] * MANY)
    await world.rest(within=timedelta(minutes=4))
    assert (await world.states())[0] == "EXECUTING"

    world.providers["acme"].pays((await world.task()).task_id)
    await world.rest()

    assert (await world.states())[0] == "SUCCEEDED"


async def test_a_cancel_is_asked_until_it_could_be_asked(world):
    await lacks_for(world, ACCEPTS)
    world.providers["acme"].cancels.extend([LACKING] * MANY)
    await world.work_off()
    await world.cancel_order()

    await world.rest()

    assert (await world.states())[0] == "CANCELLED"


async def test_who_lacks_it_while_somebody_cancels_sends_nothing(world):
    await lacks_for(world, OUT_OF_DESCRIPTORS)
    await world.work_off()
    await world.cancel_order()

    await world.rest()

    assert await world.states() == ["CANCELLED"] * 4
    assert world.providers["acme"].asked == []
