"""A flow that is none of ours runs on the engine as it is: see ``tests.fsm.chores``."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

import pytest

from fsm.domain.errors import StoreUnavailable, UnreadableRow
from fsm.domain.ids import new_id
from fsm.domain.orders import Order
from fsm.engine.flow import Rules
from fsm.engine.lifecycle import Lifecycle
from fsm.engine.records import replace
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.engine.table import Otherwise, Row
from fsm.engine.words import EngineWait, OrderState, State
from fsm.flows import RULES, WITHDRAWAL
from fsm.payout.lifecycle import PAYOUT
from handlers.flows import FLOWS
from handlers.ports.store import Unsent
from payment_service.playground.memory.clock import VirtualClock
from payment_service.storage.database import Database
from payment_service.storage.store import PostgresStore
from payment_service.storage.sweeps import PostgresSweeps
from tests.fsm.chores import CHORE, CHORES, Asks, Chore, ChoreWait, tasks_of
from tests.service.stage import a_withdrawal, staged
from tests.world.judged import World
from tests.world.postgres_rows import PostgresRows

HOUSE: Any = RULES
HANDLED: Any = FLOWS


class Says(StrEnum):
    """What a helper may say: what is said of all chores, and one word more."""

    DONE = Chore.DONE.value
    REFUSED = Chore.REFUSED.value
    UNDONE = Chore.UNDONE.value
    LATER = "chore.later"


@dataclass(frozen=True)
class Manners:
    """The terms of a helper: how long they are not to be asked again."""

    pause: timedelta = timedelta(0)


def _in_their_time(after, _task, event, terms: Manners, now):
    pause = terms.pause if event.trigger is Says.LATER else timedelta(0)
    return replace(after, wake_at=now + pause)


POLITE: Lifecycle[Manners] = Lifecycle(
    name=CHORE.name,
    waits=ChoreWait,
    triggers=Says,
    table=(
        *CHORE.table,
        Row(Says.LATER, State.PENDING, State.PENDING, ChoreWait.DO, Asks.DOING),
    ),
    otherwise={
        **CHORE.otherwise,
        **{(Says.LATER, state): Otherwise.KNOWN for state in State},
    },
    guards={
        Asks.NO_TURN: lambda f: f.task.waiting_for is EngineWait.TURN,
        Asks.DOING: lambda f: f.task.waiting_for is ChoreWait.DO,
    },
    due=dict.fromkeys(ChoreWait, _in_their_time),
)


@dataclass
class Helpers:
    """Implements ``FlowHandlers``: asks a helper to do a chore, or to undo it."""

    flow = CHORES

    refuse: set[str] = field(default_factory=set)
    away: Counter[str] = field(default_factory=Counter)
    busy: Counter[str] = field(default_factory=Counter)
    together: asyncio.Barrier | None = None
    did: list[str] = field(default_factory=list)
    manners: dict[str, Manners] = field(default_factory=dict)

    def open(self, request, queue_id, now):
        del request
        tasks = tasks_of(queue_id, now)
        return tuple(replace(task, task_id=new_id(now)) for task in tasks)

    def terms(self, task: Task, *, ports) -> Manners:
        del ports
        return self.manners.get(task.name or "", Manners())

    async def call(self, order: Order, task: Task, *, ports, claims) -> Event:
        del order, ports, claims
        name = task.name or ""
        if task.waiting_for is ChoreWait.UNDO:
            self.did.append(f"undo {name}")
            return Event(trigger=Chore.UNDONE)
        if self.together is not None and name in {"Ann", "Bob"}:
            await self.together.wait()
        if self.away[name]:
            self.away[name] -= 1
            raise StoreUnavailable(f"{name} is away")
        if self.busy[name]:
            self.busy[name] -= 1
            return Event(trigger=Says.LATER)
        self.did.append(name)
        return Event(trigger=Chore.REFUSED if name in self.refuse else Chore.DONE)

    async def give_up(self, order, task, *, ports):
        raise NotImplementedError

    def heard(self, webhook, order):
        del webhook, order


@pytest.fixture
def helpers(monkeypatch):
    """Give helpers, with their flow among those that the service has."""
    helpers = Helpers()
    key = (CHORES.kind, CHORES.version)
    monkeypatch.setitem(HOUSE.lifecycles, CHORE.name, POLITE)
    monkeypatch.setitem(HOUSE.flows, key, CHORES)
    monkeypatch.setitem(HANDLED, key, helpers)
    return helpers


@pytest.fixture(params=["memory", "postgres"])
async def house(request, helpers):
    """Give a world whose orders are chores."""
    del helpers
    if request.param == "memory":
        yield World()
        return
    clock, committed = VirtualClock(), list[Unsent]()
    url = request.getfixturevalue("database_url")
    rows = PostgresRows(url, clock, on_committed=committed.extend)
    await rows.open()
    world = World(clock=clock, rows=rows)
    world.committed = committed
    yield world
    await rows.close()


async def test_steps_that_wait_for_nothing_are_made_at_once(house, helpers):
    helpers.together = asyncio.Barrier(2)

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


async def test_who_is_away_is_asked_again_and_nobody_else_is(house, helpers):
    helpers.away["Bob"] = 3

    await house.request()
    await house.rest(within=timedelta(days=1))

    assert (await house.states())[-1] == OrderState.COMPLETED
    assert sorted(helpers.did) == ["Ann", "Bob", "Dee"]


async def test_a_chore_goes_by_terms_of_its_own(house, helpers):
    helpers.busy += Counter(Ann=2, Bob=1)
    helpers.manners["Ann"] = Manners(pause=timedelta(hours=3))

    await house.request()
    began = house.clock.now()
    await house.work_off()
    assert helpers.did == ["Bob"]

    await house.rest()
    assert helpers.did == ["Bob", "Ann", "Dee"]
    assert house.clock.now() - began >= timedelta(hours=6)


@pytest.fixture
async def older(database_url):
    """Give store and sweeps of a worker that knows no chores, on the same rows."""
    rules = Rules({PAYOUT.name: PAYOUT}, {(WITHDRAWAL.kind, 1): WITHDRAWAL})
    database = Database(database_url)
    await database.open()
    yield PostgresStore(database, rules=rules), PostgresSweeps(database, rules=rules)
    await database.close()


@pytest.mark.parametrize("house", ["postgres"], indirect=True)
async def test_a_worker_that_knows_no_chores_leaves_them_to_those_that_do(house, older):
    store, sweeps = older
    await house.submit()
    (order,) = await house.rows.orders()

    with pytest.raises(UnreadableRow, match="knows no lifecycle 'chore'"):
        await store.load(order.queue_id)
    assert await sweeps.overdue(grace=timedelta(days=-1), limit=9) == []

    await house.rest()
    assert (await house.states())[-1] == OrderState.COMPLETED


@pytest.fixture
async def stage(helpers, granted, nats_server, subject_prefix):
    """Give the real service, with its roles, on PostgreSQL and NATS."""
    del helpers
    async with staged(granted.service, nats_server.url, subject_prefix) as running:
        yield running


async def test_the_real_service_runs_it_on_postgresql_and_nats(helpers, stage):
    helpers.refuse = {"Bob"}
    await stage.ask(a_withdrawal("w-chores"))

    order = await stage.final("w-chores")

    assert order["state"] == OrderState.COMPLETED
    assert [task["state"] for task in order["tasks"]] == [
        State.SUCCEEDED,
        State.SKIPPED,
        State.SUCCEEDED,
        State.SUCCEEDED,
    ]
    assert sorted(helpers.did) == ["Ann", "Bob", "Cy", "Dee"]
