"""A create that nobody knows the end of, and how it is found out."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from fsm.domain.webhook_events import WebhookEventType
from fsm.engine.backoff import Backoff
from fsm.payout.policy import ProviderPolicy
from handlers.ports.provider import Unclear
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
    PayoutFate,
)

IDEMPOTENT = ProviderPolicy(idempotent_create=True)
DEFINITE = ProviderPolicy(not_found_definite=True)


def calls(world, name="acme"):
    return [asked.call for asked in world.providers[name].asked]


async def test_a_payout_behind_a_timeout_is_found_by_asking(world):
    world.provider("acme", PAYS_SILENTLY)
    await world.submit()

    await world.rest()

    assert (await world.states())[-1] == "COMPLETED"
    assert await world.steps() == [
        "PENDING",
        "CREATING",
        "NEGATIVE_EVAL",
        "RECHECKING",
        "EXECUTING",
        "SUCCEEDED",
    ]


async def test_an_acceptance_behind_a_timeout_waits_for_the_webhook(world):
    world.provider("acme", ACCEPTS_SILENTLY)
    await world.submit()
    await world.rest(within=timedelta(minutes=1))

    assert (await world.states())[0] == "EXECUTING"
    await world.settle_pending("acme", paid=True)
    await world.rest()

    assert (await world.states())[-1] == "COMPLETED"


async def test_a_no_behind_a_timeout_fails_the_attempt(world):
    world.provider("acme", DECLINES_SILENTLY)
    await world.submit()

    await world.rest()

    assert await world.states() == ["FAILED", "SUCCEEDED", "SKIPPED", "COMPLETED"]


async def test_a_create_that_got_lost_ends_with_a_person(world):
    world.provider("acme", LOSES_REQUEST)
    await world.submit()

    await world.rest()

    assert await world.states() == ["MANUAL_CHECK", "PENDING", "PENDING", "ACTIVE"]
    assert calls(world) == ["create", *["status"] * 8]


async def test_not_found_is_proof_only_where_it_is_definite_and_the_grace_is_over(
    world,
):
    world.provider("acme", LOSES_REQUEST, plan=DEFINITE)
    await world.submit()

    await world.rest()

    assert await world.states() == ["FAILED", "SUCCEEDED", "SKIPPED", "COMPLETED"]
    refused = next(e for e in world.core.book if e.operation == "rollback")
    assert refused.at - world.core.book[0].at >= DEFINITE.not_found_grace


async def test_rechecks_back_off_with_jitter(world):
    world.provider("acme", LOSES_REQUEST)
    await world.submit()

    await world.rest()

    at = [asked.at for asked in world.providers["acme"].asked]
    waits = [(b - a).total_seconds() for a, b in pairwise(at)]
    for n, wait in enumerate(waits):
        assert 0.9 <= wait / min(5 * 2**n, 300) <= 1.1
    assert waits[0] != 5


async def test_a_lost_create_is_repeated_where_that_is_safe(world):
    world.provider("acme", LOSES_REQUEST, PAYS, plan=IDEMPOTENT)
    await world.submit()

    await world.rest()

    assert (await world.states())[0] == "SUCCEEDED"
    assert calls(world).count("create") == 2


async def test_a_create_is_not_repeated_within_the_grace(world):
    world.provider("acme", LOSES_REQUEST, PAYS, plan=IDEMPOTENT)
    await world.submit()

    await world.rest()

    first, second = (a for a in world.providers["acme"].asked if a.call == "create")
    assert second.at - first.at >= IDEMPOTENT.not_found_grace


async def test_a_create_is_not_repeated_after_the_keys_lifetime(world):
    plan = replace(IDEMPOTENT, key_lifetime=timedelta(minutes=1))
    world.provider("acme", LOSES_REQUEST, PAYS, plan=plan)
    await world.submit()

    await world.rest()

    assert (await world.states())[0] == "MANUAL_CHECK"
    assert calls(world).count("create") == 1


async def test_a_repeated_create_that_is_unclear_again_is_asked_about(world):
    plan = replace(IDEMPOTENT, recheck_attempts=20)
    world.provider("acme", LOSES_REQUEST, PAYS_SILENTLY, plan=plan)
    await world.submit()

    await world.rest()

    assert (await world.states())[0] == "SUCCEEDED"
    assert calls(world)[-2:] == ["create", "status"]


async def test_not_sent_in_a_recheck_proves_nothing(world):
    world.provider("acme", LOSES_REQUEST, UNREACHABLE, plan=IDEMPOTENT)
    await world.submit()

    await world.rest()

    assert (await world.states())[0] == "MANUAL_CHECK"


async def test_unclear_answers_use_up_the_checks(world):
    plan = ProviderPolicy(recheck_attempts=3)
    world.provider("acme", PAYS_SILENTLY, plan=plan)
    world.providers["acme"].statuses.extend([Unclear(because="500")] * 3)
    await world.submit()

    await world.rest()

    assert (await world.states())[0] == "MANUAL_CHECK"
    await world.decide(Ruling.POSITIVE)


async def test_a_webhook_ends_the_rechecks(world):
    slow = Backoff(first=timedelta(hours=1), factor=1.0, longest=timedelta(hours=1))
    world.provider("acme", ACCEPTS_SILENTLY, plan=ProviderPolicy(recheck=slow))
    await world.submit()
    await world.work_off()

    await world.settle_pending("acme", paid=True)
    await world.work_off()

    assert (await world.states())[-1] == "COMPLETED"


async def test_another_amount_behind_a_timeout_is_for_a_person(world):
    world.provider("acme", replace(PAYS, says=1))
    await world.submit()

    await world.rest()

    assert (await world.states())[0] == "MANUAL_CHECK"
    assert await world.kinds_of_cases() == ["amount_mismatch"]


def overtaken_by(world, kind, script):
    """Let a webhook be handled after acme's create and before its answer."""
    acme = world.provider("acme", script)

    async def the_webhook_comes():
        task = await world.task()
        if acme.fate(task.task_id) is PayoutFate.PENDING:
            acme.pays(
                task.task_id
            ) if kind is WebhookEventType.SUCCEEDED else acme.fails(task.task_id)
        await world.webhook(acme.webhook(kind, task.task_id))
        await world.work_off()

    world.effects.meanwhile("acme.create", the_webhook_comes)


