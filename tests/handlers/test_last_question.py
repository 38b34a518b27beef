"""A person's no is acted on only after the provider was asked once more."""

from dataclasses import replace
from datetime import timedelta

import pytest

from fsm.domain.errors import NotNow
from fsm.domain.explain import explain, in_words
from fsm.domain.four_eyes import FourEyes
from fsm.domain.webhook_events import WebhookEventType
from fsm.engine.words import EngineWait
from fsm.flows import RULES
from fsm.payout.policy import AskedBy, ProviderPolicy
from fsm.payout.words import Waiting
from handlers.ports.core import Operation
from handlers.ports.provider import Accepted, NotFound, Returned, Succeeded, Unclear
from handlers.resolve import Ruling, withdraw_resolution
from payment_service.playground.memory.effects import Died
from payment_service.playground.memory.providers import (
    ACCEPTS_SILENTLY,
    DECLINES,
    LACKING,
    LOSES_REQUEST,
    PAYS_SILENTLY,
)
from payment_service.playground.memory.world import a_request

ANNA, BERT = "key:anna", "key:bert"
FEW = ProviderPolicy(recheck_attempts=3)
UNASKED = replace(FEW, asked_by=AskedBy.NOTHING, idempotent_create=True)
SILENT = Unclear(because="503")
STOPS = "the person's no does not stand"


async def a_check(world, conduct, *, plan=FEW):
    """Bring a task to a person, since its provider does not say what became of it."""
    world.provider("acme", conduct, plan=plan)
    acme = world.providers["acme"]
    acme.statuses.extend([SILENT] * plan.recheck_attempts)
    await world.submit(a_request("acme", "zeta"))
    await world.rest()
    await world.pass_time(ProviderPolicy().not_found_grace)
    assert (await world.states())[0] == "MANUAL_CHECK"
    acme.statuses.clear()
    acme.asked.clear()
    return acme


async def says_no(world, *, actor=ANNA):
    assert await world.decide(Ruling.NEGATIVE, actor=actor)
    await world.rest()


def asked(provider):
    return [each.call for each in provider.asked]


async def waits_for(world):
    return (await world.task()).waiting_for


async def lines(world, trigger):
    return [line for line in await world.rows.trail() if line.trigger == trigger]


async def told(world):
    return in_words(explain(await world.order(), await world.rows.trail(), RULES))


async def events(world):
    published = [message.subject for message in world.bus.streams.events]
    return [subject.rpartition(".")[2] for subject in published]


@pytest.mark.attack(
    "role", "A person's no to what was paid, or may be, is asked about and stopped"
)
async def test_what_was_paid_after_all_is_committed_and_the_cascade_ends(world):
    acme = await a_check(world, PAYS_SILENTLY)

    await says_no(world)

    assert await world.states() == ["SUCCEEDED", "SKIPPED", "COMPLETED"]
    assert asked(acme) == ["status"]
    assert (await world.task()).code != "resolved_negative"
    assert STOPS in await told(world)


async def test_nothing_is_rolled_back_before_the_answer(world):
    await a_check(world, PAYS_SILENTLY)

    await world.decide(Ruling.NEGATIVE)

    task = await world.task()
    assert (task.state, task.waiting_for) == ("MANUAL_CHECK", Waiting.LAST_QUESTION)
    assert task.verdict is None
    assert "asked once more before the no is acted on" in await told(world)


async def test_what_is_still_under_way_goes_back_to_the_persons(world):
    acme = await a_check(world, ACCEPTS_SILENTLY)
    await says_no(world)

    assert await world.states() == ["MANUAL_CHECK", "PENDING", "ACTIVE"]
    task = await world.task()
    assert (task.waiting_for, task.code) == (EngineWait.DECISION, "resolution_stopped")
    assert (task.proposed_by, task.verdict) == (None, None)
    (line,) = await lines(world, "resolution.stopped")
    assert line.actor == "provider:acme"
    assert STOPS in await told(world)
    assert (await events(world)).count("manual_check") == 2

    acme.fails(task.task_id)
    await says_no(world)

    assert await world.states() == ["FAILED", "SUCCEEDED", "COMPLETED"]


@pytest.mark.attack("role", "A large no that was stopped takes two again")
async def test_a_large_no_that_was_stopped_takes_two_again(world):
    world.four_eyes = FourEyes(1)
    await a_check(world, ACCEPTS_SILENTLY)
    assert not await world.decide(Ruling.NEGATIVE, actor=ANNA)
    await says_no(world, actor=BERT)

    assert (await world.task()).proposed_by is None
    assert not await world.decide(Ruling.NEGATIVE, actor=BERT)


async def test_a_first_vote_asks_nobody(world):
    world.four_eyes = FourEyes(1)
    acme = await a_check(world, PAYS_SILENTLY)

    await world.decide(Ruling.NEGATIVE, actor=ANNA)
    await world.rest()

    assert asked(acme) == []


