"""What no consumer takes is buried, and what one takes is left alone."""

from types import SimpleNamespace
from typing import Any

import pytest

from fsm.domain import messages
from fsm.domain.errors import StoreUnavailable
from handlers.route import DOORBELLS
from payment_service.bus.strays import STRAYS_MAX, bury_strays
from payment_service.wiring import roles
from tests.bus.stage import a_message, state_of

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
