"""Messages that cannot be handled: buried whole, brought back on a person's word."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from fsm.domain.dead_letters import Reason
from fsm.domain.errors import NotNow, UnknownOrder
from fsm.domain.webhook_events import WebhookEventState, WebhookEventType
from handlers.dead_letters import dead_letter, discard, replay
from handlers.ports.bus import Delivery
from handlers.sweep import dead_letter_of_webhook
from payment_service.playground.memory.providers import ACCEPTS
from payment_service.playground.memory.world import a_request

NOBODY = "0195f1de-0000-7000-8000-000000000000"


def a_delivery(body=b'{"order_id": "w-1"}', **headers):
    return Delivery(
        subject="withdrawal.requested",
        body=body,
        headers={"traceparent": "00-a-b-01", **headers},
        deliveries=3,
        identity="PAYMENT_REQUESTS.7",
    )


@pytest.fixture
def dead_lettering(world):
    async def dead_letter_it(delivery=None, rejected=None, error="no amount"):
        await dead_letter(
            delivery or a_delivery(),
            Reason.INVALID,
            error,
            store=world.rows.store,
            clock=world.clock,
            rejected=rejected,
        )
        await world.work_off()

    return dead_letter_it


async def test_a_dead_letter_keeps_the_message_and_tells_why(world, dead_lettering):
    await dead_lettering()

    (letter,) = await world.rows.letters()
    assert (letter.body, letter.reason, letter.error) == (
        b'{"order_id": "w-1"}',
        "invalid",
        "no amount",
    )
    assert (letter.order_id, letter.deliveries) == ("w-1", 3)


async def test_a_copy_goes_to_the_stream_of_the_dead(world, dead_lettering):
    await dead_lettering()

    (copy,) = world.bus.streams.letters
    assert copy.subject == "order.task.dlq"
    assert copy.headers["X-Original-Subject"] == "withdrawal.requested"
    assert copy.headers["X-Reason"] == "invalid"


async def test_the_same_message_is_buried_once(world, dead_lettering):
    await dead_lettering()
    await dead_lettering()

    assert len(await world.rows.letters()) == 1
    assert len(world.bus.streams.letters) == 1


async def test_a_forgery_takes_no_place_from_the_letter_of_another(
    world, dead_lettering
):
    named = f'"task_id": "{NOBODY}", "queue_id": "{NOBODY}", "version": 5'
    first = a_delivery(f'{{{named}, "reason": "forged"}}'.encode())
    await dead_lettering(first)
    honest = a_delivery(f'{{{named}, "reason": "honest"}}'.encode())
    await dead_lettering(replace(honest, identity="PAYMENT_REQUESTS.8"))

    assert len(await world.rows.letters()) == 2


async def test_the_sender_of_a_rejected_request_hears_of_it(world, dead_lettering):
    await dead_lettering(rejected=("withdrawal", "w-1"))

    (event,) = world.bus.streams.events
    assert event.subject == "order.event.withdrawal.rejected"


@pytest.mark.parametrize("body", [b"", b"\xff\x00", b"[1]", b'{"order_id": 5}'])
async def test_any_bytes_can_be_buried(world, dead_lettering, body):
    await dead_lettering(a_delivery(body))

    (letter,) = await world.rows.letters()
    assert letter.body == body


async def test_an_error_of_any_text_fits_into_a_header(world, dead_lettering):
    await dead_lettering(error="naïve\r\nX-Evil: 1" + "x" * 2000)

    (copy,) = world.bus.streams.letters
    assert copy.headers["X-Error"].isascii()
    assert "\n" not in copy.headers["X-Error"]


async def test_a_replay_sends_the_message_again_and_marks_the_letter(
    world, dead_lettering
):
    await world.submit()
    wakeup = world.wakeup()
    await world.rest()
    await dead_lettering(
        Delivery(
            subject=wakeup.subject,
            body=wakeup.body,
            headers=wakeup.headers,
            deliveries=8,
            identity="ORDER_TASKS.1",
        )
    )
    (letter,) = await world.rows.letters()

    await replay(
        letter.id,
        actor="key:anna",
        operator_store=world.rows.operator_store,
        clock=world.clock,
    )
    await world.rest()

    assert world.words()[-1] == "stale"
    assert await world.rows.letters() == []


async def test_a_letter_is_dealt_with_once(world, dead_lettering):
    await dead_lettering()
    (letter,) = await world.rows.letters()
    operator_store, clock = world.rows.operator_store, world.clock
    await discard(
        letter.id,
        actor="key:anna",
        reason="x",
        operator_store=operator_store,
        clock=clock,
    )

    with pytest.raises(NotNow):
        await discard(
            letter.id,
            actor="key:bert",
            reason="x",
            operator_store=operator_store,
            clock=clock,
        )
    with pytest.raises(NotNow):
        await replay(
            letter.id, actor="key:b", operator_store=operator_store, clock=clock
        )


async def test_a_letter_that_is_not_cannot_be_discarded(world):
    with pytest.raises(UnknownOrder):
        await discard(
            NOBODY,
            actor="a",
            reason="x",
            operator_store=world.rows.operator_store,
            clock=world.clock,
        )


async def test_a_message_that_fails_too_often_is_buried_and_the_sweeper_goes_on(world):
    world.core.goes_down()
    await world.submit()
    await world.rest(within=timedelta(minutes=10))

    assert {x.reason for x in await world.rows.letters()} == {"exhausted"}
    world.core.comes_back()
    await world.rest()

    assert (await world.states())[-1] == "COMPLETED"


async def expired_webhook(world):
    """Bury a webhook that nobody's task ever came for; return the letter."""
    await world.tell("acme", WebhookEventType.SUCCEEDED, NOBODY)
    await world.rest()
    (letter,) = await world.rows.letters()
    return letter


