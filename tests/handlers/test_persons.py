"""What persons may do: decide, together where it must be, and cancel."""

from datetime import timedelta

import pytest

from fsm.domain.errors import NotNow, UnknownOrder
from fsm.domain.four_eyes import FourEyes
from fsm.domain.votes import Vote
from fsm.payout.policy import ProviderPolicy
from handlers.cancel import request_cancel_of_task
from handlers.ports.core import Operation
from handlers.ports.provider import TooLate, Unclear
from handlers.resolve import Ruling, withdraw_resolution
from payment_service.playground.memory.core import CoreTrouble
from payment_service.playground.memory.providers import (
    ACCEPTS,
    ACCEPTS_SILENTLY,
    DECLINES,
    LOSES_REQUEST,
    PAYS,
    PAYS_SILENTLY,
    UNREACHABLE,
)
from payment_service.playground.memory.world import a_request

ANNA, BERT = "key:anna", "key:bert"
NOBODY = "0195f1de-0000-7000-8000-000000000000"


@pytest.fixture
async def stuck(world):
    """The same world with a manual check of an attempt that was never made."""
    world.provider("acme", LOSES_REQUEST)
    await world.submit(a_request("acme", "zeta"))
    await world.rest()
    assert (await world.states())[0] == "MANUAL_CHECK"
    return world


async def test_a_negative_decision_rolls_back_and_the_cascade_goes_on(stuck):
    assert await stuck.decide(Ruling.NEGATIVE)

    await stuck.rest()

    assert await stuck.states() == ["FAILED", "SUCCEEDED", "COMPLETED"]
    assert (await stuck.task()).code == "resolved_negative"


async def test_a_positive_decision_commits(world):
    world.provider("acme", PAYS_SILENTLY)
    world.providers["acme"].statuses.extend([Unclear(because="503")] * 8)
    await world.submit(a_request("acme", "zeta"))
    await world.rest()

    await world.decide(Ruling.POSITIVE)
    await world.rest()

    assert await world.states() == ["SUCCEEDED", "SKIPPED", "COMPLETED"]


async def test_the_decision_stands_in_the_audit_trail(stuck):
    await stuck.decide(Ruling.NEGATIVE)
    await stuck.rest()

    (line,) = [x for x in await stuck.rows.trail() if x.trigger == "resolved.negative"]
    assert line.actor == ANNA
    assert line.detail["reason"] == "seen in the bank's statement"
    assert line.detail["evidence"] == "line 17"


async def test_a_decided_task_cannot_be_decided_again(stuck):
    task = await stuck.task()
    await stuck.decide(Ruling.NEGATIVE)

    with pytest.raises(NotNow):
        await stuck.decide_task(task.task_id, Ruling.POSITIVE, actor=BERT)


async def test_a_task_that_needs_no_decision_cannot_be_decided(world):
    await world.submit()
    task = await world.task()

    with pytest.raises(NotNow):
        await world.decide_task(task.task_id, Ruling.POSITIVE, actor=ANNA)


async def test_a_task_that_is_not_cannot_be_decided_or_cancelled(world):
    with pytest.raises(UnknownOrder):
        await world.decide_task(NOBODY, Ruling.POSITIVE, actor=ANNA)
    with pytest.raises(UnknownOrder):
        await request_cancel_of_task(NOBODY, "x", actor=ANNA, ports=world.ports)


@pytest.mark.attack("role", "A large decision waits for a second person")
async def test_a_large_decision_waits_for_a_second_person(stuck):
    stuck.four_eyes = FourEyes(12550)

    assert not await stuck.decide(Ruling.NEGATIVE, actor=ANNA)
    await stuck.rest()

    assert (await stuck.states())[0] == "MANUAL_CHECK"


async def test_two_persons_that_agree_decide(stuck):
    stuck.four_eyes = FourEyes(12550)
    await stuck.decide(Ruling.NEGATIVE, actor=ANNA)

    assert await stuck.decide(Ruling.NEGATIVE, actor=BERT)
    await stuck.rest()

    assert (await stuck.states())[0] == "FAILED"
    actors = [x.actor for x in await stuck.rows.trail() if x.actor.startswith("key:")]
    assert actors == [ANNA, BERT]


