"""What was changed in the database in mid-flight goes no further: a person looks."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from fsm.domain.audit_keys import UNKEYED, parse_audit_keys
from fsm.domain.binding import UNSIGNED, Signature
from fsm.domain.errors import NotNow, Tampered
from fsm.domain.four_eyes import FourEyes
from fsm.domain.ids import derived_id
from fsm.domain.money import Money
from fsm.domain.seals import signed_webhook
from fsm.domain.webhook_events import WebhookEventType
from fsm.engine.words import CaseKind, State, Verdict
from fsm.payout.policy import ProviderPolicy
from fsm.payout.words import Trigger, Waiting
from handlers.ports.core import Operation
from handlers.ports.reads import CaseRecord
from handlers.resolve import Ruling, withdraw_resolution
from handlers.sound import NOT_AS_REQUESTED
from handlers.withdrawal.returns import settle_return
from payment_service.playground.memory.core import CoreTrouble
from payment_service.playground.memory.providers import (
    ACCEPTS,
    DECLINES,
    LOSES_REQUEST,
    PAYS_SILENTLY,
)
from payment_service.playground.memory.rows import MemoryRows
from payment_service.playground.memory.world import a_request
from tests.world.judged import World

KEYS = parse_audit_keys("k:" + "5a" * 32)
SOON = timedelta(minutes=10)
TO_MALLORY = {"type": "card", "token": "tok_mallory"}
REQUEST: dict[str, dict[str, Any]] = {
    "destination": {"destination": TO_MALLORY},
    "metadata": {"metadata": {"channel": "mallory"}},
    "customer": {"customer_id": "c-mallory"},
    "merchant": {"merchant_id": "m-mallory"},
    "order id": {"order_id": "w-7"},
    "amount": {"money": Money(12551, "EUR")},
    "currency": {"money": Money(12550, "USD")},
    "content": {"content_hash": b"\0"},
    "signature": {"signature": Signature("open", b"\0")},
}
TASKS: dict[str, dict[str, Any]] = {
    "terminal": {"terminal_id": "t-mallory"},
    "sla": {"sla": "3d"},
}


async def change(world, part, *, position=0, **changes):
    """Change a row as no program of ours could; return what puts it back."""
    before = await world.order()
    row = {"order": before, "queue": before.queue}.get(part)
    row = row or before.queue.tasks[position]
    were = {name: getattr(row, name) for name in changes}
    write = _in_memory if isinstance(world.rows, MemoryRows) else _in_postgres
    await write(world, part, position, changes)

    async def put_back():
        await write(world, part, position, were)

    return put_back


async def _in_memory(world, part, position, changes):
    orders = world.rows.memory.tables.orders
    ((queue_id, order),) = orders.items()
    queue = order.queue
    if part == "task":
        task = replace(queue.tasks[position], **changes)
        queue = queue.with_tasks({task.task_id: task})
    elif part == "queue":
        queue = replace(queue, **changes)
    else:
        order = replace(order, **changes)
    orders[queue_id] = replace(order, queue=queue)


async def _in_postgres(world, part, position, changes):
    """Write as a superuser who has switched the triggers off."""
    columns = dict(changes)
    if money := columns.pop("money", None):
        columns |= {"amount": money.amount, "currency": money.currency}
    if signature := columns.pop("signature", None):
        columns |= {"signed_by": signature.key_id, "signature": signature.mac}
    for name in ("destination", "metadata"):
        if name in columns:
            columns["request"] = {**await _request(world), name: columns.pop(name)}
    where = "order_queues" if part != "task" else "order_tasks"
    which = f"WHERE position = {position}" if part == "task" else ""
    sets = ", ".join(
        f"{n} = CAST(:{n} AS jsonb)" if n == "request" else f"{n} = :{n}"
        for n in columns
    )
    if "request" in columns:
        columns["request"] = orjson.dumps(columns["request"]).decode()
    statement = f"UPDATE {where} SET {sets} {which}"  # noqa: S608 - of this file
    await _unguarded(world, statement, columns)


async def _request(world):
    order = await world.order()
    return {"destination": dict(order.destination), "metadata": dict(order.metadata)}


async def _unguarded(world, statement, values):
    async with world.rows.database.connection() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text(statement), values)


def parts(what):
    return ("order", REQUEST[what]) if what in REQUEST else ("task", TASKS[what])


def calls(provider):
    return [each.call for each in provider.asked]


@pytest.mark.attack(
    "database",
    "An order changed before its freeze is neither held nor sent, and has a case",
)
@pytest.mark.parametrize("what", [*REQUEST, *TASKS])
async def test_nothing_is_held_or_sent_of_an_order_that_was_changed(world, what):
    acme = world.provider("acme")
    await world.submit(a_request("acme"))
    part, changes = parts(what)
    put_back = await change(world, part, **changes)

    await world.rest(within=SOON)

    assert (calls(acme), world.core.book) == ([], [])
    assert await world.states() == ["PENDING", "ACTIVE"]
    assert await world.kinds_of_cases() == ["tampered"]
    await put_back()
    await world.rest()
    assert await world.states() == ["SUCCEEDED", "COMPLETED"]


BALANCE = {
    "commit": (PAYS_SILENTLY, Operation.COMMIT),
    "rollback": (DECLINES, Operation.ROLLBACK),
}


@pytest.mark.attack(
    "database",
    "One changed in mid-flight is neither committed nor given back: a person looks",
)
@pytest.mark.parametrize("due", BALANCE)
async def test_what_was_changed_is_neither_committed_nor_rolled_back(world, due):
    conduct, operation = BALANCE[due]
    world.provider("acme", conduct)
    world.core.fails(operation, CoreTrouble.DOWN, times=3)
    await world.submit(a_request("acme"))
    while (await world.task()).waiting_for != due:
        await world.pass_time(timedelta(seconds=1))
        await world.work_off()
    put_back = await change(world, "order", money=Money(999_999, "EUR"))

    await world.rest(within=SOON)

    assert [each.operation for each in world.core.book] == [Operation.FREEZE]
    assert await world.states() == ["MANUAL_CHECK", "ACTIVE"]
    assert await world.kinds_of_cases() == ["tampered"]
    with pytest.raises(NotNow, match=NOT_AS_REQUESTED):
        await world.decide(Ruling.POSITIVE)
    await put_back()
    await world.decide(Ruling.POSITIVE if due == "commit" else Ruling.NEGATIVE)


async def test_what_came_back_is_not_returned_where_the_order_was_changed(world):
    world.provider("acme", plan=ProviderPolicy(settles_returns=True))
    await world.submit(a_request("acme"))
    await world.rest()
    put_back = await change(world, "order", money=Money(1, "EUR"))
    await world.tell("acme", WebhookEventType.RETURNED, (await world.task()).task_id)

    await world.rest(within=SOON)

    assert Operation.RETURN not in [each.operation for each in world.core.book]
    assert set(await world.kinds_of_cases()) == {"return_after_success", "tampered"}
    await put_back()


async def test_the_status_of_what_was_changed_is_no_evidence_so_nobody_asks(world):
    acme = world.provider(
        "acme", ACCEPTS, plan=ProviderPolicy(sla=timedelta(minutes=1))
    )
    await world.submit(a_request("acme"))
    await world.work_off()
    put_back = await change(world, "order", money=Money(1, "EUR"))

    await world.rest(within=SOON)

    assert calls(acme) == ["create"]
    assert await world.states() == ["MANUAL_CHECK", "ACTIVE"]
    await put_back()
    await world.settle_pending("acme", paid=True)


async def test_core_is_not_told_the_outcome_of_an_order_that_was_changed(world):
    world.core.fails("notify", CoreTrouble.DOWN, times=3)
    await world.submit(a_request("acme"))
    await world.work_off()
    put_back = await change(world, "order", order_id="w-7")

    await world.rest(within=SOON)

    assert world.core.notices == []
    assert await world.kinds_of_cases() == ["tampered"]
    await put_back()


PAID_UNASKED = {
    "state": State.EXECUTING,
    "waiting_for": Waiting.COMMIT,
    "verdict": Verdict.PAID,
    "taken": True,
}
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "committed unpaid": ("task", PAID_UNASKED),
    "verdict": ("task", {"verdict": Verdict.PAID}),
    "a second create": ("task", {"sent_first_at": None, "sent_last_at": None}),
    "never taken": ("task", {"taken": False}),
    "another's payout": ("task", {"provider_reference": "po_of_another"}),
    "no tries left": ("task", {"tries": 7}),
    "a cancel": ("task", {"cancel_requested": True}),
    "an older version": ("task", {"version": 1}),
    "a later deadline": ("task", {"deadline_at": datetime(9999, 1, 1, tzinfo=UTC)}),
    "a later sla": ("task", {"sla_at": datetime(9999, 1, 1, tzinfo=UTC)}),
    "a reason": ("task", {"code": "of_mallory"}),
    "its end": ("queue", {"cancel_requested": True}),
}


@pytest.mark.attack(
    "database",
    "No step is made of a row whose state, times or verdict was changed",
)
@pytest.mark.parametrize("what", ROWS)
async def test_no_step_is_made_of_a_row_that_was_changed(world, what):
    acme = world.provider(
        "acme", ACCEPTS, plan=ProviderPolicy(sla=timedelta(minutes=1))
    )
    await world.submit(a_request("acme"))
    await world.work_off()
    lines = len(await world.rows.trail())
    part, changes = ROWS[what]
    put_back = await change(world, part, **changes)

    await world.tell("acme", WebhookEventType.SUCCEEDED, (await world.task()).task_id)
    await world.rest(within=SOON)

    assert (calls(acme), len(world.core.book)) == (["create"], 1)
    assert len(await world.rows.trail()) == lines
    assert await world.kinds_of_cases() == ["tampered"]
    with pytest.raises(Tampered):
        await world.cancel_task()
    await put_back()
    acme.pays((await world.task()).task_id)
    await world.rest()
    assert await world.states() == ["SUCCEEDED", "COMPLETED"]


async def test_a_no_is_not_acted_on_where_the_order_was_changed_since(world):
    acme = world.provider("acme", LOSES_REQUEST)
    await world.submit(a_request("acme"))
    await world.rest()
    asked = len(acme.asked)
    await world.decide(Ruling.NEGATIVE)
    put_back = await change(world, "order", money=Money(1, "EUR"))

    await world.rest(within=SOON)

    assert len(acme.asked) == asked
    assert [each.operation for each in world.core.book] == [Operation.FREEZE]
    assert await world.states() == ["MANUAL_CHECK", "ACTIVE"]
    assert await world.kinds_of_cases() == ["tampered"]
    await put_back()


@pytest.mark.attack(
    "database",
    "A planted first vote does not count",
)
async def test_a_planted_first_vote_does_not_count(world):
    world.provider("acme", LOSES_REQUEST)
    world.four_eyes = FourEyes(1)
    await world.submit(a_request("acme"))
    await world.rest()
    vote = {"proposed_by": "key:bert", "proposed_decision": "positive"}
    put_back = await change(world, "task", **vote)

    with pytest.raises(Tampered):
        await world.decide(Ruling.POSITIVE)
    with pytest.raises(Tampered):
        await withdraw_resolution(
            (await world.task()).task_id,
            reason="r",
            actor="key:bert",
            ports=world.ports,
        )

    assert await world.states() == ["MANUAL_CHECK", "ACTIVE"]
    assert await world.kinds_of_cases() == ["tampered"]
    await put_back()
    assert not await world.decide(Ruling.NEGATIVE)


FORGED = {
    "unsigned": lambda webhook: replace(webhook, signature=UNSIGNED),
    "another amount": lambda webhook: replace(webhook, amount=webhook.amount + 1),
    "another kind": lambda webhook: replace(webhook, type=WebhookEventType.FAILED),
    "another task": lambda webhook: replace(webhook, provider_reference="po_other"),
    "another id": lambda webhook: replace(webhook, event_id="evt_of_mallory"),
    "another time": lambda webhook: replace(
        webhook, received_at=webhook.received_at - timedelta(days=9)
    ),
}


@pytest.mark.attack(
    "database",
    "A webhook planted or changed in the inbox moves nothing, and has a case",
)
@pytest.mark.parametrize("how", FORGED)
async def test_a_webhook_that_nobody_sent_moves_nothing(world, how):
    acme = world.provider("acme", ACCEPTS, plan=ProviderPolicy(sla=None))
    await world.submit(a_request("acme"))
    await world.work_off()
    webhook = acme.webhook(WebhookEventType.SUCCEEDED, (await world.task()).task_id)
    known = signed_webhook(replace(webhook, amount=12550, currency="EUR"), world.keys)
    await world.rows.store.store_webhooks(FORGED[how](known))

    await world.rest(within=SOON)

    assert await world.kinds_of_cases() == ["tampered"]
    assert await world.states() == ["EXECUTING", "ACTIVE"]
    await world.settle_pending("acme", paid=True)


CASE = """
INSERT INTO cases (id, kind, queue_id, order_id, task_id, provider, amount, currency,
    money_at_risk, detail, opened_at)
