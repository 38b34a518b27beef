"""What core has refused for good still has an end: persons settle it by hand."""

import pytest

from fsm.domain.errors import InvalidRequest, NotNow
from fsm.domain.four_eyes import FourEyes
from fsm.domain.votes import Vote
from handlers.ports.core import Operation
from handlers.resolve import Ruling, resolve
from payment_service.playground.memory.providers import DECLINES, LOSES_REQUEST
from payment_service.playground.memory.world import a_request

ANNA, BERT = "key:anna", "key:bert"


async def by_hand(world, ruling, *, actor=ANNA, evidence="ticket 17"):
    return await resolve(
        (await world.task()).task_id,
        ruling,
        reason="core's books were mended",
        evidence=evidence,
        actor=actor,
        four_eyes=world.four_eyes,
        ports=world.ports,
        by_hand=True,
    )


async def refused(world, operation=Operation.COMMIT, *, times=1):
    """Bring a task to the manual check that follows a refusal of core."""
    if operation is Operation.ROLLBACK:
        world.provider("acme", DECLINES)
    world.core.refuses(operation, "no_hold", times=times)
    await world.submit(a_request("acme", "zeta"))
    await world.rest()
    assert (await world.states())[0] == "MANUAL_CHECK"


async def test_a_positive_one_completes_the_order_without_a_call(world):
    await refused(world)
    world.core.mended((await world.task()).task_id, Operation.COMMIT)
    calls = len(world.core.book)

    assert await by_hand(world, Ruling.POSITIVE)
    await world.rest()

    assert await world.states() == ["SUCCEEDED", "SKIPPED", "COMPLETED"]
    assert len(world.core.book) == calls


async def test_a_negative_one_lets_the_cascade_go_on(world):
    await refused(world, Operation.ROLLBACK)
    world.core.mended((await world.task()).task_id, Operation.ROLLBACK)

    assert await by_hand(world, Ruling.NEGATIVE)
    await world.rest()

    assert await world.states() == ["FAILED", "SUCCEEDED", "COMPLETED"]
    assert (await world.task()).code == "settled_negative"


async def test_it_closes_no_case(world):
    await refused(world)
    world.core.mended((await world.task()).task_id, Operation.COMMIT)
    await by_hand(world, Ruling.POSITIVE)
    await world.rest()

    (case,) = await world.rows.cases()
    assert (case.kind, case.state) == ("balance_refused", "open")


async def test_it_is_open_only_where_core_has_refused(world):
    world.provider("acme", LOSES_REQUEST)
    await world.submit(a_request("acme"))
    await world.rest()

    with pytest.raises(NotNow, match="core has refused no balance call"):
        await by_hand(world, Ruling.NEGATIVE)


@pytest.mark.parametrize("evidence", [None, "", {}])
async def test_it_takes_evidence(world, evidence):
    await refused(world)

    with pytest.raises(InvalidRequest, match="evidence"):
        await by_hand(world, Ruling.POSITIVE, evidence=evidence)


async def test_it_takes_two_wherever_any_decision_does_whatever_the_amount(world):
    await refused(world)
    world.four_eyes = FourEyes(10**12)

    assert not await by_hand(world, Ruling.POSITIVE, actor=ANNA)
    with pytest.raises(NotNow, match="same person"):
        await by_hand(world, Ruling.POSITIVE, actor=ANNA)
    world.core.mended((await world.task()).task_id, Operation.COMMIT)
    assert await by_hand(world, Ruling.POSITIVE, actor=BERT)
    await world.rest()


async def test_a_second_person_who_has_core_asked_does_not_agree_to_it(world):
    await refused(world)
    world.four_eyes = FourEyes(1)
    await by_hand(world, Ruling.POSITIVE, actor=ANNA)

    assert await world.decide(Ruling.POSITIVE, actor=BERT) is Vote.CLEARS

    task = await world.task()
    assert (task.state, task.proposed_by) == ("MANUAL_CHECK", None)


async def test_refused_again_and_again_it_is_one_open_case(world):
    await refused(world, times=3)
    for _ in range(2):
        await world.decide(Ruling.POSITIVE)
        await world.rest()

    assert await world.kinds_of_cases() == ["balance_refused"]


async def test_refused_after_the_case_was_closed_it_is_another(world):
    await refused(world, times=2)
    (case,) = await world.rows.cases()
    await world.rows.operator_store.close_case(
        case.id, actor=ANNA, reason="core is mended", at=world.clock.now()
    )
    await world.decide(Ruling.POSITIVE)
    await world.rest()

    assert await world.kinds_of_cases() == ["balance_refused"] * 2
