"""`verify` says of what was erased that it was, and finds what only seems to be."""

import asyncio

import pytest
from sqlalchemy import text

from fsm.domain.audit_keys import parse_audit_keys
from fsm.domain.errors import StoreUnavailable
from fsm.domain.webhook_events import WebhookEvent, WebhookEventType
from handlers.erase import erase, erase_customer
from handlers.inbox import apply_webhook, keep
from payment_service.storage import order_erasure
from payment_service.storage.operator_store import PostgresOperatorStore
from payment_service.storage.reads import PostgresReads
from tests.cli.desk import WHY
from tests.cli.stage import corrupt, with_world

KEYS_SET = "k1:" + "5a" * 32
KEYS = parse_audit_keys(KEYS_SET)
ROW = "UPDATE order_queues SET {} WHERE order_id = %s"
BLANK = "customer_id = '', request = '{}'"
BY = {"reason": "he asked for it", "actor": "key:ops"}


@pytest.fixture
def paid(database_url):
    """Put two orders into the database, both paid; erase the one, and return it."""

    async def work(world):
        order = await world.order("w-1", metadata={"name": "Ann"})
        await world.order("w-2")
        await erase(
            order, ports=world.ports, operator_store=operator_store_of(world), **BY
        )
        return order

    return asyncio.run(with_world(database_url, work, keys=KEYS))


def operator_store_of(world):
    return PostgresOperatorStore(world.ports.store._database, world.ports.keys)


def verified(shell):
    answer = shell("verify", "--json", PAYMENT_AUDIT_KEYS=KEYS_SET)
    return answer.json, {(o["invariant"], o["what"]) for o in answer.json["offences"]}


def test_it_says_erased_and_not_tampered(at_database, paid):
    report, found = verified(at_database)
    shown = at_database("order", "show", paid.queue_id, "--json")
    plain = at_database("verify", PAYMENT_AUDIT_KEYS=KEYS_SET)

    assert found == set()
    assert report["erased"] == [paid.queue_id]
    assert "every invariant holds, 1 erased" in plain.out
    assert "tok_sim" not in shown.out
    assert '"c-9"' not in shown.out
    assert "Ann" not in shown.out


def test_it_still_says_so_after_a_late_webhook(at_database, database_url, paid):
    task = next(t for t in paid.queue.tasks if t.state == "SUCCEEDED")

    async def work(world):
        said = WebhookEvent(
            provider=task.provider,
            event_id="late",
            type=WebhookEventType.RETURNED,
            reference=task.task_id,
            message="for Ann",
            received_at=world.ports.clock.now(),
        )
        await keep(said, ports=world.ports)
        order = await world.ports.store.load(paid.queue_id)
        stored = await world.ports.store.find_webhook(task.provider, "late")
        await apply_webhook(order, stored, ports=world.ports)

    asyncio.run(with_world(database_url, work, keys=KEYS))
    report, found = verified(at_database)
    shown = at_database("order", "show", paid.queue_id, "--json")
    cases = at_database("case", "list", "--json")

    assert found == set()
    assert report["erased"] == [paid.queue_id]
    assert [c["kind"] for c in cases.json["cases"]] == ["return_after_success"]
    assert "Ann" not in shown.out + cases.out


BY_HAND = "its row is erased, and its trail does not say so"
FILLED = "its trail says that it was erased, and its row holds something"


@pytest.mark.attack("database", "An erasure hides no change of an order")
@pytest.mark.parametrize(
    ("change", "order_id", "what"),
    [
        (BLANK, "w-2", BY_HAND),
        ("customer_id = 'c-9'", "w-1", FILLED),
        ("customer_id = ''", "w-2", "its customer is not the one"),
        ("request = '{}'", "w-2", "its destination is not the one"),
        ("amount = 1", "w-1", "its amount is not the one"),
        ("currency = 'USD'", "w-1", "its currency is not the one"),
        ("merchant_id = 'm-7'", "w-1", "its merchant_id is not the one"),
        ("order_id = 'w-7'", "w-1", "its order_id is not the one"),
        (r"content_hash = '\\x00'", "w-1", "its content is not the one"),
        (r"signature = '\\x00'", "w-1", "the signature in its row is not of what"),
        ("request = jsonb_set(request, '{metadata,name}', '1')", "w-1", FILLED),
        (
            """request = jsonb_set(request, '{destination,token}', '"tok_x"')""",
            "w-1",
            FILLED,
        ),
    ],
)
@pytest.mark.usefixtures("paid")
def test_what_is_not_as_an_erasure_leaves_it_is_named(
    at_database, database_url, change, order_id, what
):
    if change in {BLANK, "request = '{}'"}:
        change = change.replace("'{}'", "'" + order_erasure.BLANK_TEXT + "'")
    corrupt(database_url, (ROW.replace("{}", change), order_id))

    _, found = verified(at_database)

    assert [told for name, told in found if name == "tampered" and what in told]


