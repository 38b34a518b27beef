"""Cases and returns are told by the commits that make them, and by no other."""

import orjson
import pytest

from fsm.domain.case_events import closed_id
from fsm.domain.ids import is_uuid
from fsm.domain.webhook_events import WebhookEventType
from handlers.close import close_case
from handlers.resolve import Ruling
from tests.handlers.test_by_hand import refused
from tests.handlers.test_settling import ANNA, come_back, settle, the_case

ASKED = {
    "provider": "acme",
    "merchant_id": "m-1",
    "amount": 12550,
    "currency": "EUR",
    "attempts": 1,
}


@pytest.fixture
async def told(world):
    """Return what gives the events of a type that the outbox has been given."""

    async def of(word):
        await world.rest()
        found = {}
        for message in world.bus.streams.events:
            body = orjson.loads(message.body)
            assert message.subject == f"order.event.{body['type']}"
            assert message.message_id == body["event_id"]
            assert is_uuid(body["event_id"])
            if body["type"] == f"withdrawal.{word}":
                found[body["event_id"]] = body
        return list(found.values())

    return of


async def test_a_return_and_its_case_are_told_until_it_is_settled(world, told):
    case = await come_back(world)

    (back,), (opened,) = await told("returned"), await told("case_opened")
    about = {"case_id": case.id, "task_id": case.task_id, **ASKED}
    assert about.items() <= back.items()
    assert about.items() <= opened.items()
    facts = {"case_kind": "return_after_success", "case_state": "open"}
    assert facts.items() <= opened.items()
    assert back["provider_reference"] == (await world.task()).provider_reference
    assert await told("case_closed") == []

    await settle(world, case)
    await world.rest()

    (closed,) = await told("case_closed")
    assert (closed["event_id"], closed["case_id"]) == (closed_id(case.id), case.id)
    assert closed["case_state"] == "settled"
    assert len(await told("returned")) == len(await told("case_opened")) == 1


async def test_a_return_that_is_told_again_is_one_event(world, told):
    case = await come_back(world)
    for _ in range(2):
        await world.tell("acme", WebhookEventType.RETURNED, case.task_id)
        await world.rest()

    cases = {each.id for each in await world.rows.cases()}
    assert {each["case_id"] for each in await told("returned")} == cases
    assert {each["case_id"] for each in await told("case_opened")} == cases


async def test_a_case_that_a_person_closes_is_told_with_the_reason(world, told):
    await come_back(world)
    case = await the_case(world)

    await close_case(
        case.id,
        reason="seen to, card 4111111111111111",
        actor=ANNA,
        four_eyes=world.four_eyes,
        operator_store=world.rows.operator_store,
        ports=world.ports,
    )

    (closed,) = await told("case_closed")
    assert (closed["event_id"], closed["case_state"]) == (closed_id(case.id), "closed")
    assert closed["message"].startswith("seen to")
    assert "4111111111111111" not in str(closed)


async def test_what_opens_no_case_since_there_is_one_tells_of_none(world, told):
    await refused(world, times=3)
    for _ in range(2):
        await world.decide(Ruling.POSITIVE)
        await world.rest()

    (case,) = await world.rows.cases()
    (opened,) = await told("case_opened")
    assert (opened["case_id"], opened["case_kind"]) == (case.id, "balance_refused")