@pytest.mark.parametrize("script", [ACCEPTS, ACCEPTS_SILENTLY])
@pytest.mark.parametrize(
    ("kind", "ended"),
    [(WebhookEventType.SUCCEEDED, "SUCCEEDED"), (WebhookEventType.FAILED, "FAILED")],
)
async def test_a_webhook_that_overtakes_the_answer_is_applied(
    world, kind, ended, script
):
    overtaken_by(world, kind, script)
    await world.submit()

    await world.rest(within=timedelta(minutes=2))

    assert (await world.states())[0] == ended


async def test_a_webhook_does_not_take_a_create_in_flight_for_lost(world):
    overtaken_by(world, WebhookEventType.SUCCEEDED, ACCEPTS)
    await world.submit()

    await world.rest()

    assert "RECHECKING" not in await world.steps()


async def test_webhook_that_waited_is_applied_by_the_step_that_makes_it_ready(world):
    overtaken_by(world, WebhookEventType.SUCCEEDED, ACCEPTS)
    await world.submit()

    await world.work_off()

    assert (await world.states())[0] == "SUCCEEDED"


async def test_an_answer_that_arrives_while_its_no_is_weighed_is_not_lost(world):
    acme = world.provider("acme", PAYS)
    acme.statuses.extend([Unclear(because="it has no status call")] * 20)

    def dies(_work):
        raise Died("the second worker, right after it took over")

    async def another_worker_takes_over():
        world.probe.on_recorded = [dies]
        await world.pass_time(timedelta(seconds=31))
        await world.deliver()

    world.effects.meanwhile("acme.create", another_worker_takes_over)
    await world.submit()
    await world.rest()

    assert (await world.states())[0] == "SUCCEEDED"
