"""A provider whose status cannot be asked is asked by a repeat of the create."""

from dataclasses import replace
from datetime import timedelta

import pytest

from fsm.domain.webhook_events import WebhookEventType
from fsm.payout.policy import AskedBy, ProviderPolicy
from handlers.ports.provider import Declined, NotFound
from handlers.resolve import Ruling
from payment_service.playground.memory.effects import Died
from payment_service.playground.memory.providers import (
    ACCEPTS,
    ACCEPTS_SILENTLY,
    DECLINES_SILENTLY,
    LOSES_REQUEST,
    PAYS,
    PAYS_SILENTLY,
    UNREACHABLE,
)
from tests.handlers.test_gate import pause

UNASKED = ProviderPolicy(idempotent_create=True, asked_by=AskedBy.NOTHING)
THEIRS = replace(UNASKED, asked_by=AskedBy.THEIRS)
MINUTE = timedelta(minutes=1)


def calls(world):
    return [asked.call for asked in world.providers["acme"].asked]


@pytest.mark.parametrize(
    ("lost", "ends"),
    [
        (PAYS_SILENTLY, "SUCCEEDED"),
        (DECLINES_SILENTLY, "FAILED"),
        (ACCEPTS_SILENTLY, "EXECUTING"),
    ],
)
async def test_a_lost_answer_is_found_by_one_repeat(world, lost, ends):
    world.provider("acme", lost, plan=UNASKED)
    await world.submit()

    await world.rest(within=MINUTE)

    assert (await world.states())[0] == ends
    assert calls(world) == ["create", "create"]
    assert len(world.providers["acme"].book) == (ends == "SUCCEEDED")


TWICE = [
    Declined(code="duplicate_reference", message=None),
    Declined(code="E42", message="This reference is already in use"),
    Declined(code="http_400", message="Please provide a unique reference"),
    Declined(code="BAD_ACCOUNT", of_this_request=True),
]


@pytest.mark.parametrize("again", TWICE)
@pytest.mark.parametrize("plan", [UNASKED, ProviderPolicy(idempotent_create=True)])
async def test_a_repeat_refused_for_the_first_is_no_no(world, again, plan):
    world.provider("acme", replace(PAYS_SILENTLY, again=again), plan=plan)
    world.providers["acme"].statuses += [NotFound()] * 7
    await world.submit()

    await world.rest()

    asked = plan is not UNASKED
    assert (await world.states())[0] == ("SUCCEEDED" if asked else "MANUAL_CHECK")
    assert "create" in calls(world)[1:]


async def test_the_trail_says_that_the_repeat_was_the_question(world):
    world.provider("acme", PAYS_SILENTLY, plan=UNASKED)
    await world.submit()

    await world.rest()

    trail = await world.rows.trail()
    assert "create.repeat_due" in [line.trigger for line in trail]
    (paid,) = [line for line in trail if line.trigger == "provider.paid"]
    assert paid.detail["question"] == "create"


async def test_a_create_that_never_arrived_is_made_by_the_repeat_without_a_grace(world):
    world.provider("acme", LOSES_REQUEST, PAYS, plan=UNASKED)
    await world.submit()

    await world.rest(within=UNASKED.not_found_grace)

    assert (await world.states())[0] == "SUCCEEDED"
    assert calls(world) == ["create", "create"]


async def test_repeats_end_with_a_person_after_all_checks(world):
    world.provider("acme", LOSES_REQUEST, plan=UNASKED)
    await world.submit()

    await world.rest()

    assert (await world.states())[0] == "MANUAL_CHECK"
    assert calls(world) == ["create"] * (1 + UNASKED.recheck_attempts)


async def test_a_repeat_that_is_not_sent_proves_nothing(world):
    world.provider("acme", LOSES_REQUEST, UNREACHABLE, plan=UNASKED)
    await world.submit()

    await world.rest()

    assert (await world.states())[0] == "MANUAL_CHECK"


async def test_no_repeat_may_arrive_after_the_keys_lifetime(world):
    acme = world.provider(
        "acme", LOSES_REQUEST, plan=replace(UNASKED, key_lifetime=2 * MINUTE)
    )
    await world.submit()

    await world.rest()

    first, *_, last = [asked.at for asked in acme.asked]
    send_within = world.ports.limits.send_within
    assert last + send_within + acme.timeout < first + 2 * MINUTE
    assert (await world.states())[0] == "MANUAL_CHECK"


async def test_what_was_found_after_the_keys_lifetime_is_not_sent(world):
    acme = world.provider("acme", PAYS, plan=replace(UNASKED, key_lifetime=2 * MINUTE))
    world.probe.on_recorded = [dies_before_sending]
    await world.submit()
    await world.work_off()

    await world.pass_time(timedelta(hours=1))
    await world.rest()

    assert acme.asked == []
    assert (await world.states())[0] == "MANUAL_CHECK"


def dies_before_sending(_work):
    raise Died("right after it said that it would send")


async def test_what_was_accepted_is_left_to_the_webhook_and_then_to_a_person(world):
    world.provider("acme", ACCEPTS, plan=UNASKED)
    await world.submit()

    await world.rest()

    assert (await world.states())[0] == "MANUAL_CHECK"
    assert calls(world) == ["create"]


async def test_nothing_is_repeated_once_somebody_wants_it_cancelled(world):
    world.provider("acme", LOSES_REQUEST, PAYS, plan=UNASKED)
    await world.submit()
    await world.work_off()

    await world.cancel_task(0)
    await world.rest()

    assert (await world.states())[0] == "MANUAL_CHECK"
    assert calls(world) == ["create"]


async def test_nothing_is_repeated_after_a_persons_no(world):
    world.provider("acme", LOSES_REQUEST, plan=UNASKED)
    await world.submit()
    await world.rest()
    asked = len(calls(world))

    await world.decide(Ruling.NEGATIVE)
    await world.rest()

    assert (await world.states())[0] == "FAILED"
    assert len(calls(world)) == asked


async def test_a_no_by_webhook_ends_the_repeats(world):
    world.provider("acme", ACCEPTS_SILENTLY, plan=UNASKED)
    await world.submit()
    await world.work_off()
    task = await world.task()
    world.providers["acme"].fails(task.task_id)

    await world.tell("acme", WebhookEventType.FAILED, task.task_id)
    await world.rest()

    assert (await world.states())[0] == "FAILED"
    assert calls(world) == ["create"]


async def test_a_paused_provider_is_asked_all_the_same(world):
    world.provider("acme", PAYS_SILENTLY, plan=UNASKED)
    admission_control = world.keep()
    await world.submit()
    await world.work_off()

    pause(world, admission_control, "acme")
    await world.rest()

    assert (await world.states())[0] == "SUCCEEDED"
    assert calls(world) == ["create", "create"]


async def test_a_provider_asked_by_its_own_id_is_asked_once_that_is_known(world):
    world.provider("acme", ACCEPTS_SILENTLY, plan=THEIRS)
    await world.submit()
    await world.rest(within=timedelta(minutes=16))
    assert calls(world) == ["create", "create", "status"]

    world.providers["acme"].pays((await world.task()).task_id)
    await world.rest()

    assert (await world.states())[0] == "SUCCEEDED"


async def test_who_cannot_be_asked_at_all_gets_a_person(world):
    world.provider("acme", PAYS_SILENTLY, plan=ProviderPolicy(asked_by=AskedBy.NOTHING))
    await world.submit()

    await world.rest()

    assert (await world.states())[0] == "MANUAL_CHECK"
    assert calls(world) == ["create"]
