"""A withdrawal that goes from provider to provider."""

from datetime import timedelta

import orjson
import pytest

from fsm.domain.webhook_events import WebhookEventType
from handlers.commit import Limits
from handlers.ports.core import Operation
from payment_service.playground.memory.core import NOTIFY, CoreTrouble
from payment_service.playground.memory.providers import (
    ACCEPTS,
    DECLINES,
    UNREACHABLE,
    Conduct,
    Does,
)
from payment_service.playground.memory.world import a_request


def types_of_events(world):
    return [message.subject.rpartition(".")[2] for message in world.bus.streams.events]


async def test_a_provider_that_pays_at_once_completes_the_order(world):
    await world.submit()

    await world.rest()

    assert await world.states() == ["SUCCEEDED", "SKIPPED", "SKIPPED", "COMPLETED"]
    assert types_of_events(world) == ["accepted", "attempt_started", "completed"]
    assert (await world.task(1)).code == "not_needed"


@pytest.mark.parametrize("by", ["answer", "webhook", "core"])
async def test_a_strangers_code_is_no_word_that_the_rule_goes_by(world, by):
    no = "not_needed"
    declines = Conduct(does=Does.DECLINES, code=no)
    world.provider("acme", declines if by == "answer" else ACCEPTS)
    if by == "core":
        world.core.refuses(Operation.FREEZE, no)
    await world.submit(a_request("acme"))
    await world.work_off()
    if by == "webhook":
        task_id = (await world.task()).task_id
        await world.tell("acme", WebhookEventType.FAILED, task_id, code=no)
    await world.rest()

    assert (await world.task()).code == "their_not_needed"
    (notice,) = world.core.notices
    assert notice.body["code"] == "their_not_needed"


async def test_it_takes_one_delivery_where_everything_answers(world):
    await world.submit()

    await world.rest()

    assert world.words() == ["done"]
    assert await world.steps() == ["PENDING", "CREATING", "EXECUTING", "SUCCEEDED"]


async def test_a_declined_attempt_is_followed_by_the_next_provider(world):
    world.provider("acme", DECLINES)
    await world.submit()

    await world.rest()

    assert await world.states() == ["SKIPPED", "SUCCEEDED", "SKIPPED", "COMPLETED"]
    assert len(world.providers["zeta"].book) == 1


async def test_an_order_that_everybody_declines_is_failed_and_core_is_told(world):
    for name in ("acme", "zeta", "nova"):
        world.provider(name, Conduct(does=Does.DECLINES, code=f"{name}_says_no"))
    await world.submit()

    await world.rest()

    assert await world.states() == ["SKIPPED"] * 3 + ["FAILED"]
    assert [notice.body["code"] for notice in world.core.notices] == ["nova_says_no"]
    assert world.core.notices[0].body["type"] == "withdrawal.failed"


async def test_the_notification_is_the_body_of_the_final_event(world):
    world.provider("acme", DECLINES)
    await world.submit()

    await world.rest()

    final = orjson.loads(world.bus.streams.events[-1].body)
    assert world.core.notices[0].body == final


async def test_a_refused_freeze_passes_over_the_provider(world):
    world.core.refuses(Operation.FREEZE, "limit_exceeded")
    await world.submit()

    await world.rest()

    assert await world.states() == ["SKIPPED", "SUCCEEDED", "SKIPPED", "COMPLETED"]
    assert (await world.task()).code == "limit_exceeded"
    assert world.providers["acme"].asked == []


async def test_a_provider_that_cannot_be_reached_is_tried_again_then_passed_over(world):
    world.provider("acme", UNREACHABLE)
    await world.submit()

    await world.rest()

    assert await world.states() == ["SKIPPED", "SUCCEEDED", "SKIPPED", "COMPLETED"]
    assert (await world.task()).code == "not_sent"


async def test_a_provider_that_is_reached_the_second_time_pays(world):
    world.provider("acme", UNREACHABLE, Conduct(does=Does.PAYS))
    await world.submit()

    await world.rest()

    assert await world.states() == ["SUCCEEDED", "SKIPPED", "SKIPPED", "COMPLETED"]


async def test_a_provider_that_is_not_configured_any_more_is_passed_over(world):
    world.providers.drop("acme")
    await world.submit()

    await world.rest()

    assert await world.states() == ["SKIPPED", "SUCCEEDED", "SKIPPED", "COMPLETED"]
    assert (await world.task()).code == "provider_not_configured"


