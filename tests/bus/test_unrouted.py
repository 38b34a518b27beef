"""What no consumer takes is buried, and what one takes is left alone."""

from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from fsm.domain import messages
from fsm.domain.errors import StoreUnavailable
from handlers.route import WAKEUPS
from payment_service.bus import unrouted
from payment_service.bus.unrouted import UNROUTED_MAX, dead_letter_unrouted
from payment_service.wiring import roles
from tests.bus.stage import a_message, state_of, until

TIMER = "order.timer.x.1"
STRANGE = "order.task.unheard.of"
OLD = timedelta(0)


@pytest.fixture
def dead_lettering(api, names, streams):
    letters = []

    async def dead_letter(delivery, *_):
        letters.append(delivery)

    async def dead_lettering():
        dead_lettered = await dead_letter_unrouted(
            api, names, streams, dead_letter, age_min=OLD
        )
        return dead_lettered, letters

    return dead_lettering


async def test_a_message_that_nobody_takes_is_buried_and_removed(
    api, publisher, tasks, dead_lettering
):
    strange = a_message(STRANGE, b"any bytes", headers={"traceparent": "00-a-b-01"})
    await publisher.publish([strange])

    dead_lettered, (letter,) = await dead_lettering()

    assert dead_lettered == 1
    assert (letter.subject, letter.body) == (STRANGE, b"any bytes")
    assert letter.headers["traceparent"] == "00-a-b-01"
    assert (await state_of(api, tasks))["messages"] == 0


async def test_what_a_consumer_takes_is_left_alone(
    api, publisher, tasks, dead_lettering
):
    subjects = [*WAKEUPS, messages.WEBHOOK_RECEIVED, messages.TASK_CANCEL]
    await publisher.publish([a_message(subject) for subject in subjects])

    assert (await dead_lettering())[0] == 0
    assert (await state_of(api, tasks))["messages"] == len(subjects)


async def test_what_came_just_now_is_left_to_a_consumer_that_may_be_made_for_it(
    api, names, publisher, streams, tasks
):
    await publisher.publish([a_message(STRANGE)])

    async def never(*_):
        raise AssertionError

    found = await dead_letter_unrouted(api, names, streams, never)

    assert found == 0
    assert (await state_of(api, tasks))["messages"] == 1


async def test_one_whose_letter_could_not_be_kept_stays(
    api, names, publisher, streams, tasks
):
    await publisher.publish([a_message(STRANGE)])

    async def fails(*_):
        raise StoreUnavailable("gone")

    with pytest.raises(StoreUnavailable):
        await dead_letter_unrouted(api, names, streams, fails, age_min=OLD)

    assert (await state_of(api, tasks))["messages"] == 1


def later():
    return datetime.now(UTC) + timedelta(hours=1)


def unlisted(names, number=0):
    subject = names.subject(f"order.task.a\x7fb.c{number}").encode()
    return b"PUB %s 2\r\nhi\r\n" % subject


@pytest.mark.attack("bus", "What the server lists by no subject is buried too")
async def test_what_the_server_does_not_list_is_found_among_the_rest(
    api, wire, names, publisher, tasks, dead_lettering
):
    work = [a_message(messages.STEP_DUE) for _ in range(3)]
    timer = a_message(messages.WEBHOOK_TIMEOUT, at=later(), schedule=TIMER)
    await publisher.publish([*work, timer])
    for number in range(2):
        wire.send(unlisted(names, number))
    await until(partial(holds, api, tasks, 6))

    dead_lettered, letters = await dead_lettering()

    assert (dead_lettered, {letter.body for letter in letters}) == (2, {b"hi"})
    assert {letter.subject for letter in letters} == {
        f"order.task.a\x7fb.c{number}" for number in range(2)
    }
    assert await holds(api, tasks, 4)
    assert (await dead_lettering())[0] == 0


async def test_nothing_is_gone_through_where_all_is_listed(
    api, publisher, dead_lettering, monkeypatch
):
    timer = a_message(messages.WEBHOOK_TIMEOUT, at=later(), schedule=TIMER)
    await publisher.publish([a_message(messages.STEP_DUE), timer])
    asked = []
    find = api.find

    async def noted(subject, *given):
        asked.append(subject)
        return await find(subject, *given)

    monkeypatch.setattr(api, "find", noted)

    assert (await dead_lettering())[0] == 0
    assert [each for each in asked if "MSG" in each] == []


async def test_among_many_some_are_looked_at_each_time(
    api, wire, names, publisher, tasks, dead_lettering, monkeypatch
):
    monkeypatch.setattr(unrouted, "LOOKED_AT_MAX", 3)
    await publisher.publish([a_message(messages.STEP_DUE) for _ in range(9)])
    wire.send(unlisted(names))
    for _ in range(200):
        if (await dead_lettering())[0]:
            break

    assert (await state_of(api, tasks))["messages"] == 9


@pytest.mark.attack("bus", "Subjects that match one another are not gone through anew")
async def test_what_cannot_be_told_from_another_is_found_with_it(
    api, wire, names, publisher, tasks, dead_lettering, monkeypatch
):
    odd = [f"order.task.{word}.heard" for word in ("*", ">", "\xe9", "mine")]
    await publisher.publish([a_message(messages.STEP_DUE) for _ in range(3)])
    for number in range(60):
        subject = names.subject(odd[number % len(odd)]).encode("latin-1")
        wire.send(b"PUB %s 2\r\nhi\r\n" % subject)
    await until(partial(holds, api, tasks, 63))
    asked = []
    find = api.find

    async def noted(subject, *given):
        asked.append(subject)
        return await find(subject, *given)

    monkeypatch.setattr(api, "find", noted)

    assert (await dead_lettering())[0] == 60
    assert await holds(api, tasks, 3)
    assert len([each for each in asked if "MSG.GET" in each]) < 100


async def holds(api, tasks, count):
    return (await state_of(api, tasks))["messages"] == count


async def test_many_are_buried_a_portion_at_a_time(publisher, dead_lettering):
    await publisher.publish([a_message(STRANGE) for _ in range(UNROUTED_MAX + 5)])

    assert (await dead_lettering())[0] == UNROUTED_MAX
    assert (await dead_lettering())[0] == 5


@pytest.mark.attack("bus", "What no consumer takes does not pile up among the work")
async def test_many_of_them_are_buried_in_one_go(
    api, wire, names, streams, publisher, tasks, monkeypatch
):
    many = 2 * UNROUTED_MAX + 1
    letters = []

    async def dead_letter(delivery, *_):
        letters.append(delivery.subject)

    lane = "order.lane.vip.step.due"
    await publisher.publish([a_message(lane) for _ in range(many)])
    monkeypatch.setattr(
        roles, "_router", lambda _: SimpleNamespace(dead_letter=dead_letter)
    )
    monkeypatch.setattr(unrouted, "AGE_MIN", OLD)

    service: Any = SimpleNamespace(wire=wire, names=names, topology=streams)
    await roles._dead_letter_unrouted(service)

    assert letters == [lane] * many
    assert (await state_of(api, tasks))["messages"] == 0
