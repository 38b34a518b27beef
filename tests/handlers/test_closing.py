"""A large case is closed by two, as it is settled by two; votes stand in the trail."""

from datetime import timedelta

import pytest

from fsm.domain.errors import NotNow, UnknownOrder
from fsm.domain.four_eyes import FourEyes
from fsm.domain.votes import Vote
from fsm.domain.webhook_events import WebhookEventType
from handlers.close import close_case, withdraw_closing
from handlers.withdrawal.returns import settle_return
from tests.handlers.test_settling import NOBODY, come_back

ANNA, BERT, CARL = "key:anna", "key:bert", "key:carl"
TWO = FourEyes(12550)


@pytest.fixture
async def case(world):
    """An open case about as much money as takes two persons."""
    world.four_eyes = TWO
    return await come_back(world)


async def close(world, case, *, actor=ANNA, person=None):
    return await close_case(
        case.id,
        reason="paid by hand",
        actor=actor,
        person=person,
        four_eyes=world.four_eyes,
        operator_store=world.rows.operator_store,
        ports=world.ports,
    )


async def settle(world, case, *, actor):
    return await settle_return(
        case.id,
        reason="the bank sent it back",
        evidence=None,
        actor=actor,
        four_eyes=world.four_eyes,
        operator_store=world.rows.operator_store,
        ports=world.ports,
    )


async def withdraw(world, case, *, actor=ANNA):
    await withdraw_closing(
        case.id,
        reason="misread",
        actor=actor,
        operator_store=world.rows.operator_store,
        ports=world.ports,
    )


async def now(world):
    (case,) = await world.rows.cases()
    return case


async def votes(world):
    trail = await world.rows.trail()
    return [
        (line.trigger, line.actor) for line in trail if line.trigger.startswith("case.")
    ]


@pytest.mark.parametrize("four_eyes", [TWO, FourEyes()])
async def test_nobody_without_a_key_closes_or_contests(world, case, four_eyes):
    world.four_eyes = four_eyes
    with pytest.raises(NotNow, match="only the holder of a key"):
        await close(world, case, actor="user:anna")

    world.four_eyes = TWO
    await close(world, case, actor=ANNA)
    with pytest.raises(NotNow, match="only the holder of a key"):
        await settle(world, await now(world), actor="user:bert")

    assert (await now(world)).close_voter == ANNA


async def test_a_small_case_is_closed_by_one(world, case):
    world.four_eyes = FourEyes(12551)

    assert await close(world, case)

    assert (await now(world)).state == "closed"


@pytest.mark.attack("role", "A large case is closed by two")
async def test_a_first_vote_waits_and_closes_nothing(world, case):
    assert await close(world, case) is Vote.WAITS

    seen = await now(world)
    assert (seen.state, seen.closed_at, seen.close_voter) == ("open", None, ANNA)


async def test_two_persons_close_it_and_both_stand_in_the_trail(world, case):
    await close(world, case, actor=ANNA)

    assert await close(world, case, actor=BERT)

    assert (await now(world)).state == "closed"
    assert await votes(world) == [("case.close_proposed", ANNA), ("case.closed", BERT)]


@pytest.mark.attack("role", "Many keys of one person close no large case")
async def test_one_person_is_one_with_however_many_keys(world, case):
    await close(world, case, actor="key:laptop", person=ANNA)

    for actor, person in (("key:phone", ANNA), (ANNA, None)):
        with pytest.raises(NotNow, match="same person"):
            await close(world, case, actor=actor, person=person)

    assert (await now(world)).state == "open"


async def test_a_vote_is_withdrawn_by_who_gave_it_alone(world, case):
    with pytest.raises(NotNow, match="no vote"):
        await withdraw(world, case)
    await close(world, case)
    with pytest.raises(NotNow, match="only who gave"):
        await withdraw(world, case, actor=BERT)

    await withdraw(world, case)

    assert await votes(world) == [
        ("case.close_proposed", ANNA),
        ("case.close_withdrawn", ANNA),
    ]
    assert await close(world, case, actor=BERT) is Vote.WAITS


