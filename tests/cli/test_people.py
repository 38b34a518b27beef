"""Manual checks and cases at the command line, by the rules of everywhere else."""

import asyncio
from datetime import timedelta

import pytest

from handlers.calls import View
from handlers.drive import drive, next_due
from handlers.webhook import webhook_received
from payment_service.domain.news import News, NewsType
from payment_service.ports.core import BalanceCall, Operation
from tests.cli.stage import SECRET, with_world

NOBODY = "00000000-0000-7000-8000-000000000000"
WHY = ("--reason", "the bank sent it back")


@pytest.fixture
def desk(at_database, orders):
    """Give the command line the configuration that it decides by."""
    assert "w-paid" in orders
    tables = "".join(
        f'[providers.{name}]\nadapter = "simulator"\n'
        for name in ("acme", "zeta", "nova")
    )
    (at_database.folder / "payment.toml").write_text(tables)
    at_database.env["SECRET_OF_PROVIDERS"] = SECRET
    return at_database


@pytest.fixture
def returned(desk, orders, database_url):
    """Have the payout of an order come back; return the id of the case."""

    async def work(world):
        task = orders["w-paid"].queue.tasks[0]
        news = News(
            provider="acme",
            event_id="evt-1",
            type=NewsType.RETURNED,
            reference=task.task_id,
            received_at=world.engine.clock.now() + timedelta(seconds=1),
            content_hash=b"it came back",
        )
        await world.engine.store.keep_news(news)
        await webhook_received("acme", "evt-1", again=False, engine=world.engine)

    asyncio.run(with_world(database_url, work))
    (case,) = desk("case", "list", "--json").json["cases"]
    return case["id"]


def checked(orders):
    return orders["w-silent"].queue.tasks[0].task_id


def test_no_case_is_said_so(desk):
    assert desk("case", "list").out == "No case matches.\n"


def test_a_manual_check_is_decided(desk, orders):
    task_id = checked(orders)

    answer = desk("task", "resolve", task_id, "negative", *WHY, "--json")

    assert answer.json == {"task_id": task_id, "status": "recorded"}
    again = desk("task", "resolve", task_id, "negative", *WHY)
    assert (again.code, again.err.count("\n")) == (1, 1)
    assert "not in MANUAL_CHECK" in again.err


def test_a_large_one_waits_for_a_second_person(desk, orders):
    desk.env["PAYMENT_FOUR_EYES_FROM"] = "1"

    answer = desk("task", "resolve", checked(orders), "positive", *WHY, "--json")

    assert answer.json["status"] == "waits_for_second_person"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ((), "evidence: is needed"),
        (("--evidence", "ticket 17"), "core has refused no balance call"),
    ],
)
def test_what_core_has_not_refused_is_not_settled_by_hand(desk, orders, more, told):
    options = (*WHY, "--settled-by-hand", *more)

    answer = desk("task", "resolve", checked(orders), "negative", *options)

    assert answer.code == 1
    assert told in answer.err


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("task", "resolve", NOBODY, "maybe", *WHY), 2, "none of positive, negative"),
        (
            ("task", "resolve", NOBODY, "positive", *WHY),
            1,
            f"no order or task {NOBODY!r}",
        ),
        (("case", "settle", NOBODY, *WHY), 1, f"no case {NOBODY!r}"),
        (("case", "close", NOBODY, *WHY), 1, f"no case {NOBODY!r}"),
        (("case", "assign", NOBODY, "--owner", "anna"), 1, f"no case {NOBODY!r}"),
        (("case", "assign", NOBODY, "--owner", ""), 2, "--owner"),
        (("case", "list", "--kind", "odd"), 2, "--kind"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(desk, arguments, code, told):
    answer = desk(*arguments)

    assert (answer.code, answer.err.count("\n")) == (code, 1)
    assert told in answer.err


def test_a_case_is_found_by_owner_and_kind_and_closed(desk, returned):
    assert desk("case", "assign", returned, "--owner", "anna").code == 0

    by_owner = desk("case", "list", "--owner", "anna", "--json").json["cases"]
    assert [case["money_at_risk"] for case in by_owner] == [12550]
    assert desk("case", "list", "--kind", "contradiction", "--json").json["cases"] == []
    assert desk("case", "close", returned, *WHY).code == 0
    assert desk("case", "list", "--state", "open", "--json").json["cases"] == []
    assert "is closed" in desk("case", "settle", returned, *WHY).err


def test_a_return_is_settled_and_every_book_agrees(
    desk, returned, orders, database_url
):
    answer = desk("case", "settle", returned, *WHY, "--json")
    assert answer.json == {"id": returned, "status": "recorded"}
    (case,) = desk("case", "list", "--state", "settling", "--json").json["cases"]
    assert case["id"] == returned

    async def work(world):
        engine = world.engine
        order = await engine.store.load(orders["w-paid"].queue_id)
        due = next_due(order, engine)
        assert due is not None
        assert due.waiting_for == "return"
        task = order.queue.tasks[0]
        # This core is new: it has to know what it once committed.
        for operation in ("freeze", "commit"):
            await has_done(world, order, task, operation)
        await drive(order, engine=engine, view=View(taken_at=engine.clock.elapsed()))
        assert world.core.check() == []
        return [e.operation.value for e in world.core.entries]

    done = asyncio.run(with_world(database_url, work))
    assert done == ["freeze", "commit", "return"]
    (case,) = desk("case", "list", "--state", "settled", "--json").json["cases"]
    assert case["reason"] == "the bank sent it back"
    shown = desk("order", "show", "w-paid", "--json").json
    assert "core took the returned money back" in shown["attempts"][0]["words"]
    assert desk("verify").code == 0


async def has_done(world, order, task, operation):
    call = BalanceCall(
        task_id=task.task_id,
        queue_id=order.queue_id,
        order_id=order.order_id,
        merchant_id=order.merchant_id,
        provider=task.provider,
        terminal_id=task.terminal_id,
        money=order.money,
    )
    await world.engine.core.balance(Operation(operation), call)