@pytest.mark.usefixtures("paid")
def test_a_line_that_was_taken_out_is_missed(at_database, database_url):
    corrupt(
        database_url, ("DELETE FROM order_task_events WHERE trigger = 'order.erased'",)
    )

    _, found = verified(at_database)

    assert ("tampered", BY_HAND) in found
    assert {"versions", "chain"} <= {name for name, _ in found}


def test_where_it_ends_half_way_nothing_was_done(
    at_database, database_url, monkeypatch
):
    monkeypatch.setattr(order_erasure, "LETTERS", text("SELECT nothing"))

    async def work(world):
        order = await world.order("w-1")
        with pytest.raises(StoreUnavailable):
            await erase(
                order, ports=world.ports, operator_store=operator_store_of(world), **BY
            )
        return await world.ports.store.load(order.queue_id)

    order = asyncio.run(with_world(database_url, work, keys=KEYS))
    report, found = verified(at_database)

    assert order.customer_id == "c-9"
    assert (report["erased"], found) == ([], set())


def test_all_of_a_customer_goes_but_what_is_under_way(at_database, database_url):
    async def work(world):
        for n in range(3):
            await world.order(f"w-{n}")
        await world.order("w-silent", "accept_silence")
        await world.order("w-other", customer_id="c-1")
        reads = PostgresReads(world.ports.store._database)
        everything = {
            "ports": world.ports,
            "operator_store": operator_store_of(world),
            "reads": reads,
            **BY,
        }
        first = await erase_customer("c-9", **everything)
        return first, await erase_customer("c-9", **everything)

    first, second = asyncio.run(with_world(database_url, work, keys=KEYS))
    report, found = verified(at_database)

    assert (len(first.done), len(second.done)) == (3, 0)
    assert first.refused == second.refused
    ((left, because),) = first.refused.items()
    assert "order w-silent is ACTIVE" in because
    assert sorted(report["erased"]) == sorted(first.done)
    assert found == set()
    assert left in at_database("order", "list", "--customer", "c-9").out


# Over the API of a running service.

LEFT = "what NATS still holds of it goes with the streams' own age"


def left_of(desk, order):
    """Return what the rows hold of whose it was, and the line that says who did it."""
    asked = "SELECT customer_id, request::text FROM order_queues WHERE queue_id = %s"
    customer, request = desk.one(asked, order.queue_id)
    erasures = [
        (actor, detail["reason"])
        for trigger, actor, detail in desk.lines(order.queue_id)
        if trigger == "order.erased"
    ]
    return customer, "Ann Other" in request, erasures


def test_one_order_is_erased_by_a_key_of_an_admin_and_nobody_else(desk):
    order = desk.orders["over"][0]
    wanted = ("order", "erase", order.queue_id, *WHY)

    refused = [desk.holding(name)(*wanted) for name in ("anna", "shop", "guest")]
    proposed = desk.bare()(*wanted)
    assert left_of(desk, order) == ("c-one", True, [])
    first = desk.holding("boss")(*wanted)
    again = desk.holding("boss")(*wanted, "--json")

    assert {answer.code for answer in refused} <= {1, 2}
    assert (proposed.code, "only the API can do this" in proposed.err) == (2, True)
    assert (first.code, first.err) == (0, "")
    assert first.out.strip() == f"{order.queue_id}: erased; {LEFT}"
    assert (again.code, again.json["status"]) == (0, "was_erased_before")
    assert left_of(desk, order) == ("", False, [("key:boss", WHY[1])])


def test_every_order_of_a_customer_is_erased(desk):
    one, other = desk.orders["over"][1:3]
    boss = desk.holding("boss")

    told = boss("customer", "erase", "c-all", *WHY, "--json")
    again = boss("customer", "erase", "c-all", *WHY)

    assert (told.code, told.json["refused"]) == (0, [])
    assert sorted(told.json["erased"]) == sorted([one.queue_id, other.queue_id])
    assert again.out.strip() == f"0 orders erased, 0 left; {LEFT}"
    for order in (one, other):
        assert left_of(desk, order) == ("", False, [("key:boss", WHY[1])])


def test_what_of_a_customer_is_under_way_is_left_and_told(desk):
    done, left = desk.orders["over"][3:]

    told = desk.holding("boss")("customer", "erase", "c-half", *WHY)

    assert told.code == 1
    assert told.out.splitlines() == [
        f"left: {left.queue_id}: order over-4 is ACTIVE: only a final one",
        f"1 orders erased, 1 left; {LEFT}",
    ]
    assert left_of(desk, done)[0] == ""
    assert left_of(desk, left)[0] == "c-half"