SELECT :id, 'return_after_success', q.queue_id, q.order_id, t.task_id, t.provider,
    q.amount, q.currency, q.amount, '{}', :opened_at
FROM order_queues q JOIN order_tasks t USING (queue_id)
"""


async def plant_return(world, opened_at):
    """Put a case of a return there that no step has opened; return its id."""
    order, case_id = await world.order(), derived_id("planted", str(opened_at))
    if isinstance(world.rows, MemoryRows):
        world.rows.memory.tables.cases[case_id] = CaseRecord(
            id=case_id,
            kind=CaseKind.RETURN_AFTER_SUCCESS,
            order_id=order.order_id,
            queue_id=order.queue_id,
            task_id=order.queue.tasks[0].task_id,
            money_at_risk=order.money.amount,
            currency=order.money.currency,
            opened_at=opened_at,
        )
    else:
        await _unguarded(world, CASE, {"id": case_id, "opened_at": opened_at})
    return case_id


async def rewrite_line(world, version, **changes):
    """Change a line of the only task's trail."""
    task = await world.task()
    if isinstance(world.rows, MemoryRows):
        lines = world.rows.memory.tables.trail
        key = (task.task_id, version)
        lines[key] = replace(lines[key], **changes)
        return
    sets = ", ".join(f"{name} = :{name}" for name in changes)
    which = "entity_id = CAST(:task_id AS uuid) AND version = :version"
    statement = f"UPDATE order_task_events SET {sets} WHERE {which}"  # noqa: S608
    known = {"task_id": task.task_id, "version": version}
    await _unguarded(world, statement, changes | known)


