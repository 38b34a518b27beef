"""What no consumer takes is buried, and what one takes is left alone."""

from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from fsm.domain import messages
from fsm.domain.errors import StoreUnavailable
from handlers.route import DOORBELLS
from payment_service.bus import strays
from payment_service.bus.strays import STRAYS_MAX, bury_strays
from payment_service.wiring import roles
from tests.bus.stage import a_message, state_of, until

TIMER = "order.timer.x.1"
STRANGE = "order.task.unheard.of"


@pytest.fixture
def burying(api, names, streams):
    letters = []

    async def bury(delivery, *_):
        letters.append(delivery)

    async def burying():
        buried = await bury_strays(api, names, streams, bury)
        return buried, letters

    return burying


async def test_a_message_that_nobody_takes_is_buried_and_removed(
    api, publisher, tasks, burying
):
    strange = a_message(STRANGE, b"any bytes", headers={"traceparent": "00-a-b-01"})
    await publisher.publish([strange])

    buried, (letter,) = await burying()

    assert buried == 1
    assert (letter.subject, letter.body) == (STRANGE, b"any bytes")
    assert letter.headers["traceparent"] == "00-a-b-01"
    assert (await state_of(api, tasks))["messages"] == 0


async def test_what_a_consumer_takes_is_left_alone(api, publisher, tasks, burying):
    subjects = [*DOORBELLS, messages.WEBHOOK_RECEIVED, messages.TASK_CANCEL]
    await publisher.publish([a_message(subject) for subject in subjects])

    assert (await burying())[0] == 0
    assert (await state_of(api, tasks))["messages"] == len(subjects)


async def test_one_whose_letter_could_not_be_kept_stays(
    api, names, publisher, streams, tasks
):
    await publisher.publish([a_message(STRANGE)])

    async def fails(*_):
        raise StoreUnavailable("gone")

    with pytest.raises(StoreUnavailable):
        await bury_strays(api, names, streams, fails)

    assert (await state_of(api, tasks))["messages"] == 1


def later():
    return datetime.now(UTC) + timedelta(hours=1)


def unlisted(names, number=0):
    subject = names.subject(f"order.task.a\x7fb.c{number}").encode()
    return b"PUB %s 2\r\nhi\r\n" % subject


@pytest.mark.attack("bus", "What the server lists by no subject is buried too")
async def test_what_the_server_does_not_list_is_found_among_the_rest(
    api, wire, names, publisher, tasks, burying
):
    work = [a_message(messages.STEP_DUE) for _ in range(3)]
    timer = a_message(messages.WEBHOOK_TIMEOUT, at=later(), schedule=TIMER)
    await publisher.publish([*work, timer])
    for number in range(2):
        wire.send(unlisted(names, number))
    await until(partial(holds, api, tasks, 6))

    buried, letters = await burying()

    assert (buried, {letter.body for letter in letters}) == (2, {b"hi"})
    assert {letter.subject for letter in letters} == {
        f"order.task.a\x7fb.c{number}" for number in range(2)
    }
    assert await holds(api, tasks, 4)
    assert (await burying())[0] == 0


async def test_nothing_is_gone_through_where_all_is_listed(
    api, publisher, burying, monkeypatch
):
    timer = a_message(messages.WEBHOOK_TIMEOUT, at=later(), schedule=TIMER)
    await publisher.publish([a_message(messages.STEP_DUE), timer])
    asked = []
    find = api.find

    async def noted(subject, *given):
        asked.append(subject)
        return await find(subject, *given)

    monkeypatch.setattr(api, "find", noted)

    assert (await burying())[0] == 0
    assert asked == []


async def test_among_many_some_are_looked_at_each_time(
    api, wire, names, publisher, tasks, burying, monkeypatch
):
    monkeypatch.setattr(strays, "LOOKED_AT_MAX", 3)
    await publisher.publish([a_message(messages.STEP_DUE) for _ in range(9)])
    wire.send(unlisted(names))
    for _ in range(200):
        if (await burying())[0]:
            break

    assert (await state_of(api, tasks))["messages"] == 9


async def holds(api, tasks, count):
    return (await state_of(api, tasks))["messages"] == count


async def test_many_are_buried_a_portion_at_a_time(publisher, burying):
    await publisher.publish([a_message(STRANGE) for _ in range(STRAYS_MAX + 5)])

    assert (await burying())[0] == STRAYS_MAX
    assert (await burying())[0] == 5


@pytest.mark.attack("bus", "What no consumer takes does not pile up among the work")
async def test_many_of_them_are_buried_in_one_go(
    api, wire, names, streams, publisher, tasks, monkeypatch
):
    many = 2 * STRAYS_MAX + 1
    letters = []

    async def bury(delivery, *_):
        letters.append(delivery.subject)

    lane = "order.lane.vip.step.due"
    await publisher.publish([a_message(lane) for _ in range(many)])
    monkeypatch.setattr(roles, "_router", lambda _: SimpleNamespace(bury=bury))

    service: Any = SimpleNamespace(wire=wire, names=names, topology=streams)
    await roles._bury_strays(service)

    assert letters == [lane] * many
    assert (await state_of(api, tasks))["messages"] == 0
