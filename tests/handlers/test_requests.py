"""Requests that come as messages: accepted first, driven at once, and resumed."""

from datetime import timedelta

from handlers.ports.outcomes import Done
from handlers.request import requested
from payment_service.playground.memory.effects import Died
from payment_service.playground.memory.providers import ACCEPTS, PAYS
from payment_service.playground.memory.world import TRACE, a_request


async def dies():
    raise Died("after the freeze, before anything is recorded of it")


async def test_a_request_is_answered_and_driven_to_its_end_by_one_delivery(world):
    await world.request()

    assert world.answers == ["accepted"]
    assert await world.states() == ["SUCCEEDED", "SKIPPED", "SKIPPED", "COMPLETED"]
    assert len(world.bus.outcomes) == 1


async def test_a_repeat_is_answered_and_rings_for_nothing(world):
    world.provider("acme", ACCEPTS)
    await world.request()
    steps = await world.steps()

    await world.request()

    assert world.answers == ["accepted", "duplicate"]
    assert await world.steps() == steps


async def test_another_content_under_the_same_id_is_a_conflict(world):
    await world.request(a_request(order_id="w-1"))
    await world.request(a_request("zeta", order_id="w-1"))

    assert world.answers == ["accepted", "conflict"]


async def test_a_worker_that_dies_leaves_the_request_to_another_one(world):
    world.effects.meanwhile("core.freeze", dies)
    await world.request()
    assert (await world.states())[-1] == "ACTIVE"

    await world.pass_time(timedelta(seconds=31))
    await world.work_off()

    assert world.answers == ["accepted", "duplicate"]
    assert (await world.states())[-1] == "COMPLETED"


async def test_while_core_is_away_requests_are_accepted_and_left_to_a_wakeup(world):
    world.core.goes_down()
    await world.request()

    assert world.answers == ["accepted"]
    assert world.words()[0] == "accepted"
    world.core.comes_back()
    await world.rest(within=timedelta(seconds=29))
    assert (await world.states())[-1] == "COMPLETED"


async def test_the_answer_comes_before_anything_is_asked_for(world):
    world.provider("acme", PAYS)
    asked = []

    async def answer(done):
        asked.append((done.status, len(world.core.book)))

    outcome = await requested(
        a_request(), ports=world.ports, trace_parent=TRACE, again=False, answer=answer
    )

    assert outcome == Done(what="accepted", order_id="w-1001")
    assert asked == [("accepted", 0)]


async def test_the_trace_of_an_order_is_said_by_its_first_line_alone(world):
    await world.request()

    lines = await world.rows.trail()
    named = [(line.task_id, line.version) for line in lines if line.trace_id]
    assert named == [(None, 1)]
    assert len(lines) > 1
