"""A flow that is none of ours runs on the engine as it is: see ``tests.fsm.chores``."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from fsm.domain.audit_keys import UNKEYED
from fsm.domain.errors import CannotStop, NotNow, UnknownWords
from fsm.domain.explain import explain
from fsm.domain.four_eyes import FourEyes
from fsm.domain.orders import Order
from fsm.domain.votes import Vote
from fsm.engine.flow import Rules
from fsm.engine.words import OrderState, State
from fsm.flows import RULES, WITHDRAWAL
from fsm.invariants import Line, order_offences, trail_of
from fsm.payout.lifecycle import PAYOUT
from handlers.cancel import cancel_known
from handlers.flows import FLOWS
from handlers.operations import Operations
from handlers.ports.reads import Search
from handlers.resolve import Ruling
from payment_service.playground.memory.clock import VirtualClock, run
from payment_service.playground.memory.effects import Effects, FailureForm, Strike
from payment_service.storage.database import Database
from payment_service.storage.gauges import standing
from payment_service.storage.reads import PostgresReads
from payment_service.storage.store import PostgresStore
from payment_service.storage.sweeps import PostgresSweeps
from tests.fsm.chores import CHORES, LIFECYCLES, Chores
from tests.service.stage import a_withdrawal, staged
from tests.world.as_rows import line_of, order_row, task_row
from tests.world.household import STANDS, Helpers, offences_at_rest, offences_of_rows
from tests.world.judged import World
from tests.world.stores import url_of, world_on

HOUSE: Any = RULES
AS_THEY_ARE = "SELECT wake_at, watch_at, redrives FROM order_tasks ORDER BY position"
HANDLED: Any = FLOWS
KEY = (CHORES.kind, CHORES.version)
NOBODY: Any = None
SAID = {"positive": "done", "negative": "not done"}


@pytest.fixture
def helped(monkeypatch):
    """Have chores among the flows that the service has, done by the helpers given."""
    for name, lifecycle in LIFECYCLES.items():
        monkeypatch.setitem(HOUSE.lifecycles, name, lifecycle)
    monkeypatch.setitem(HOUSE.flows, KEY, CHORES)

    def by(helpers):
        chores = Chores(helpers.ask, pauses=helpers.pauses)
        monkeypatch.setitem(HANDLED, KEY, chores)
        return helpers

    return by


@pytest.fixture
def helpers(helped):
    """Give the helpers who do all chores."""
    return helped(Helpers())


@pytest.fixture(params=["memory", "postgres"])
async def house(request, helpers):
    """Give a world whose orders are chores."""
    del helpers
    async with world_on(url_of(request)) as world:
        yield world


async def test_steps_that_wait_for_nothing_are_made_at_once(house, helpers):
    together = asyncio.Barrier(2)
    for name in ("Ann", "Bob"):
        helpers.effects.meanwhile(f"{name}.do", together.wait)

    await asyncio.wait_for(house.request(), 60)
    await house.rest()

    assert await house.states() == [
        "SUCCEEDED",
        "SUCCEEDED",
        "SKIPPED",
        "SUCCEEDED",
        "COMPLETED",
    ]
    assert helpers.did[-1] == "Dee"
    assert sorted(helpers.did) == ["Ann", "Bob", "Dee"]


async def test_what_was_done_is_undone_where_no_alternative_is_left(house, helpers):
    helpers.refuse = {"Bob", "Cy"}

    await house.request()
    await house.rest()

    assert sorted(helpers.did) == ["Ann", "Bob", "Cy", "undo Ann"]
    assert await house.states() == [
        "REVERSED",
        "SKIPPED",
        "SKIPPED",
        "SKIPPED",
        "FAILED",
    ]


async def test_who_does_not_answer_is_asked_again_and_nobody_else_is(house, helpers):
    helpers.unclear["do Ann"] = 3

    await house.request()
    await house.rest(within=timedelta(days=1))

    assert (await house.states())[-1] == OrderState.COMPLETED
    assert sorted(helpers.did) == ["Ann", "Bob", "Dee"]


async def test_a_chore_goes_by_terms_of_its_own(house, helpers):
    helpers.pauses["Ann"] = timedelta(hours=3)
    helpers.unclear["do Ann"] = helpers.unclear["do Bob"] = 1
    await house.request()
    began = house.clock.now()

    await house.rest(within=timedelta(hours=1))
    assert (await house.states())[:2] == ["EXECUTING", "SUCCEEDED"]

    await house.rest()
    assert (await house.states())[-1] == OrderState.COMPLETED
    assert house.clock.now() - began >= timedelta(hours=3)


async def test_who_never_answers_is_for_a_person_to_ask(house, helpers):
    helpers.unclear["do Bob"] = 9
    await house.request()
    await house.rest(within=timedelta(days=1))
    assert (await house.states())[1] == State.MANUAL_CHECK

    await house.decide(Ruling.POSITIVE)
    await house.rest()

    assert (await house.states())[-1] == OrderState.COMPLETED
    assert sorted(helpers.did) == ["Ann", "Bob", "Dee"]


@pytest.fixture
async def unanswered(house, helpers):
    """Give an order that waits for a person, and who can be asked what they decide."""
    helpers.unclear["do Bob"] = 9
    await house.request()
    await house.rest(within=timedelta(days=1))
    (task,) = [t for t in await house.tasks() if t.state is State.MANUAL_CHECK]

    async def two_decide():
        return FourEyes(1)

    people = Operations(
        ports=house.ports,
        operator_store=NOBODY,
        reads=NOBODY,
        controls=NOBODY,
        people=NOBODY,
        providers=(),
        four_eyes=two_decide,
    )

    async def decide(actor, decision, *, by_hand=False):
        return await people.resolve(
            task.task_id,
            decision=decision,
            reason="asked Bob",
            evidence="a receipt",
            actor=actor,
            person=None,
            by_hand=by_hand,
        )

    async def withdraw(actor):
        await people.withdraw_resolution(
            task.task_id, reason="misread", actor=actor, person=None
        )

    return decide, withdraw


ANNA, BERT = "key:anna", "key:bert"


@pytest.mark.parametrize(
    ("decision", "ends"),
    [("positive", ["SUCCEEDED", "SKIPPED"]), ("negative", ["FAILED", "SUCCEEDED"])],
)
async def test_two_persons_decide_about_a_chore(house, unanswered, decision, ends):
    decide, withdraw = unanswered
    assert await decide(ANNA, decision) is Vote.WAITS
    await withdraw(ANNA)
    assert await decide(ANNA, "positive") is Vote.WAITS
    assert await decide(BERT, "negative") is Vote.CLEARS
    assert (await house.states())[1] == State.MANUAL_CHECK

    assert await decide(ANNA, decision) is Vote.WAITS
    assert await decide(BERT, decision) is Vote.DECIDES
    await house.rest()

    assert await house.states() == ["SUCCEEDED", *ends, "SUCCEEDED", "COMPLETED"]
    order = await house.order()
    assert await offences_as_verified(order, house) == []
    asked_bob = explain(order, await house.rows.trail(), HOUSE)[1].because
    assert "the person took the vote back: misread" in asked_bob
    assert any(f"decided that it is {SAID[decision]}" in each for each in asked_bob)


async def test_a_chore_has_no_balance_to_settle_by_hand(house, unanswered):
    decide, _ = unanswered

    with pytest.raises(NotNow, match="has no balance at core"):
        await decide(ANNA, "positive", by_hand=True)

    assert (await house.states())[1] == State.MANUAL_CHECK


async def test_what_nobody_would_hear_of_a_task_is_refused(house, helpers):
    await house.submit()
    before = [(t.state, t.version) for t in await house.tasks()]

    with pytest.raises(CannotStop, match=r"EXECUTING.*cancel its order"):
        await house.cancel_task(1)

    order = await house.order()
    done = await cancel_known(
        order, "x", by="svc", task_id=order.queue.tasks[1].task_id, ports=house.ports
    )
    assert (done.what, "cancel its order" in done.because) == ("refused", True)
    assert [(t.state, t.version) for t in await house.tasks()] == before
    await house.cancel_task(2)
    await house.rest()
    assert helpers.did[-1] == "Dee"
    assert (await house.states())[2:] == ["CANCELLED", "SUCCEEDED", "COMPLETED"]


async def test_an_order_that_turns_back_is_not_given_up_as_well(house, helpers):
    helpers.refuse, helpers.unclear["undo Ann"] = {"Bob", "Cy"}, 9
    await house.submit()
    await house.rest(within=timedelta(seconds=5))
    assert (await house.states())[-1] == OrderState.REVERSING

    with pytest.raises(CannotStop, match="turns back already"):
        await house.cancel_order()

    await house.rest()
    assert (await house.states())[-1] == OrderState.FAILED


async def test_a_wish_that_is_kept_may_be_said_again(house, helpers):
    helpers.unclear["do Ann"] = helpers.unclear["do Bob"] = 9
    await house.submit()
    await house.cancel_order()
    given_up = await house.order()

    await house.cancel_order()

    assert (await house.order()).queue == given_up.queue
    await house.rest(within=timedelta(hours=1))
    await house.decide(Ruling.NEGATIVE)
    await house.rest()
    assert (await house.states())[-1] == OrderState.CANCELLED


@pytest.mark.parametrize("house", ["postgres"], indirect=True)
async def test_where_core_holds_nothing_no_money_is_at_risk(house):
    await house.submit()

    stands = await standing(house.rows.database)

    named = [(t.name, t.provider) for t in (await house.order()).queue.tasks]
    assert {provider for _, provider in named} == {""}
    assert sum(count for _, _, count in stands.tasks) == len(named)
    assert {name for _, name, _ in stands.tasks} == {name for name, _ in named}
    assert stands.money_at_risk == []


@pytest.mark.parametrize("house", ["postgres"], indirect=True)
async def test_what_a_person_has_to_decide_about_is_at_risk_once_an_order(
    house, helpers
):
    helpers.unclear["do Bob"] = 9
    await house.submit()
    await house.rest(within=timedelta(hours=1))
    order = await house.order()
    assert State.MANUAL_CHECK in {task.state for task in order.queue.tasks}

    stands = await standing(house.rows.database)

    amount, currency = order.money.amount, order.money.currency
    assert stands.money_at_risk == [("Bob", currency, amount)]


@pytest.fixture
async def older(database_url):
    """Give store and sweeps of a worker that knows no chores, on the same rows."""
    rules = Rules({PAYOUT.name: PAYOUT}, {(WITHDRAWAL.kind, 1): WITHDRAWAL})
    database = Database(database_url)
    await database.open()
    yield (
        PostgresStore(database, rules=rules),
        PostgresSweeps(database, rules=rules),
        PostgresReads(database, rules=rules),
    )
    await database.close()


@pytest.mark.parametrize("house", ["postgres"], indirect=True)
async def test_a_worker_that_knows_no_chores_leaves_them_to_those_that_do(house, older):
    store, sweeps, reads = older
    await house.submit()
    (order,) = await house.rows.orders()

    with pytest.raises(UnknownWords, match="no flow withdrawal@99, no lifecycle"):
        await store.load(order.queue_id)
    before = await house.rows.database.run(AS_THEY_ARE, {})
    assert await sweeps.overdue(grace=timedelta(days=-1), limit=9) == []
    assert await house.rows.database.run(AS_THEY_ARE, {}) == before

    page = await reads.search(Search(limit=9))
    assert (page.items, page.left_out) == ([], 1)
    await house.rest()
    assert (await house.states())[-1] == OrderState.COMPLETED


@pytest.fixture
async def stage(helpers, granted, nats_server, subject_prefix):
    """Give the real service, with its roles, on PostgreSQL and NATS."""
    del helpers
    given = (granted.service, nats_server.url, subject_prefix)
    # No document knows of chores.
    async with staged(*given, documented=False) as running:
        yield running


async def test_the_real_service_runs_it_on_postgresql_and_nats(helpers, stage):
    helpers.refuse = {"Bob"}
    await stage.ask(a_withdrawal("w-chores"))

    order = await stage.final("w-chores")

    assert order["state"] == OrderState.COMPLETED
    shown = await stage.order("w-chores")
    for each in (*order["tasks"], *shown["explanation"]):
        assert each["name"] in {"Ann", "Bob", "Cy", "Dee"}
        assert not {"provider", "terminal_id"} & each.keys()
    assert all("provider" not in event for event in stage.events)
    assert [task["state"] for task in order["tasks"]] == [
        State.SUCCEEDED,
        State.SKIPPED,
        State.SUCCEEDED,
        State.SUCCEEDED,
    ]
    assert sorted(helpers.did) == ["Ann", "Bob", "Cy", "Dee"]


async def test_two_persons_decide_about_a_chore_over_the_api(
    helpers, granted, nats_server, subject_prefix
):
    helpers.unclear["do Bob"], helpers.pauses["Bob"] = 9, timedelta(milliseconds=1)
    wish = {"decision": "positive", "reason": "asked Bob"}
    url = nats_server.url
    given = (granted.service, url, subject_prefix)
    async with staged(*given, four_eyes_from=1, documented=False) as stage:
        await stage.ask(a_withdrawal("w-checked"))
        task = await stage.task_in("w-checked", State.MANUAL_CHECK)
        path = f"/v1/tasks/{task['task_id']}/resolution"

        by_hand = await stage.call(
            "POST",
            path,
            role="support",
            body={**wish, "balance": "settled_by_hand", "evidence": "a receipt"},
        )
        given_up = await stage.call(
            "POST",
            f"/v1/tasks/{task['task_id']}/cancel",
            role="support",
            body={"reason": "too slow"},
        )
        votes = [
            await stage.call("POST", path, role=role, body=wish)
            for role in ("support", "support", "admin")
        ]

        order = await stage.final("w-checked")
    assert given_up[0] == by_hand[0] == 409
    assert "cannot be given up alone: cancel its order" in given_up[1]["detail"]
    assert "has no balance at core" in by_hand[1]["detail"]
    assert [status for status, _ in votes] == [202, 409, 200]
    assert order["state"] == OrderState.COMPLETED


# Every effect goes wrong once, in every way, as it does for withdrawals.


async def nothing_else(world: World) -> None:
    pass


async def is_given_up(world: World) -> None:
    await world.cancel_order(insist=True)


async def loses_an_alternative(world: World) -> None:
    await world.cancel_task(2, insist=True)


async def loses_the_bus(world: World) -> None:
    world.bus.wipe()


@dataclass(frozen=True, slots=True)
class Day:
    """Who refuses, keeps, does not answer; and what happens after the first calls."""

    refuse: frozenset[str] = frozenset()
    keep: frozenset[str] = frozenset()
    unclear: tuple[tuple[str, int], ...] = ()
    then: Callable[[World], Awaitable[None]] = nothing_else


NOBODY_SHOPS = frozenset({"Bob", "Cy"})
DAYS = {
    "all is done": Day(),
    "the next helper shops": Day(frozenset({"Bob"})),
    "nobody shops": Day(NOBODY_SHOPS),
    "nobody shops, and it stays washed": Day(NOBODY_SHOPS, frozenset({"Ann"})),
    "nobody cooks": Day(frozenset({"Dee"})),
    "nobody washes": Day(frozenset({"Ann"})),
    "nobody hears of the washing": Day(NOBODY_SHOPS, unclear=(("do Ann", 4),)),
    "nobody hears of the shopping": Day(unclear=(("do Bob", 9),)),
    "given up": Day(then=is_given_up),
    "given up while Ann is asked": Day(unclear=(("do Ann", 2),), then=is_given_up),
    "one alternative given up": Day(
        frozenset({"Bob"}), unclear=(("do Bob", 1),), then=loses_an_alternative
    ),
    "bus lost": Day(unclear=(("do Bob", 1),), then=loses_the_bus),
}


async def offences_as_verified(order: Order, world: World) -> list[str]:
    """Judge rows and trails as `verify` does."""
    lines = defaultdict[str, list[Line]](list)
    for line in await world.rows.trail():
        lines[line.entity_id].append(line_of(line))
    trails = {entity: trail_of(its, UNKEYED) for entity, its in lines.items()}
    tasks = [task_row(task) for task in order.queue.tasks]
    found = order_offences(order_row(order), tasks, trails)
    return [f"{each.invariant}: {each.what}" for each in found]


async def played(day: Day, world: World, helpers: Helpers) -> list[str]:
    """Play a day to its end, whatever goes wrong; return what is wrong then."""
    await world.submit()
    await world.work_off()
    await day.then(world)
    await world.rest()
    for task in await world.tasks():
        if task.state is State.MANUAL_CHECK:
            stands = helpers.books.get(task.task_id) in STANDS
            ruling = Ruling.POSITIVE if stands else Ruling.NEGATIVE
            await world.decide_task(task.task_id, ruling, insist=True)
    await world.rest()
    order = await world.order()
    books = helpers.of(order.queue)
    wrong = [*offences_of_rows(order.queue, books)]
    wrong += offences_at_rest(CHORES, order.queue, books)
    wrong += await offences_as_verified(order, world)
    told = {str(notice.body["type"]) for notice in world.core.notices}
    if told != {f"withdrawal.{order.queue.state.lower()}"}:
        wrong.append(f"core was told {told} of an order that is {order.queue.state}")
    return wrong


def play(day, helped, *strikes):
    clock, effects = VirtualClock(), Effects(*strikes)
    helpers = helped(Helpers(effects))
    helpers.refuse, helpers.keep = {*day.refuse}, {*day.keep}
    helpers.unclear.update(dict(day.unclear))
    world = World(clock=clock, effects=effects)
    return run(played(day, world, helpers), clock=clock, seed=1), world


@pytest.mark.parametrize("name", DAYS)
def test_whatever_goes_wrong_each_step_is_done_once_or_undone(name, helped):
    wrong, clean = play(DAYS[name], helped)
    assert wrong == []

    offences = {}
    for at in range(1, len(clean.effects.log) + 1):
        for form in FailureForm:
            wrong, world = play(DAYS[name], helped, Strike(at, form))
            if wrong:
                offences[f"{at}. {world.effects.struck}"] = wrong

    assert len(clean.effects.log) >= 9
    assert offences == {}
