"""A unique beginning stands for an id, several are not guessed at, money takes all."""

import asyncio

import pytest

from payment_service.cli.short_ids import Ambiguous, _only
from payment_service.storage.beginnings import Named, is_beginning
from payment_service.storage.database import Database
from payment_service.storage.store import PostgresStore
from tests.cli.stage import Here
from tests.storage.builders import a_letter, a_new_order

WHY = ("--reason", "because")


@pytest.fixture
def shell(tmp_path, database_url):
    return Here(tmp_path, {"PAYMENT_DATABASE_URL": database_url})


def store_of(url, work):
    """Have the real store do something; return what it returns."""

    async def run():
        database = Database(url)
        await database.open()
        try:
            return await work(PostgresStore(database))
        finally:
            await database.close()

    return asyncio.run(run())


@pytest.fixture
def orders(database_url):
    """Return two orders whose order_ids begin alike."""
    new = [a_new_order("acme", order_id=f"w-shared-{n}") for n in (1, 2)]

    async def work(store):
        for each in new:
            await store.submit(each)

    store_of(database_url, work)
    return [each.order for each in new]


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("0195f1de", True),
        ("0195f1de-7c1a", True),
        ("0195f1de-", True),
        ("0195f1de-7c1a-7000-8000-3f2a9c1b0e5", True),
        ("0195f1de-7c1a-7000-8000-3f2a9c1b0e55", False),
        ("0195f1d", False),
        ("0195f1de7", False),
        ("0195-f1de", False),
        ("w-1001-abc", False),
        ("", False),
    ],
)
def test_what_is_a_beginning_of_an_id(text, is_one):
    assert is_beginning(text) == is_one


def test_several_are_named_and_never_guessed_at():
    with pytest.raises(Ambiguous, match=r"a-1 \(x\), a-2 \(y\): give more of one"):
        _only(Named.TASK, "a", [("a-1", "x"), ("a-2", "y")])


def test_an_order_is_shown_by_the_beginning_of_either_id(shell, orders):
    first, second = orders
    queue_id = first.queue.queue_id
    cut = next(
        n for n in range(9, 36) if not second.queue.queue_id.startswith(queue_id[:n])
    )

    assert shell("order", "show", queue_id[:cut], "--json").json["queue_id"] == queue_id
    assert (
        shell("order", "show", "w-shared-2", "--json").json["order_id"] == "w-shared-2"
    )
    both = shell("order", "show", "w-shared", "--json")
    assert (both.code, both.out) == (2, "")
    assert '"code":"ambiguous"' in both.err
    for each in orders:
        assert both.err.count(each.queue.queue_id) == 1
    assert shell("order", "show", "w-sha").code == 1
    assert shell("order", "show", "w_shared").code == 1
    assert shell("order", "show", "%%%%%%").code == 1


def test_an_id_of_several_orders_is_told_once(shell, database_url):
    async def work(store):
        for merchant in ("m-1", "m-2"):
            await store.submit(
                a_new_order("acme", order_id="w-1001", merchant_id=merchant)
            )

    store_of(database_url, work)
    told = shell("order", "show", "w-1001")

    assert (told.code, told.out) == (2, "")
    assert told.err.count("w-1001") == 1
    assert told.err.count("more than once") == 1
    assert told.err.count("queue id") == 1


def test_a_dead_letter_is_shown_and_discarded_by_its_beginning(shell, database_url):
    letter = a_letter()

    async def work(store):
        await store.dead_letter(letter, [])

    store_of(database_url, work)
    [known] = shell("dlq", "list", "--json").json["dead_letters"]
    short = known["id"][:13]

    assert shell("dlq", "show", short, "--json").json["id"] == known["id"]
    assert known["id"] in shell("dlq", "replay", short, "--dry-run").out
    assert shell("dlq", "discard", short, *WHY).out == f"{known['id']} discarded\n"


@pytest.mark.parametrize(
    "command",
    [
        ("task", "resolve", "{}", "positive"),
        ("task", "cancel", "{}"),
        ("task", "withdraw", "{}"),
        ("case", "settle", "{}"),
        ("case", "close", "{}"),
        ("case", "withdraw", "{}"),
    ],
)
def test_what_decides_about_money_takes_the_whole_id(shell, orders, command):
    task = orders[0].queue.tasks[0].task_id
    told = shell(*(word.format(task[:23]) for word in command), *WHY)

    assert (told.code, told.out) == (2, "")
    assert "is only the beginning of an id" in told.err
    if command[0] == "task":
        assert f"{task} (" in told.err
        assert "w-shared-1" in told.err


def test_an_order_is_given_up_by_its_whole_id_alone(shell, orders):
    short = orders[0].queue.queue_id[:23]
    told = shell("order", "cancel", short, *WHY)

    assert told.code == 1
    assert f"no order or task {short!r}" in told.err