@pytest.mark.parametrize("operation", list(Operation))
@pytest.mark.parametrize("trouble", list(CoreTrouble))
async def test_core_without_an_answer_is_asked_again(world, operation, trouble):
    world.provider("acme", DECLINES)
    world.core.fails(operation, trouble, times=3)
    await world.submit()

    await world.rest()

    assert await world.states() == ["SKIPPED", "SUCCEEDED", "SKIPPED", "COMPLETED"]


async def test_nothing_is_decided_while_core_is_down(world):
    world.core.goes_down()
    await world.submit()
    await world.rest(within=timedelta(hours=1))

    assert await world.states() == ["PENDING", "PENDING", "PENDING", "ACTIVE"]
    world.core.comes_back()
    await world.rest()

    assert (await world.states())[-1] == "COMPLETED"


async def test_core_going_down_after_the_payout_keeps_the_yes(world):
    world.core.fails(Operation.COMMIT, CoreTrouble.DOWN, times=200)
    await world.submit()
    await world.rest(within=timedelta(minutes=10))

    assert await world.states() == ["EXECUTING", "PENDING", "PENDING", "ACTIVE"]
    await world.rest()

    assert (await world.states())[0] == "SUCCEEDED"


@pytest.mark.parametrize("trouble", list(CoreTrouble))
async def test_a_notification_is_repeated_until_core_has_heard_it(world, trouble):
    world.core.fails(NOTIFY, trouble, times=12)
    await world.submit()

    await world.rest()

    assert (await world.order()).queue.waiting_for is None
    assert len({notice.event_id for notice in world.core.notices}) == 1


async def test_a_refused_commit_is_for_a_person(world):
    world.core.refuses(Operation.COMMIT, "account_closed")
    await world.submit()

    await world.rest()

    assert await world.states() == ["MANUAL_CHECK", "PENDING", "PENDING", "ACTIVE"]
    assert await world.kinds_of_cases() == ["balance_refused"]


async def test_a_refused_rollback_is_for_a_person_and_the_cascade_stops(world):
    world.provider("acme", DECLINES)
    world.core.refuses(Operation.ROLLBACK, "account_closed")
    await world.submit()

    await world.rest()

    assert await world.states() == ["MANUAL_CHECK", "PENDING", "PENDING", "ACTIVE"]
    assert world.providers["zeta"].asked == []


async def test_a_long_chain_is_handed_on_to_a_message_of_its_own(world):
    world.limits = Limits(chain=timedelta(0))
    world.core.slowness = timedelta(milliseconds=1)
    world.provider("acme", DECLINES)

    async def a_second_passes():
        await world.pass_time(timedelta(seconds=1))

    for name in ("core.freeze", "acme.create", "core.rollback", "core.freeze"):
        world.effects.meanwhile(name, a_second_passes)
    await world.submit()
    await world.rest()

    assert world.words().count("handed_on") >= 2
    assert (await world.states())[-1] == "COMPLETED"


async def test_a_chain_is_never_cut_between_the_freeze_and_the_create(world):
    world.limits = Limits(chain=timedelta(0))

    async def a_second_passes():
        await world.pass_time(timedelta(seconds=1))

    world.effects.meanwhile("core.freeze", a_second_passes)
    await world.submit()
    await world.rest()

    assert "RECHECKING" not in await world.steps()
    assert (await world.states())[0] == "SUCCEEDED"


async def test_a_create_is_not_sent_by_a_worker_that_overslept(world):
    world.probe.on_recorded = [lambda _: world.clock.advance(timedelta(seconds=6))]
    await world.submit()

    await world.rest()

    assert (await world.states())[0] == "MANUAL_CHECK"
    assert "create" not in [asked.call for asked in world.providers["acme"].asked]


async def test_a_repeated_request_starts_nothing_new(world):
    first = await world.submit()

    second = await world.submit()
    await world.rest()

    assert (second.status, second.queue_id) == ("duplicate", first.queue_id)
    assert len(await world.rows.orders()) == 1


async def test_a_request_with_another_content_is_a_conflict(world):
    await world.submit()

    answer = await world.submit(a_request(amount=99))
    await world.rest()

    assert answer.status == "conflict"
    assert (await world.order()).money.amount == 12550


async def test_orders_of_two_merchants_may_share_their_id(world):
    await world.submit(a_request(merchant_id="m-1"))

    answer = await world.submit(a_request(merchant_id="m-2"))
    await world.rest()

    assert answer.status == "accepted"
    assert len(world.core.notices) == 2