@pytest.mark.attack(
    "database", "A planted case of a return is settled by nobody: core is not asked"
)
@pytest.mark.parametrize("when", ["at no time of its trail", "when it succeeded"])
async def test_a_planted_return_is_settled_by_nobody(world, when):
    world.provider("acme", plan=ProviderPolicy(finality=timedelta(days=30)))
    await world.submit(a_request("acme"))
    await world.rest()
    at = world.clock.now()
    if when == "when it succeeded":
        at = (await world.task()).updated_at
    case_id = await plant_return(world, at)

    for actor in ("key:anna", "key:bert"):
        with pytest.raises(NotNow, match="no audit line has opened"):
            await settled(world, case_id, actor)
    await world.rest()

    assert Operation.RETURN not in [each.operation for each in world.core.book]
    assert not (await world.task()).returned


async def test_a_planted_return_is_settled_by_no_line_that_is_planted_too(world):
    world.provider("acme", plan=ProviderPolicy(finality=timedelta(days=30)))
    await world.submit(a_request("acme"))
    await world.rest()
    task = await world.task()
    case_id = await plant_return(world, task.updated_at)
    await rewrite_line(world, task.version, trigger=Trigger.RETURNED.value)

    with pytest.raises(NotNow, match="no audit line has opened"):
        await settled(world, case_id, "key:anna")
    await rewrite_line(world, task.version, trigger="commit.confirmed")