@pytest.mark.attack(
    "role", "One person decides no large check, whatever is said second"
)
@pytest.mark.parametrize("ruling", Ruling)
async def test_one_person_decides_nothing_whatever_is_said_second(stuck, ruling):
    stuck.four_eyes = FourEyes(12550)
    await stuck.decide(Ruling.NEGATIVE, actor=ANNA)

    with pytest.raises(NotNow, match="same person"):
        await stuck.decide(ruling, actor=ANNA)

    assert (await stuck.states())[0] == "MANUAL_CHECK"


async def votes(world):
    words = {"proposed", "withdrawn", "contested", "positive", "negative"}
    trail = await world.rows.trail()
    return [
        (x.trigger, x.actor, x.detail["decision"])
        for x in trail
        if x.trigger.partition(".")[2] in words
    ]


@pytest.mark.attack("role", "A wrong first vote locks no check for ever")
async def test_another_decision_of_a_second_person_clears_the_first(stuck):
    stuck.four_eyes = FourEyes(12550)
    await stuck.decide(Ruling.POSITIVE, actor=ANNA)

    assert await stuck.decide(Ruling.NEGATIVE, actor=BERT) is Vote.CLEARS

    task = await stuck.task()
    assert (task.proposed_by, task.state) == (None, "MANUAL_CHECK")
    assert task.code == "not_found"
    assert await votes(stuck) == [
        ("resolution.proposed", ANNA, "positive"),
        ("resolution.contested", BERT, "negative"),
    ]


async def test_after_two_disagreed_two_others_still_decide(stuck):
    stuck.four_eyes = FourEyes(12550)
    await stuck.decide(Ruling.POSITIVE, actor=ANNA)
    await stuck.decide(Ruling.NEGATIVE, actor=BERT)

    assert await stuck.decide(Ruling.NEGATIVE, actor=BERT) is Vote.WAITS
    assert await stuck.decide(Ruling.NEGATIVE, actor=ANNA)
    await stuck.rest()

    assert (await stuck.states())[0] == "FAILED"


async def withdraw(world, actor):
    task_id = (await world.task()).task_id
    await withdraw_resolution(task_id, reason="misread", actor=actor, ports=world.ports)


async def test_a_first_vote_is_withdrawn_by_who_gave_it(stuck):
    stuck.four_eyes = FourEyes(12550)
    await stuck.decide(Ruling.POSITIVE, actor=ANNA)

    await withdraw(stuck, ANNA)

    assert await votes(stuck) == [
        ("resolution.proposed", ANNA, "positive"),
        ("resolution.withdrawn", ANNA, "positive"),
    ]
    assert await stuck.decide(Ruling.NEGATIVE, actor=ANNA) is Vote.WAITS
    assert await stuck.decide(Ruling.NEGATIVE, actor=BERT)


@pytest.mark.attack("role", "Nobody withdraws another's vote")
async def test_nobody_withdraws_the_vote_of_another_or_none(stuck):
    stuck.four_eyes = FourEyes(12550)
    with pytest.raises(NotNow, match="no vote"):
        await withdraw(stuck, ANNA)
    await stuck.decide(Ruling.NEGATIVE, actor=ANNA)

    with pytest.raises(NotNow, match="only who gave"):
        await withdraw(stuck, BERT)

    await stuck.decide(Ruling.NEGATIVE, actor=BERT)
    with pytest.raises(NotNow):
        await withdraw(stuck, ANNA)


@pytest.mark.attack("role", "A person with two keys is one person")
async def test_one_person_with_two_keys_is_one_person(stuck):
    stuck.four_eyes = FourEyes(12550)
    await stuck.decide(Ruling.NEGATIVE, actor="key:laptop", person=ANNA)

    with pytest.raises(NotNow, match="same person"):
        await stuck.decide(Ruling.NEGATIVE, actor="key:phone", person=ANNA)
    with pytest.raises(NotNow, match="same person"):
        await stuck.decide(Ruling.NEGATIVE, actor=ANNA)


