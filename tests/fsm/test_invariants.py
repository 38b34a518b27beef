"""What persons have settled by hand is counted; the same without them is wrong."""

import pytest

from fsm import invariants, reconciliation
from fsm.domain.audit_keys import UNKEYED
from fsm.domain.webhook_events import WebhookEventType
from fsm.invariants import trail_of
from fsm.payout.policy import ProviderPolicy
from fsm.reconciliation import LedgerEntry
from fsm.tampering import tampered
from handlers.ports.core import Operation
from handlers.ports.provider import Unclear
from handlers.resolve import Ruling
from payment_service.playground.memory.providers import PAYS_SILENTLY
from payment_service.playground.memory.world import a_request
from tests.world.as_rows import line_of, order_row, task_row
from tests.world.judged import World


@pytest.fixture
def world():
    return World()


async def judged(world, *operations):
    """Return (invariant, warning) of all that is wrong, core having done these."""
    order = await world.order()
    row, tasks = order_row(order), [task_row(t) for t in order.queue.tasks]
    lines = sorted(await world.rows.trail(), key=lambda line: line.version)
    ids = {line.entity_id for line in lines}
    trails = {
        i: trail_of((line_of(e) for e in lines if e.entity_id == i), UNKEYED)
        for i in ids
    }
    found = [*invariants.order_offences(row, tasks, trails)]
    cases = {case.task_id for case in await world.rows.cases()}
    found += tampered(row, tasks, trails, UNKEYED, as_of=world.clock.now(), cases=cases)
    entries = [
        LedgerEntry(tasks[0].task_id, name, order.money.amount, order.money.currency)
        for name in operations
    ]
    now, trail = world.clock.now(), trails[tasks[0].task_id]
    found += reconciliation.core_offences(
        row, tasks[0], entries, as_of=now, trail=trail
    )
    return [(offence.invariant.value, offence.warning) for offence in found]


async def refused_and_settled(world, ruling):
    world.core.refuses(Operation.COMMIT, "no_hold", times=1)
    await world.submit(a_request("acme"))
    await world.rest()
    await world.decide(ruling, by_hand=True)
    await world.rest()


async def test_what_was_settled_by_hand_is_told_and_offends_nobody(world):
    await refused_and_settled(world, Ruling.POSITIVE)

    assert await judged(world, "freeze", "commit") == [("by_hand", True)]
    assert await judged(world) == [("by_hand", True), ("core", True)]


@pytest.mark.parametrize("operations", [("freeze",), ("freeze", "rollback"), ()])
async def test_the_same_without_a_persons_hand_is_wrong(world, operations):
    await world.submit(a_request("acme"))
    await world.rest()

    assert ("core", False) in await judged(world, *operations)
    assert await judged(world, "freeze", "commit") == []


@pytest.mark.parametrize(
    "operations",
    [
        ("freeze", "commit", "return"),
        ("freeze", "commit", "return", "return"),
        ("freeze", "return"),
    ],
)
async def test_a_return_that_nobody_asked_for_is_wrong(world, operations):
    await world.submit(a_request("acme"))
    await world.rest()

    assert ("core", False) in await judged(world, *operations)


async def test_a_return_that_core_does_not_know_is_wrong(world):
    world.provider("acme", plan=ProviderPolicy(settles_returns=True))
    await world.submit(a_request("acme"))
    await world.rest()
    await world.tell("acme", WebhookEventType.RETURNED, (await world.task()).task_id)
    await world.rest()

    assert await judged(world, "freeze", "commit", "return") == []
    assert await judged(world, "freeze", "commit") == [("core", False)]


@pytest.mark.parametrize("times", [1, 2], ids=["a move", "and a remark"])
async def test_a_return_that_is_the_first_to_name_the_attempt_offends_nobody(
    world, times
):
    acme = world.provider("acme", plan=ProviderPolicy(settles_returns=True))
    acme.script = [PAYS_SILENTLY]
    acme.statuses.extend([Unclear(because="503")] * 99)
    await world.submit(a_request("acme"))
    await world.rest()
    await world.decide(Ruling.POSITIVE)
    await world.rest()
    task_id = (await world.task()).task_id
    assert (await world.task()).provider_reference is None

    for n in range(times):
        kind = WebhookEventType.RETURNED
        await world.tell("acme", kind, task_id, provider_reference=f"po_{n}")
        await world.rest()

    assert (await world.task()).provider_reference == "po_0"
    assert await judged(world, "freeze", "commit", "return") == []
