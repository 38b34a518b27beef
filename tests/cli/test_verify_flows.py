"""`verify` judges orders of several steps, on PostgreSQL, by their flow's rules."""

import asyncio
import json

import pytest

from fsm.engine.words import EngineWait
from fsm.flows import RULES
from handlers.resolve import Ruling
from payment_service.cli import unknown
from payment_service.storage.readable import known_words, unknown_words
from tests.cli.stage import Here, corrupt
from tests.cli.test_outside import answering
from tests.handlers.test_chores import helped, helpers
from tests.world.stores import world_on

__all__ = ["helped", "helpers"]

TASK = "UPDATE order_tasks SET {} WHERE name = %s"
UNCHECKED = "ALTER TABLE order_tasks DROP CONSTRAINT ck_order_tasks_waits"
LINE = (
    "UPDATE order_task_events e SET {} FROM order_tasks t "
    "WHERE e.entity_id = t.task_id AND t.name = %s AND e.version = 2"
)
OWN = "UPDATE order_task_events SET {} WHERE entity_id = queue_id AND trigger = %s"


@pytest.fixture
async def house(database_url, helpers, monkeypatch):
    """Give a world whose orders are chores, and a version that knows of them."""
    del helpers
    monkeypatch.setattr(unknown, "_KNOWN", known_words(RULES))
    async with world_on(database_url) as world:
        yield world


async def completed(house, _helpers):
    await house.request()


async def turned_back(house, helpers):
    helpers.refuse = {"Bob", "Cy"}
    await house.request()


async def given_up(house, helpers):
    helpers.unclear["do Ann"] = 2
    await house.submit()
    await house.work_off()
    await house.cancel_order(insist=True)


async def on_its_way(house, helpers):
    helpers.unclear["do Bob"] = 2
    await house.submit()
    await house.work_off()
    assert (await house.states())[-1] == "ACTIVE"


async def not_to_be_undone(house, helpers):
    helpers.refuse, helpers.keep = {"Bob", "Cy"}, {"Ann"}
    await house.request()
    await house.rest()
    await house.decide(Ruling.POSITIVE)


DAYS = {
    completed: ["SUCCEEDED", "SUCCEEDED", "SKIPPED", "SUCCEEDED", "COMPLETED"],
    turned_back: ["REVERSED", "SKIPPED", "SKIPPED", "SKIPPED", "FAILED"],
    given_up: ["REVERSED", "SUCCEEDED", "SKIPPED", "CANCELLED", "CANCELLED"],
    not_to_be_undone: ["SUCCEEDED", "SKIPPED", "SKIPPED", "SKIPPED", "FAILED"],
}


@pytest.fixture
def verified(tmp_path, database_url):
    """Say how `verify` answers, and what it finds by which invariant."""
    shell = Here(tmp_path, {"PAYMENT_DATABASE_URL": database_url})

    def run():
        answer = shell("verify", "--json")
        found = [(o["invariant"], o["what"]) for o in answer.json["offences"]]
        return answer, found

    return run


@pytest.mark.parametrize("day", DAYS, ids=lambda day: day.__name__)
async def test_an_order_of_several_steps_offends_nobody(day, house, helpers, verified):
    await day(house, helpers)
    await house.rest()
    assert await house.states() == DAYS[day]

    answer, found = verified()

    assert (answer.code, found) == (0, [])
    assert (answer.json["ok"], answer.json["orders"], answer.json["tasks"]) == (
        True,
        1,
        4,
    )
    assert answer.json["notes"] == []


async def test_an_order_on_its_way_offends_nobody(house, helpers, verified):
    await on_its_way(house, helpers)

    answer, found = verified()

    assert (answer.code, found) == (0, [])


async def with_core(house, tmp_path, database_url, entries):
    """Say what `verify --core` answers where core's ledger has these entries."""
    await completed(house, None)
    await house.rest()
    page = {"entries": entries(await house.order()), "next_cursor": None}
    async with answering(200, json.dumps(page).encode()) as url:
        urls = {"PAYMENT_DATABASE_URL": database_url, "PAYMENT_CORE_URL": url}
        shell = Here(tmp_path, urls)
        return await asyncio.to_thread(shell, "verify", "--core", "--json")


async def test_what_core_never_hears_of_is_left_out_by_name(
    house, tmp_path, database_url
):
    answer = await with_core(house, tmp_path, database_url, lambda _order: [])

    assert (answer.code, answer.json["offences"]) == (0, [])
    assert answer.json["notes"] == [
        (
            "core's ledger was not compared with 1 task of 'wash', 3 tasks of 'work', "
            "which nothing there is about"
        )
    ]


async def test_what_core_holds_for_whom_it_holds_nothing_is_named(
    house, tmp_path, database_url
):
    def entries(order):
        task_id = order.queue.tasks[0].task_id
        said = {"task_id": task_id, "operation": "freeze", "amount": 12550}
        return [{**said, "currency": "EUR"}]

    answer = await with_core(house, tmp_path, database_url, entries)

    assert answer.code == 1
    (offence,) = answer.json["offences"]
    assert offence["invariant"] == "core"
    assert "a task of 'wash' holds nothing there" in offence["what"]


@pytest.mark.attack(
    "database", "Planted corruptions of a flow of several steps are found by `verify`"
)
@pytest.mark.parametrize(
    ("day", "invariants", "statement", "what"),
    [
        (
            turned_back,
            {"outcome", "succession", "tampered"},
            (TASK.format("state = 'SUCCEEDED'"), "Ann"),
            ("outcome", "it is FAILED, and 1 of its tasks succeeded"),
        ),
        (
            completed,
            {"outcome", "succession", "tampered"},
            (TASK.format("state = 'REVERSED'"), "Ann"),
            ("outcome", "it is COMPLETED, and 2 of its tasks succeeded"),
        ),
        (
            on_its_way,
            {"nobody_forgotten", "tampered"},
            (TASK.format("wake_at = NULL, watch_at = NULL"), "Bob"),
            ("nobody_forgotten", "it waits for do and nothing wakes it"),
        ),
        (
            completed,
            {"legality", "chain"},
            (LINE.format("trigger = 'provider.paid'"), "Bob"),
            (
                "legality",
                "EXECUTING → SUCCEEDED by provider.paid is no legal move",
            ),
        ),
        (
            turned_back,
            {"legality", "chain"},
            (OWN.format("trigger = 'order.completed'"), "order.reversing"),
            (
                "legality",
                "ACTIVE → REVERSING by order.completed is no legal move",
            ),
        ),
    ],
)
async def test_what_another_hand_has_changed_of_it_is_named(
    day, invariants, statement, what, house, helpers, verified, database_url
):
    await day(house, helpers)
    if day is not on_its_way:
        await house.rest()

    corrupt(database_url, (UNCHECKED,), statement)
    answer, found = verified()

    assert answer.code == 1
    assert {invariant for invariant, _ in found} == invariants, found
    invariant, said = what
    assert any(i == invariant and w.endswith(said) for i, w in found), found


def test_an_order_that_waits_to_be_loaded_says_nothing_unknown():
    known = known_words(RULES)

    for wait in (EngineWait.LOAD, EngineWait.NOTIFICATION):
        row = {"kind": "withdrawal", "flow_version": 1, "state": "ACTIVE", "tasks": []}
        assert [*unknown_words(row | {"waiting_for": wait.value}, known)] == []