async def test_a_small_decision_needs_one_person(stuck):
    stuck.four_eyes = FourEyes(12551)

    assert await stuck.decide(Ruling.NEGATIVE)


async def test_an_order_is_cancelled_before_anything_is_frozen(world):
    world.core.goes_down()
    await world.submit()
    await world.work_off()
    await world.cancel_order()
    world.core.comes_back()

    await world.rest()

    assert await world.states() == ["CANCELLED"] * 4
    assert world.providers["acme"].asked == []


async def test_a_cancelled_order_is_told_to_core(world):
    await world.submit(a_request("acme"))
    await world.cancel_order()

    await world.rest()

    assert world.core.notices[0].body["type"] == "withdrawal.cancelled"


async def test_a_freeze_that_was_refused_while_cancelling_cancels(world):
    world.core.refuses(Operation.FREEZE, "limit")
    await world.submit()
    await world.cancel_order()

    await world.rest()

    assert await world.states() == ["CANCELLED"] * 4


async def test_what_is_not_sent_yet_is_rolled_back(world):
    world.provider("acme", UNREACHABLE)
    await world.submit()
    await world.work_off()
    await world.cancel_order()

    await world.rest()

    assert await world.states() == ["CANCELLED"] * 4
    assert world.core.frozen == set()


@pytest.mark.parametrize(
    ("script", "ends"),
    [
        (PAYS, "SUCCEEDED"),
        (DECLINES, "CANCELLED"),
        (ACCEPTS, "CANCELLED"),
        (UNREACHABLE, "CANCELLED"),
        (PAYS_SILENTLY, "SUCCEEDED"),
        (ACCEPTS_SILENTLY, "CANCELLED"),
    ],
)
async def test_a_cancel_during_the_create_waits_for_its_answer(world, script, ends):
    world.provider("acme", script)

    async def somebody_cancels():
        await world.cancel_order()

    world.effects.meanwhile("acme.create", somebody_cancels)
    await world.submit(a_request("acme", "zeta"))
    await world.rest()

    assert (await world.states())[0] == ends
    assert world.providers["zeta"].asked == []


async def test_a_cancel_asks_the_provider_that_has_it(world):
    world.provider("acme", ACCEPTS)
    await world.submit()
    await world.work_off()
    await world.cancel_order()

    await world.rest()

    assert await world.states() == ["CANCELLED"] * 4
    assert [a.call for a in world.providers["acme"].asked] == ["create", "cancel"]


async def test_a_cancel_that_is_too_late_lets_the_payout_go_on(world):
    world.provider("acme", ACCEPTS)
    world.providers["acme"].cancels.append(TooLate())
    await world.submit()
    await world.work_off()
    await world.cancel_order()
    await world.work_off()

    assert (await world.states())[0] == "EXECUTING"
    await world.settle_pending("acme", paid=True)
    await world.rest()

    assert await world.states() == ["SUCCEEDED", "CANCELLED", "CANCELLED", "COMPLETED"]


async def test_a_cancelled_order_goes_no_further_when_the_payout_fails(world):
    world.provider("acme", ACCEPTS)
    world.providers["acme"].cancels.append(TooLate())
    await world.submit()
    await world.work_off()
    await world.cancel_order()
    await world.settle_pending("acme", paid=False)

    await world.rest()

    assert await world.states() == ["CANCELLED"] * 4
    assert world.providers["zeta"].asked == []


async def test_a_cancel_without_an_answer_is_asked_again(world):
    world.provider("acme", ACCEPTS)
    world.providers["acme"].cancels.extend([Unclear(because="503")] * 3)
    await world.submit()
    await world.work_off()
    await world.cancel_order()

    await world.rest()

    assert await world.states() == ["CANCELLED"] * 4


async def test_a_cancel_that_is_never_answered_falls_back_to_waiting(world):
    world.provider("acme", ACCEPTS)
    world.providers["acme"].cancels.extend([Unclear(because="503")] * 8)
    await world.submit()
    await world.work_off()
    await world.cancel_order()

    await world.rest(within=timedelta(minutes=14))

    task = await world.task()
    assert (task.state, task.waiting_for) == ("EXECUTING", "webhook")