async def test_a_definite_no_of_the_provider_lets_it_stand(world):
    acme = await a_check(world, ACCEPTS_SILENTLY)
    acme.fails((await world.task()).task_id)

    await says_no(world)

    assert await world.states() == ["FAILED", "SUCCEEDED", "COMPLETED"]
    assert (await world.task()).code == "returned_by_bank"


@pytest.mark.parametrize("definite", [True, False])
async def test_a_payout_that_it_does_not_know_after_the_grace_lets_it_stand(
    world, definite
):
    plan = replace(FEW, not_found_definite=definite)
    acme = await a_check(world, LOSES_REQUEST, plan=plan)

    await says_no(world)

    assert await world.states() == ["FAILED", "SUCCEEDED", "COMPLETED"]
    assert asked(acme) == ["status"]
    assert (await world.task()).code == "resolved_negative"


async def test_before_the_grace_is_over_an_absence_is_no_answer(world):
    late = replace(FEW, not_found_grace=timedelta(hours=1))
    acme = await a_check(world, PAYS_SILENTLY, plan=late)
    acme.statuses.append(NotFound())

    await says_no(world)

    assert await world.states() == ["SUCCEEDED", "SKIPPED", "COMPLETED"]
    assert asked(acme) == ["status"] * 2


async def test_without_an_answer_it_is_asked_as_often_as_planned_and_then_stands(world):
    acme = await a_check(world, LOSES_REQUEST)
    acme.statuses.extend([SILENT] * 10)
    since = world.clock.now()

    await says_no(world)

    assert await world.states() == ["FAILED", "SUCCEEDED", "COMPLETED"]
    assert asked(acme) == ["status"] * 3
    (line,) = await lines(world, "resolution.unasked")
    assert line.detail["asked"] == 3
    assert "asked 3 times" in line.detail["message"]
    paces = [FEW.recheck.after(n, 0.9) for n in range(2)]
    assert line.at - since >= sum(paces, timedelta())
    assert "the person's no stands without an answer" in await told(world)


async def test_an_answer_to_the_last_try_still_counts(world):
    acme = await a_check(world, PAYS_SILENTLY)
    acme.statuses.extend([SILENT] * 2)

    await says_no(world)

    assert (await world.states())[0] == "SUCCEEDED"
    assert asked(acme) == ["status"] * 3


async def test_what_we_lack_ourselves_uses_up_no_try(world):
    acme = await a_check(world, PAYS_SILENTLY)
    acme.statuses.extend([LACKING] * 12)

    await says_no(world)

    assert (await world.states())[0] == "SUCCEEDED"


async def test_who_cannot_be_asked_is_not_and_the_create_is_never_repeated(world):
    world.provider("acme", LOSES_REQUEST, plan=UNASKED)
    await world.submit(a_request("acme", "zeta"))
    await world.rest()
    acme = world.providers["acme"]
    acme.asked.clear()

    await says_no(world)

    assert await world.states() == ["FAILED", "SUCCEEDED", "COMPLETED"]
    assert asked(acme) == []
    (line,) = await lines(world, "resolution.unasked")
    assert line.detail["asked"] == 0
    assert "cannot be asked" in line.detail["message"]


async def test_the_create_is_not_repeated_where_it_could_be(world):
    plan = replace(FEW, idempotent_create=True)
    acme = await a_check(world, LOSES_REQUEST, plan=plan)

    await says_no(world)

    assert "create" not in asked(acme)


async def test_a_provider_that_is_gone_from_the_configuration_is_no_yes(world):
    await a_check(world, LOSES_REQUEST)
    world.providers.drop("acme")

    await says_no(world)

    assert await world.states() == ["FAILED", "SUCCEEDED", "COMPLETED"]
    assert await lines(world, "resolution.unasked")


async def test_another_amount_stops_it_with_a_case(world):
    acme = await a_check(world, PAYS_SILENTLY)
    acme.statuses.append(Succeeded(reference="acme-1", amount=1))

    await says_no(world)

    assert await world.states() == ["MANUAL_CHECK", "PENDING", "ACTIVE"]
    assert await waits_for(world) is EngineWait.DECISION
    assert await world.kinds_of_cases() == ["amount_mismatch"]


async def test_each_further_no_opens_no_other_case_of_the_same_amount(world):
    acme = await a_check(world, PAYS_SILENTLY)
    for amount in (1, 1, 1, 2, 1):
        acme.statuses.append(Succeeded(reference="acme-1", amount=amount))
        await says_no(world)

    cases = await world.rows.cases()
    amounts = sorted(case.detail["evidence"]["amount"] for case in cases)
    assert amounts == [1, 2]
    assert await waits_for(world) is EngineWait.DECISION


async def test_a_payout_that_came_back_lets_it_stand(world):
    acme = await a_check(world, PAYS_SILENTLY)
    acme.statuses.append(Returned(reference="acme-1"))
    acme.book.clear()

    await says_no(world)

    assert await world.states() == ["FAILED", "SUCCEEDED", "COMPLETED"]


