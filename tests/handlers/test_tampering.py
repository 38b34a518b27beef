"""What was changed in the database in mid-flight is not paid: a person looks at it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from fsm.snapshot import Plan
from handlers.resolve import Ruling
from payment_service.domain.audit_keys import UNKEYED, parse_audit_keys
from payment_service.domain.binding import Signature
from payment_service.domain.money import Money
from tests.twins.providers import LOSES_REQUEST
from tests.twins.rows import MemoryRows
from tests.twins.world import World, a_request

KEYS = parse_audit_keys("k:" + "5a" * 32)
TO_MALLORY = {"type": "card", "token": "tok_mallory"}
QUEUE = {
    "destination": (
        """UPDATE order_queues SET request = jsonb_set(request,
        '{destination,token}', '"tok_mallory"')""",
        lambda order: replace(order, destination=TO_MALLORY),
    ),
    "customer": (
        "UPDATE order_queues SET customer_id = 'c-mallory'",
        lambda order: replace(order, customer_id="c-mallory"),
    ),
    "merchant": (
        "UPDATE order_queues SET merchant_id = 'm-mallory'",
        lambda order: replace(order, merchant_id="m-mallory"),
    ),
    "order id": (
        "UPDATE order_queues SET order_id = 'w-7'",
        lambda order: replace(order, order_id="w-7"),
    ),
    "content": (
        r"UPDATE order_queues SET content_hash = '\x00'",
        lambda order: replace(order, content_hash=b"\0"),
    ),
    "signature": (
        r"UPDATE order_queues SET signature = '\x00'",
        lambda order: replace(order, signature=order.signature._replace(mac=b"\0")),
    ),
}
TASKS = {
    "terminal": (
        "UPDATE order_tasks SET terminal_id = 't-mallory'",
        {"terminal_id": "t-mallory"},
    ),
    "sla": ("UPDATE order_tasks SET sla = '3d'", {"sla": "3d"}),
}


async def change(world, what):
    """Change the order as no program of ours could; return how to put it back."""
    if isinstance(world.rows, MemoryRows):
        return _in_memory(world.rows.memory.tables.orders, what)
    statement = {**QUEUE, **TASKS}[what][0]
    await _unguarded(world, "CREATE TABLE was AS SELECT * FROM order_queues", statement)

    async def put_back():
        await _unguarded(
            world,
            """UPDATE order_queues q SET request = w.request, order_id = w.order_id,
            customer_id = w.customer_id, merchant_id = w.merchant_id FROM was w""",
        )

    return put_back


def _in_memory(orders, what):
    ((queue_id, order),) = orders.items()
    if what in QUEUE:
        orders[queue_id] = QUEUE[what][1](order)
    else:
        tasks = tuple(replace(t, **TASKS[what][1]) for t in order.queue.tasks)
        orders[queue_id] = order.with_queue(replace(order.queue, tasks=tasks))

    async def put_back():
        now = orders[queue_id]
        orders[queue_id] = replace(order, queue=now.queue, finished_at=now.finished_at)

    return put_back


async def _unguarded(world, *statements):
    async with world.rows.database.connection() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            await connection.execute(text(statement))


@pytest.mark.attack(
    "database",
    "An order changed in mid-flight is not paid: its create is refused with a case",
)
@pytest.mark.parametrize("what", [*QUEUE, *TASKS])
async def test_nothing_is_sent_of_an_order_that_was_changed(world, what):
    acme = world.provider("acme")
    await world.submit(a_request("acme"))
    put_back = await change(world, what)

    await world.rest()

    assert [each.call for each in acme.asked] == []
    assert await world.states() == ["MANUAL_CHECK", "ACTIVE"]
    assert await world.kinds_of_cases() == ["tampered"]
    await put_back()


@pytest.mark.attack("database", "Another amount is not sent, though core holds it")
@pytest.mark.parametrize("money", [Money(12551, "EUR"), Money(12550, "USD")])
async def test_nothing_is_sent_of_another_amount_though_core_holds_it(money):
    world = World()
    acme = world.provider("acme")
    await world.submit(a_request("acme"))
    assert isinstance(world.rows, MemoryRows)
    orders = world.rows.memory.tables.orders
    ((queue_id, order),) = orders.items()
    orders[queue_id] = replace(order, money=money)

    await world.rest()

    assert [each.call for each in acme.asked] == []
    assert await world.kinds_of_cases() == ["tampered"]


async def test_what_was_tampered_with_and_never_sent_is_skipped_by_a_persons_no(world):
    await world.submit(a_request("acme"))
    put_back = await change(world, "destination")
    await world.rest()
    await put_back()

    await world.decide(Ruling.NEGATIVE)
    await world.rest()

    assert await world.states() == ["SKIPPED", "FAILED"]


@pytest.mark.attack("database", "The repeat of a create is refused like the first")
async def test_a_repeat_of_the_create_is_not_sent_either(world):
    acme = world.provider("acme", LOSES_REQUEST, plan=Plan(idempotent_create=True))
    await world.submit(a_request("acme"))
    await world.work_off()
    assert [each.call for each in acme.asked] == ["create"]
    put_back = await change(world, "destination")

    await world.rest()

    assert [each.call for each in acme.asked].count("create") == 1
    assert await world.states() == ["MANUAL_CHECK", "ACTIVE"]
    await put_back()


@pytest.mark.attack("database", "The signature of one order holds for no other")
async def test_a_signature_of_another_order_holds_for_no_other(world):
    await world.submit(a_request("acme", order_id="w-1"))
    await world.submit(a_request("acme", order_id="w-2"))
    one, two = await world.rows.orders()

    assert one.signature != two.signature
    assert not replace(one, signature=two.signature).is_as_requested(world.engine.keys)


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
    "database", "A line signed with a key that is not known does not hold"
)
def test_what_one_key_has_signed_holds_by_no_other_and_by_no_unknown_one():
    keys = parse_audit_keys("new:" + "5a" * 32 + ",old:" + "6b" * 32)

    assert keys.signer == "new"
    assert keys.holds("old", b"x", keys.mac("old", b"x"))
    assert not keys.holds("new", b"x", keys.mac("old", b"x"))
    assert not keys.holds("lost", b"x", keys.mac("old", b"x"))
    assert not keys.holds("new", b"y", keys.mac("new", b"x"))
    assert Signature("new", keys.mac("new", b"x")) != Signature("new", b"")