async def test_a_webhook_without_a_task_is_buried_once(world):
    letter = await expired_webhook(world)
    await world.sweep()

    assert letter.reason == "unknown_task"
    assert len(await world.rows.letters()) == 1


@pytest.mark.parametrize("reference", ["inv-7", "", str(UUID(int=4))])
async def test_what_is_none_of_ours_is_forgotten_without_a_letter(world, reference):
    webhook = await world.tell("acme", WebhookEventType.SUCCEEDED, reference)
    await world.rest()

    assert await world.rows.letters() == []
    assert await world.rows.store.find_webhook("acme", webhook.event_id) is None
    assert world.words() == []


async def replayed(world, letter):
    await replay(
        letter.id,
        actor="key:anna",
        operator_store=world.rows.operator_store,
        clock=world.clock,
    )
    await world.rest()


async def test_a_webhook_that_is_replayed_once_its_task_is_there_is_applied(world):
    world.provider("acme", ACCEPTS)
    await world.submit()
    await world.work_off()
    task = await world.task()
    world.providers["acme"].pays(task.task_id)
    webhook = await world.tell("acme", WebhookEventType.SUCCEEDED, task.task_id)
    # As the sweeper leaves a webhook whose task was nowhere to be found.
    store = world.rows.store
    stored = await store.find_webhook("acme", webhook.event_id)
    letter = dead_letter_of_webhook(stored, world.clock.now())
    await store.dead_letter(letter, [])
    await store.close_webhook(stored.inbox_id, WebhookEventState.DEAD)
    await world.work_off()
    assert world.words()[-1] == "duplicate"

    await replayed(world, letter)

    assert (await world.states())[0] == "SUCCEEDED"
    assert {asked.call for asked in world.providers["acme"].asked} == {"create"}


async def test_a_webhook_that_is_replayed_in_vain_is_buried_again(world):
    letter = await expired_webhook(world)

    await replayed(world, letter)

    assert [x.id for x in await world.rows.letters()] == [letter.id]


async def test_a_webhook_without_a_task_is_copied_to_the_stream_of_the_dead(world):
    await expired_webhook(world)
    await world.work_off()

    assert len(world.bus.streams.letters) == 1


async def test_requests_of_several_orders_do_not_mix(world):
    for n in range(5):
        await world.submit(a_request(order_id=f"w-{n}"))

    await world.rest()

    assert len({entry.order_id for entry in world.core.book}) == 5
