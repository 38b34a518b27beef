"""What is proposed without a key stands in the trail, and does nothing else."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from fsm.domain.audit_keys import AuditKeys, parse_audit_keys
from fsm.domain.errors import NotNow
from fsm.domain.four_eyes import FourEyes
from fsm.domain.proposals import IN_WORDS, PROPOSED_FROM_SHELL, Proposal
from fsm.engine.flow import Rules
from fsm.engine.words import CaseKind, CaseState
from fsm.flows import RULES
from handlers.ports.clock import Clock
from handlers.ports.reads import CaseRecord
from handlers.ports.store import Store
from handlers.ports.watch import Watch
from handlers.propose import PROPOSALS_MAX, propose
from handlers.resolve import Ruling
from payment_service.playground.memory.core import NOTIFY, CoreTrouble
from payment_service.playground.memory.providers import LOSES_REQUEST
from payment_service.playground.memory.world import a_request

ANNA, BERT = "key:anna", "key:bert"


@pytest.fixture
async def stuck(world):
    """The same world with a manual check of an attempt that was never made."""
    world.provider("acme", LOSES_REQUEST)
    await world.submit(a_request("acme", "zeta"))
    await world.rest()
    assert (await world.states())[0] == "MANUAL_CHECK"
    return world


async def proposing(world, *, case=None, whole=False, **changes):
    order = await world.order()
    task = order.queue.tasks[0]
    proposal = Proposal(
        decision="negative",
        actor="user:anna",
        reason="seen in the bank's statement",
        task_id=None if whole else task.task_id,
    )
    return await propose(
        order,
        replace(proposal, **changes),
        trail=await world.rows.trail(),
        books=world.ports,
        case=case,
    )


async def lines(world):
    trail = await world.rows.trail()
    return [line for line in trail if line.trigger == PROPOSED_FROM_SHELL]


@pytest.mark.parametrize(
    "decision", ["positive", "negative", "settled_positive", "settled_negative"]
)
async def test_a_proposal_is_a_line_of_the_order_and_moves_nothing(stuck, decision):
    before = await stuck.order()

    assert await proposing(stuck, decision=decision, evidence="line 17")
    await stuck.rest()

    after = await stuck.order()
    assert after.queue.tasks == before.queue.tasks
    assert after.queue.version == before.queue.version + 1
    (line,) = await lines(stuck)
    assert (line.task_id, line.actor, line.source) == (None, "user:anna", line.target)
    assert line.detail["decision"] == decision
    assert line.detail["evidence"] == "line 17"


async def test_no_proposal_is_a_vote_or_makes_one_void(stuck):
    stuck.four_eyes = FourEyes(1)
    seen = await stuck.order()
    await proposing(stuck, actor="user:bert")
    assert not await stuck.decide(Ruling.NEGATIVE, actor=ANNA)
    await proposing(stuck, actor="user:carl")

    assert (await stuck.states())[0] == "MANUAL_CHECK"
    assert (await stuck.task()).proposed_by == ANNA
    assert (await stuck.task()).version == seen.queue.tasks[0].version + 1
    assert await stuck.decide(Ruling.NEGATIVE, actor=BERT)


@pytest.mark.attack(
    "shell", "No name but a key's is counted, wherever a vote comes from"
)
async def test_nobody_without_a_key_decides_at_any_amount(stuck):
    with pytest.raises(NotNow, match="only the holder of a key"):
        await stuck.decide(Ruling.POSITIVE, actor="user:anna")

    assert (await stuck.states())[0] == "MANUAL_CHECK"


@pytest.mark.attack(
    "shell", "A shell in a loop does not bury the trail that people read"
)
async def test_the_same_is_written_once_and_so_many_at_most(stuck):
    assert await proposing(stuck)
    assert not await proposing(stuck)
    for number in range(PROPOSALS_MAX - 1):
        assert await proposing(stuck, actor=f"user:{number}")

    with pytest.raises(NotNow, match="20 proposals already"):
        await proposing(stuck, actor="user:one-more")

    assert len(await lines(stuck)) == PROPOSALS_MAX
    assert await stuck.decide(Ruling.NEGATIVE, actor=ANNA)


async def test_two_shells_at_once_both_stand_in_the_trail(stuck):
    await asyncio.gather(*(proposing(stuck, actor=f"user:{n}") for n in range(5)))

    assert {line.actor for line in await lines(stuck)} == {
        f"user:{n}" for n in range(5)
    }


async def test_what_needs_no_decision_is_not_proposed_about(world):
    await world.submit(a_request("acme"))

    with pytest.raises(NotNow, match="not in MANUAL_CHECK"):
        await proposing(world)
    assert await proposing(world, decision="cancel")
    assert await proposing(world, decision="cancel", whole=True)
    await world.rest()
    for whole in (True, False):
        with pytest.raises(NotNow, match="it is final"):
            await proposing(world, decision="cancel", whole=whole)


def a_case(world_order, kind=CaseKind.RETURN_AFTER_SUCCESS, state=CaseState.OPEN):
    return CaseRecord(
        id="c-1",
        kind=kind,
        state=state,
        order_id=world_order.order_id,
        queue_id=world_order.queue_id,
        task_id=world_order.queue.tasks[0].task_id,
        money_at_risk=1,
        currency="EUR",
        opened_at=world_order.created_at,
    )


async def test_an_order_that_is_over_is_proposed_about_by_its_case(world):
    await world.submit(a_request("acme"))
    await world.rest()
    case = a_case(await world.order())

    for decision in ("settle", "close"):
        assert await proposing(world, case=case, case_id="c-1", decision=decision)

    assert [line.target for line in await lines(world)] == ["COMPLETED"] * 2
    other = replace(case, kind=CaseKind.CONTRADICTION)
    busy = replace(case, state=CaseState.SETTLING)
    with pytest.raises(NotNow, match="is no return"):
        await proposing(world, case=other, decision="settle")
    with pytest.raises(NotNow, match="case c-1 is settling"):
        await proposing(world, case=busy, decision="close")


async def test_core_is_told_all_the_same_and_in_time(world):
    world.core.fails(NOTIFY, CoreTrouble.DOWN, times=2)
    await world.submit(a_request("acme"))
    await world.work_off()
    order = await world.order()
    assert order.queue.waiting_for == "notification"

    await proposing(world, case=a_case(order), case_id="c-1", decision="close")
    await world.pass_time(timedelta(seconds=10))
    await world.work_off()

    assert len({notice.event_id for notice in world.core.notices}) == 1
    assert (await world.order()).queue.waiting_for is None


@dataclass(frozen=True)
class Elsewhere:
    """The books of a shell that has another key."""

    store: Store
    clock: Clock
    watch: Watch
    keys: AuditKeys
    rules: Rules = RULES


async def test_a_trail_is_not_gone_on_with_by_who_does_not_know_its_key(world):
    await world.submit(a_request("acme"))
    order, ports = await world.order(), world.ports
    keys = parse_audit_keys("k1:" + "ab" * 32)

    with pytest.raises(NotNow, match="set PAYMENT_AUDIT_KEYS"):
        await propose(
            order,
            Proposal(decision="cancel", actor="user:anna", reason="x"),
            trail=await world.rows.trail(),
            books=Elsewhere(ports.store, ports.clock, ports.watch, keys),
        )
    assert await lines(world) == []


def test_every_decision_has_words():
    assert all(IN_WORDS.values())