@pytest.mark.parametrize(
    ("kind", "ends"),
    [(WebhookEventType.SUCCEEDED, "SUCCEEDED"), (WebhookEventType.FAILED, "FAILED")],
)
async def test_a_webhook_that_comes_meanwhile_settles_it(world, kind, ends):
    acme = await a_check(world, ACCEPTS_SILENTLY)
    acme.statuses.extend([SILENT] * 10)
    await world.decide(Ruling.NEGATIVE)
    await world.work_off()
    assert await waits_for(world) is Waiting.LAST_QUESTION

    await world.settle_pending("acme", paid=kind is WebhookEventType.SUCCEEDED)
    await world.rest()

    assert (await world.states())[0] == ends


async def test_a_webhook_of_before_does_not_stop_it(world):
    acme = await a_check(world, ACCEPTS_SILENTLY)
    task_id = (await world.task()).task_id
    acme.statuses.append(SILENT)
    await world.decide(Ruling.NEGATIVE)
    await world.work_off()

    await world.tell("acme", WebhookEventType.ACCEPTED, task_id)
    await world.work_off()

    assert await waits_for(world) is Waiting.LAST_QUESTION


async def test_nobody_decides_or_withdraws_what_is_decided(world):
    acme = await a_check(world, LOSES_REQUEST)
    acme.statuses.append(SILENT)
    await world.decide(Ruling.NEGATIVE)
    await world.work_off()

    for ruling in Ruling:
        for four_eyes in (None, 1):
            world.four_eyes = FourEyes(four_eyes)
            with pytest.raises(NotNow, match="is asked once more"):
                await world.decide(ruling, actor=BERT)
    with pytest.raises(NotNow):
        await withdraw_resolution(
            (await world.task()).task_id, reason="x", actor=ANNA, ports=world.ports
        )


async def test_a_cancel_meanwhile_waits_for_the_answer_too(world):
    acme = await a_check(world, LOSES_REQUEST)
    acme.statuses.append(SILENT)
    await world.decide(Ruling.NEGATIVE)
    await world.work_off()
    await world.cancel_order()

    await world.rest()

    assert await world.states() == ["CANCELLED"] * 3
    assert asked(acme) == ["status"] * 2


async def test_a_cancelled_order_whose_payout_was_made_completes_all_the_same(world):
    await a_check(world, PAYS_SILENTLY)
    await world.cancel_order()

    await says_no(world)

    assert await world.states() == ["SUCCEEDED", "CANCELLED", "COMPLETED"]


async def test_what_core_has_refused_to_roll_back_needs_no_question(world):
    world.provider("acme", DECLINES)
    world.core.refuses(Operation.ROLLBACK, "no_hold", times=1)
    await world.submit(a_request("acme", "zeta"))
    await world.rest()
    acme = world.providers["acme"]
    acme.asked.clear()

    await says_no(world)

    assert await world.states() == ["SKIPPED", "SUCCEEDED", "COMPLETED"]
    assert asked(acme) == []


@pytest.mark.parametrize("by_hand", [True, False])
async def test_a_no_to_what_the_provider_says_it_paid_is_asked(world, by_hand):
    world.core.refuses(Operation.COMMIT, "no_hold", times=1)
    await world.submit(a_request("acme", "zeta"))
    await world.rest()
    assert (await world.task()).verdict == "paid"

    assert await world.decide(Ruling.NEGATIVE, by_hand=by_hand)
    await world.rest()

    assert await world.states() == ["SUCCEEDED", "SKIPPED", "COMPLETED"]
    assert "status" in asked(world.providers["acme"])


async def test_a_worker_that_dies_while_it_asks_leaves_the_question(world):
    acme = await a_check(world, PAYS_SILENTLY)
    await world.decide(Ruling.NEGATIVE)

    async def dies():
        raise Died("acme.status")

    world.effects.meanwhile("acme.status", dies)

    await world.rest()

    assert world.deaths == 1
    assert (await world.states())[0] == "SUCCEEDED"
    assert "create" not in asked(acme)


async def test_of_two_workers_that_ask_one_answer_counts(world):
    acme = await a_check(world, PAYS_SILENTLY)
    acme.statuses.append(Accepted(reference="acme-1"))
    await world.decide(Ruling.NEGATIVE)

    async def another_asks():
        await world.work_off()

    world.effects.meanwhile("acme.status", another_asks)
    await world.rest()

    assert (await world.states())[0] in {"SUCCEEDED", "MANUAL_CHECK"}
    assert await lines(world, "rollback.confirmed") == []


async def test_an_answer_to_an_older_question_stops_nothing(world):
    acme = await a_check(world, LOSES_REQUEST)
    acme.statuses.append(Accepted(reference="acme-1"))
    await world.decide(Ruling.NEGATIVE)

    async def somebody_cancels():
        await world.cancel_order()

    world.effects.meanwhile("acme.status", somebody_cancels)
    await world.rest()

    assert await world.states() == ["CANCELLED"] * 3
    assert asked(acme) == ["status"] * 2
