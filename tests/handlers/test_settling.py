"""A payout that comes back is settled through core: intent, call, result."""

from datetime import timedelta

import pytest

from fsm.domain.errors import NotNow, UnknownOrder
from fsm.domain.four_eyes import FourEyes
from fsm.domain.votes import Vote
from fsm.domain.webhook_events import WebhookEventType
from fsm.payout.policy import ProviderPolicy
from handlers.ports.core import Operation
from handlers.withdrawal.returns import settle_return, withdraw_settlement
from payment_service.playground.memory.core import CoreTrouble, Hold
from payment_service.playground.memory.providers import DECLINES
from payment_service.playground.memory.world import a_request

ANNA, BERT = "key:anna", "key:bert"
NOBODY = "0195f1de-0000-7000-8000-000000000000"
BY_POLICY = ProviderPolicy(settles_returns=True)


async def settle(world, case, *, actor=ANNA):
    return await settle_return(
        case.id,
        reason="the bank sent it back",
        evidence="line 17",
        actor=actor,
        four_eyes=world.four_eyes,
        operator_store=world.rows.operator_store,
        ports=world.ports,
    )


async def the_case(world):
    (case,) = await world.rows.cases()
    return case


async def come_back(world, *, after=timedelta(days=1), plan=None, **said):
    """Pay an order, have the payout come back, and return the case about it."""
    world.provider("acme", plan=plan)
    await world.submit(a_request("acme"))
    await world.rest()
    await world.pass_time(after)
    await world.tell(
        "acme", WebhookEventType.RETURNED, (await world.task()).task_id, **said
    )
    await world.rest(within=timedelta(minutes=1))
    return await the_case(world)


async def test_a_case_tells_what_it_may_cost(world):
    case = await come_back(world)

    assert (case.state, case.money_at_risk, case.currency) == ("open", 12550, "EUR")


async def test_core_takes_a_returned_payout_back_and_the_case_is_settled(world):
    case = await come_back(world)

    assert await settle(world, case)
    assert (await the_case(world)).state == "settling"
    await world.rest()

    case = await the_case(world)
    assert (case.state, case.reason) == ("settled", "the bank sent it back")
    assert case.closed_at is not None
    assert world.core.holds[case.task_id] is Hold.RETURNED
    assert await world.states() == ["SUCCEEDED", "COMPLETED"]
    assert (await world.task()).returned


async def test_the_wish_is_committed_before_core_is_asked(world):
    case = await come_back(world)
    world.core.goes_down()

    await settle(world, case)
    await world.work_off()

    assert (await world.task()).waiting_for == "return"
    assert (await the_case(world)).state == "settling"
    world.core.comes_back()
    await world.rest()
    assert (await the_case(world)).state == "settled"


@pytest.mark.parametrize("trouble", CoreTrouble)
async def test_what_core_does_not_answer_is_asked_again_under_the_same_key(
    world, trouble
):
    case = await come_back(world)
    world.core.fails("return", trouble, times=3)

    await settle(world, case)
    await world.rest()

    assert (await the_case(world)).state == "settled"
    returns = [e for e in world.core.book if e.operation is Operation.RETURN]
    assert len(returns) == 1


async def test_a_refusal_of_core_leaves_the_case_open_with_its_reason(world):
    case = await come_back(world)
    world.core.refuses(Operation.RETURN, "account_closed")

    await settle(world, case)
    await world.rest()

    case = await the_case(world)
    assert (case.state, case.closed_at) == ("open", None)
    assert case.reason == "core refuses: account_closed"
    assert (await world.task()).code is None
    await settle(world, case)
    await world.rest()
    assert (await the_case(world)).state == "settled"


async def test_a_case_about_something_else_is_left_alone(world):
    case = await come_back(world)
    await world.tell("acme", WebhookEventType.FAILED, case.task_id)
    await world.rest()

    await settle(world, case)
    await world.rest()

    states = {c.kind: c.state for c in await world.rows.cases()}
    assert states == {"return_after_success": "settled", "contradiction": "open"}


async def test_every_step_of_it_stands_in_the_audit_trail(world):
    case = await come_back(world)
    await settle(world, case)
    await world.rest()

    told = [x for x in await world.rows.trail() if x.trigger.startswith("return.")]
    assert [(x.trigger, x.actor) for x in told] == [
        ("return.requested", ANNA),
        ("return.confirmed", "core"),
    ]
    assert told[0].detail["evidence"] == "line 17"
    assert told[0].detail["case_id"] == case.id


async def test_a_large_one_takes_two_persons(world):
    case = await come_back(world)
    world.four_eyes = FourEyes(12550)

    assert not await settle(world, case, actor=ANNA)
    with pytest.raises(NotNow, match="same person"):
        await settle(world, case, actor=ANNA)
    await world.rest()
    assert (await the_case(world)).state == "open"
    assert await settle(world, case, actor=BERT)
    await world.rest()

    assert (await the_case(world)).state == "settled"