async def test_a_cancel_while_it_is_rechecked_waits_for_the_proof(world):
    world.provider("acme", LOSES_REQUEST, plan=ProviderPolicy(not_found_definite=True))
    await world.submit()
    await world.rest(within=timedelta(seconds=20))
    assert (await world.states())[0] == "RECHECKING"
    await world.cancel_order()

    await world.rest()

    assert await world.states() == ["CANCELLED"] * 4


async def test_a_cancelled_create_is_not_repeated(world):
    world.provider("acme", LOSES_REQUEST, plan=ProviderPolicy(idempotent_create=True))
    await world.submit()
    await world.rest(within=timedelta(seconds=20))
    await world.cancel_order()

    await world.rest()

    assert (await world.states())[0] == "MANUAL_CHECK"
    assert [a.call for a in world.providers["acme"].asked].count("create") == 1


async def test_a_cancel_of_a_manual_check_waits_for_the_decision(stuck):
    await stuck.cancel_order()
    await stuck.rest()
    assert (await stuck.states())[0] == "MANUAL_CHECK"

    await stuck.decide(Ruling.NEGATIVE)
    await stuck.rest()

    assert await stuck.states() == ["CANCELLED"] * 3


async def test_a_cancel_while_the_commit_is_due_changes_nothing(world):
    world.core.fails("commit", CoreTrouble.DOWN, times=3)
    await world.submit()
    await world.work_off()
    await world.cancel_order()

    await world.rest()

    assert (await world.states())[0] == "SUCCEEDED"
    assert (await world.states())[-1] == "COMPLETED"


async def test_a_cancel_while_the_rollback_is_due_cancels(world):
    world.provider("acme", DECLINES)
    world.core.fails("rollback", CoreTrouble.DOWN, times=3)
    await world.submit()
    await world.work_off()
    await world.cancel_order()

    await world.rest()

    assert await world.states() == ["CANCELLED"] * 4


async def test_cancelling_a_task_gives_up_that_attempt_only(world):
    world.provider("acme", ACCEPTS)
    await world.submit()
    await world.work_off()
    await world.cancel_task(0)

    await world.rest()

    assert await world.states() == ["CANCELLED", "SUCCEEDED", "SKIPPED", "COMPLETED"]


async def test_cancelling_a_task_before_its_turn_passes_over_it(world):
    world.provider("acme", DECLINES)
    await world.submit()
    await world.cancel_task(1)

    await world.rest()

    assert await world.states() == ["SKIPPED", "CANCELLED", "SUCCEEDED", "COMPLETED"]


async def test_cancelling_every_task_fails_the_order(world):
    world.provider("acme", ACCEPTS)
    await world.submit(a_request("acme", "zeta"))
    await world.work_off()
    await world.cancel_task(1)
    await world.cancel_task(0)

    await world.rest()

    assert await world.states() == ["CANCELLED", "CANCELLED", "FAILED"]


async def test_what_is_final_cannot_be_cancelled(world):
    await world.submit()
    await world.rest()

    with pytest.raises(NotNow):
        await world.cancel_order()
    with pytest.raises(NotNow):
        await world.cancel_task(0)


async def test_cancelling_twice_is_cancelling_once(world):
    world.provider("acme", ACCEPTS)
    world.core.goes_down()
    await world.submit()
    await world.cancel_order()
    version = (await world.order()).queue.version
    await world.cancel_order()

    assert (await world.order()).queue.version == version
    world.core.comes_back()
    await world.rest()
    assert (await world.states())[-1] == "CANCELLED"


@pytest.mark.parametrize("whole", [True, False])
async def test_a_cancel_takes_effect_without_the_sweeper(world, whole):
    world.provider("acme", ACCEPTS)
    await world.submit(a_request("acme"))
    await world.work_off()

    await (world.cancel_order() if whole else world.cancel_task(0))
    await world.work_off()

    assert (await world.states())[0] == "CANCELLED"


async def test_a_decision_takes_effect_without_the_sweeper(stuck):
    await stuck.decide(Ruling.NEGATIVE)

    await stuck.work_off()

    assert (await stuck.states())[-1] == "COMPLETED"