async def settled(world, case_id, actor):
    return await settle_return(
        case_id,
        reason="the bank sent it back",
        evidence="line 17",
        actor=actor,
        four_eyes=world.four_eyes,
        operator_store=world.rows.operator_store,
        ports=world.ports,
    )


@pytest.mark.attack(
    "database",
    "The repeat of a create is refused like the first",
)
async def test_a_repeat_of_the_create_is_not_sent_either(world):
    acme = world.provider(
        "acme", LOSES_REQUEST, plan=ProviderPolicy(idempotent_create=True)
    )
    await world.submit(a_request("acme"))
    await world.work_off()
    assert calls(acme) == ["create"]
    put_back = await change(world, "order", **REQUEST["destination"])

    await world.rest(within=SOON)

    assert calls(acme).count("create") == 1
    assert await world.states() == ["MANUAL_CHECK", "ACTIVE"]
    await put_back()
    await world.decide(Ruling.NEGATIVE)
    await world.rest()
    assert await world.states() == ["FAILED", "FAILED"]


@pytest.mark.attack(
    "database",
    "The signature of one order holds for no other",
)
async def test_a_signature_of_another_order_holds_for_no_other(world):
    await world.submit(a_request("acme", order_id="w-1"))
    await world.submit(a_request("acme", order_id="w-2"))
    one, two = await world.rows.orders()

    assert one.signature != two.signature
    assert not replace(one, signature=two.signature).is_as_requested(world.ports.keys)


async def test_an_order_waits_without_a_hold_for_who_has_its_key():
    world = World(keys=KEYS)
    await world.submit(a_request("acme"))
    world.keys = UNKEYED

    await world.rest(within=timedelta(hours=1))
    assert (await world.states(), world.core.book) == (["PENDING", "ACTIVE"], [])

    world.keys = KEYS
    await world.rest()
    assert await world.states() == ["SUCCEEDED", "COMPLETED"]


@pytest.mark.attack(
    "database",
    "A line signed with a key that is not known does not hold",
)
def test_what_one_key_has_signed_holds_by_no_other_and_by_no_unknown_one():
    keys = parse_audit_keys("new:" + "5a" * 32 + ",old:" + "6b" * 32)

    assert keys.signer == "new"
    assert keys.holds("old", b"x", keys.mac("old", b"x"))
    assert not keys.holds("new", b"x", keys.mac("old", b"x"))
    assert not keys.holds("lost", b"x", keys.mac("old", b"x"))
    assert not keys.holds("new", b"y", keys.mac("new", b"x"))
    assert Signature("new", keys.mac("new", b"x")) != Signature("new", b"")