async def test_votes_on_two_cases_are_not_two_on_one(world):
    first = await come_back(world)
    await world.tell("acme", WebhookEventType.RETURNED, first.task_id, code="recalled")
    await world.rest()
    world.four_eyes = FourEyes(12550)
    (second,) = [c for c in await world.rows.cases() if c.id != first.id]

    assert not await settle(world, first, actor=ANNA)
    assert await settle(world, second, actor=BERT) is Vote.CLEARS
    await world.rest()

    assert {c.state for c in await world.rows.cases()} == {"open"}
    assert not await settle(world, second, actor=BERT)
    assert await settle(world, second, actor=ANNA)


async def test_what_came_back_within_the_finality_may_be_settled_after_it(world):
    case = await come_back(world, plan=ProviderPolicy(finality=timedelta(days=2)))
    await world.pass_time(timedelta(days=30))

    assert await settle(world, case)


async def test_what_came_back_after_the_finality_is_for_people_alone(world):
    case = await come_back(world, plan=ProviderPolicy(finality=timedelta(hours=23)))

    with pytest.raises(NotNow, match="later than 23h"):
        await settle(world, case)


async def test_without_a_finality_nothing_is_settled(world):
    case = await come_back(world, plan=ProviderPolicy(finality=None))

    with pytest.raises(NotNow, match="no finality"):
        await settle(world, case)


async def test_a_settled_case_is_not_settled_again_and_not_closed(world):
    case = await come_back(world)
    await settle(world, case)
    with pytest.raises(NotNow, match="settling"):
        await settle(world, case)
    with pytest.raises(NotNow, match="settling"):
        await world.rows.operator_store.close_case(
            case.id, actor=ANNA, reason="x", at=world.clock.now()
        )
    await world.rest()

    with pytest.raises(NotNow, match="settled"):
        await settle(world, case)


async def test_core_takes_back_once_however_many_statements_there_are(world):
    case = await come_back(world)
    task_id = case.task_id
    await settle(world, case)
    await world.rest()
    await world.tell("acme", WebhookEventType.RETURNED, task_id, code="recalled")
    await world.rest()

    (second,) = [c for c in await world.rows.cases() if c.state == "open"]
    with pytest.raises(NotNow, match="nothing to take back"):
        await settle(world, second)


async def test_only_a_return_is_settled_through_core(world):
    world.provider("acme", DECLINES)
    await world.submit(a_request("acme"))
    await world.rest()
    task = await world.task()
    world.providers["acme"].pays_after_all(task.task_id, (await world.order()).money)
    await world.tell("acme", WebhookEventType.SUCCEEDED, task.task_id)
    await world.rest()

    with pytest.raises(NotNow, match="no return"):
        await settle(world, await the_case(world))
    with pytest.raises(UnknownOrder, match="no case"):
        await world.rows.operator_store.case(NOBODY)


async def test_by_policy_it_is_settled_at_once(world):
    case = await come_back(world, plan=BY_POLICY)
    await world.rest()

    assert (await the_case(world)).state == "settled"
    assert world.core.holds[case.task_id] is Hold.RETURNED


async def test_by_policy_nothing_is_settled_after_the_finality(world):
    plan = ProviderPolicy(settles_returns=True, finality=timedelta(hours=1))
    case = await come_back(world, plan=plan)

    assert case.state == "open"
    assert world.core.holds[case.task_id] is Hold.COMMITTED


async def test_a_case_is_assigned_until_it_is_over(world):
    case = await come_back(world)
    given = {"actor": ANNA, "reason": "hers", "at": world.clock.now()}

    await world.rows.operator_store.assign_case(case.id, owner="anna", **given)
    assert (await the_case(world)).owner == "anna"
    await world.rows.operator_store.close_case(
        case.id, actor=ANNA, reason="by hand", at=world.clock.now()
    )

    with pytest.raises(NotNow, match="closed"):
        await world.rows.operator_store.assign_case(case.id, owner="bert", **given)


async def test_a_vote_on_a_return_is_withdrawn_by_who_gave_it(world):
    case = await come_back(world)
    world.four_eyes = FourEyes(1)
    await settle(world, case, actor=ANNA)

    with pytest.raises(NotNow, match="only who gave"):
        await withdraw(world, case, BERT)
    await withdraw(world, case, ANNA)

    assert not await settle(world, case, actor=BERT)
    assert await settle(world, case, actor=ANNA)
    await world.rest()
    assert (await the_case(world)).state == "settled"
    lines = [x for x in await world.rows.trail() if x.trigger == "return.withdrawn"]
    assert [(x.actor, x.detail["reason"]) for x in lines] == [(ANNA, "misread")]


async def withdraw(world, case, actor):
    await withdraw_settlement(
        case.id,
        reason="misread",
        actor=actor,
        operator_store=world.rows.operator_store,
        ports=world.ports,
    )