async def test_a_second_person_who_settles_instead_clears_the_vote(world, case):
    await close(world, case, actor=ANNA)

    assert await settle(world, case, actor=BERT) is Vote.CLEARS

    seen = await now(world)
    assert (seen.state, seen.close_voter) == ("open", None)
    assert (await world.task()).proposed_by is None
    assert await votes(world) == [
        ("case.close_proposed", ANNA),
        ("case.close_contested", BERT),
    ]
    assert await settle(world, case, actor=BERT) is Vote.WAITS
    assert await settle(world, case, actor=CARL)


@pytest.mark.attack("role", "Who wants a case closed does not settle it too")
async def test_who_wants_it_closed_does_not_settle_it_too(world, case):
    await close(world, case, actor=ANNA)

    with pytest.raises(NotNow, match="withdraw that first"):
        await settle(world, case, actor=ANNA)


async def test_a_second_person_who_closes_instead_clears_the_vote_to_settle(
    world, case
):
    await settle(world, case, actor=ANNA)

    assert await close(world, case, actor=BERT) is Vote.CLEARS

    seen, task = await now(world), await world.task()
    assert (seen.state, seen.close_voter) == ("open", None)
    assert (task.proposed_by, task.proposed_decision) == (None, None)
    *_, line = await world.rows.trail()
    assert (line.trigger, line.actor, line.task_id) == (
        "return.contested",
        BERT,
        task.task_id,
    )
    assert line.detail["reason"] == "paid by hand"
    assert await close(world, case, actor=BERT) is Vote.WAITS
    assert await close(world, case, actor=CARL)
    assert (await now(world)).state == "closed"


async def test_one_who_closes_leaves_no_vote_to_settle_behind(world, case):
    await settle(world, case, actor=ANNA)
    world.four_eyes = FourEyes()

    assert await close(world, case, actor=BERT)

    assert (await now(world)).state == "closed"
    assert (await world.task()).proposed_by is None


async def test_who_wants_it_settled_does_not_close_it_too(world, case):
    await settle(world, case, actor=ANNA)

    with pytest.raises(NotNow, match="your own vote to settle it"):
        await close(world, case, actor=ANNA)

    assert (await world.task()).proposed_by == ANNA


async def test_a_vote_to_settle_another_case_is_left_alone(world, case):
    await world.tell("acme", WebhookEventType.RETURNED, case.task_id, code="another")
    await world.rest(within=timedelta(minutes=1))
    (other,) = [each for each in await world.rows.cases() if each.id != case.id]
    await settle(world, other, actor=ANNA)

    assert await close(world, case, actor=BERT) is Vote.WAITS

    assert (await world.task()).proposed_by == ANNA


async def test_what_is_over_is_not_closed_again_and_takes_no_vote(world, case):
    await close(world, case, actor=ANNA)
    await close(world, case, actor=BERT)

    with pytest.raises(NotNow, match="closed"):
        await close(world, case, actor=CARL)
    with pytest.raises(NotNow, match="closed"):
        await withdraw(world, case)


async def test_a_vote_that_is_gone_meanwhile_closes_nothing(world, case):
    operator_store = world.rows.operator_store
    seen = await now(world)
    said = {"actor": BERT, "reason": "x", "at": world.clock.now()}

    with pytest.raises(NotNow, match="changed"):
        await operator_store.close_case(case.id, **said, agrees_with=ANNA)
    await close(world, case, actor=ANNA)
    with pytest.raises(NotNow, match="changed"):
        await operator_store.vote_to_close(seen.id, voter=BERT, **said)

    assert (await now(world)).close_voter == ANNA


async def test_more_at_risk_than_was_ordered_takes_two(world):
    world.four_eyes = FourEyes(20_000)
    case = await come_back(world, amount=100_000)
    assert case.money_at_risk > 12550

    assert await close(world, case) is Vote.WAITS


async def test_a_case_that_is_not_cannot_be_closed(world):
    with pytest.raises(UnknownOrder):
        await close_case(
            NOBODY,
            reason="x",
            actor=ANNA,
            four_eyes=TWO,
            operator_store=world.rows.operator_store,
            ports=world.ports,
        )
