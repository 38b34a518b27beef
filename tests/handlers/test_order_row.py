"""What an order holds for any flow: no money, a load, results, one key at a time."""

import asyncio
from collections import Counter, defaultdict
from dataclasses import replace as changed
from datetime import timedelta
from typing import Any

import orjson
import psycopg
import pytest

from fsm.domain.audit_keys import UNKEYED
from fsm.domain.binding import RESULT, hash_of_result
from fsm.domain.errors import BrokenInvariant, InvalidRequest, NotNow, StoreUnavailable
from fsm.domain.ids import new_id
from fsm.domain.orders import Order, money_for
from fsm.engine.flow import StepSpec
from fsm.engine.loading import (
    LOAD_POSTPONED,
)
from fsm.engine.records import replace
from fsm.engine.steps import Event, QueueChange, Step
from fsm.engine.words import WITHOUT_MONEY, EngineWait, Kind, OrderState
from fsm.flows import RULES
from fsm.legal_lines import lines_of
from fsm.tampering import tampered
from handlers.cancel import request_cancel_of_order, request_cancel_of_task
from handlers.commit import Limits
from handlers.erase import erase
from handlers.flow import Loaded, LoadLater, NotLoaded
from handlers.flows import FLOWS
from handlers.load import load
from handlers.ports.store import StepWrite
from handlers.sound import looked_over
from handlers.work import no_wakeups, work_of
from payment_service.cli.snapshot import Snapshot
from payment_service.observability.measured import StepWatch
from payment_service.observability.metrics import Metrics
from payment_service.playground.memory.world import a_request
from payment_service.storage.gauges import standing
from payment_service.wire.views import order_view
from tests.fsm.memberships import (
    ANSWERED,
    CHORE,
    MEMBERSHIPS,
    Chore,
    ChoreWait,
    a_membership,
    tasks_of,
)
from tests.storage.builders import a_case, a_forced_work
from tests.world.stores import url_of, world_on

HOUSE: Any = RULES
HANDLED: Any = FLOWS
FOUND = {"customer": {"name": "Ann", "since": 1.0, "share": 0.1}, "big": 2**70}
KEPT = {"customer": {"name": "Ann", "since": 1, "share": 0.1}, "big": str(2**70)}


class Club:
    """Implements ``FlowHandlers`` for memberships: loads, then has chores done."""

    def __init__(self) -> None:
        self.flow = MEMBERSHIPS
        self.away = 0
        self.loads = 0
        self.finds: Loaded | NotLoaded | LoadLater = Loaded(FOUND)
        self.meanwhile: Any = None
        self.said: dict[str, Event] = {}
        self.saw: list[object] = []
        self.asked: Counter[str] = Counter()
        self.began: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.slow: dict[str, asyncio.Event] = {}

    async def is_asked(self, name):
        """Return once somebody is at work on a chore."""
        await asyncio.wait_for(self.began[name].wait(), 60)

    def open(self, request, queue_id, now):
        del request
        tasks = tasks_of(queue_id, now)[: 4 if len(self.flow.steps) > 1 else 1]
        waits = {"waiting_for": EngineWait.TURN, "wake_at": None}
        return tuple(
            replace(t, task_id=new_id(now), **(waits if self.flow.loads else {}))
            for t in tasks
        )

    def terms(self, task, *, ports):
        del task, ports

    async def load(self, order, *, ports):
        self.loads += 1
        if self.meanwhile is not None:
            await self.meanwhile(order, ports)
        if self.away:
            self.away -= 1
            raise StoreUnavailable("the items are away")
        return self.finds

    async def call(self, order: Order, task, *, ports, claims) -> Event:
        del ports, claims
        self.saw.append(order.loaded)
        self.asked[task.name] += 1
        self.began[task.name].set()
        if task.name in self.slow:
            await self.slow[task.name].wait()
        if task.waiting_for is ChoreWait.UNDO:
            return Event(trigger=Chore.UNDONE)
        return self.said.get(task.name, Event(trigger=Chore.DONE))

    async def give_up(self, order, task, *, ports):
        raise NotImplementedError

    def heard(self, webhook, order):
        del webhook, order


@pytest.fixture
def club(monkeypatch):
    """Give a club, with its flow among those that the service has."""
    club = Club()
    monkeypatch.setitem(HOUSE.lifecycles, CHORE.name, CHORE)
    use(monkeypatch, club, MEMBERSHIPS)
    return club


def use(monkeypatch, club, flow):
    club.flow = flow
    monkeypatch.setitem(HOUSE.flows, (flow.kind, flow.version), flow)
    monkeypatch.setitem(HANDLED, (flow.kind, flow.version), club)


@pytest.fixture(params=["memory", "postgres"])
async def house(request, club):
    """Give a world whose orders are memberships."""
    del club
    url = url_of(request)
    async with world_on(url) as world:
        if url is not None:
            world.url = url  # type: ignore[attr-defined]
        yield world


async def the_order(house):
    (order,) = await house.rows.orders()
    return order


def told_core(house):
    """Return the body of the one notification that core had."""
    (notice,) = house.core.notices
    return notice.body


# What is loaded.


async def test_what_its_steps_need_is_loaded_once_and_read_with_the_order(house, club):
    await house.submit(a_membership())
    await house.rest()

    order = await the_order(house)
    assert (order.queue.state, club.loads) == (OrderState.COMPLETED, 1)
    assert club.saw == [KEPT] * 3
    assert order.loaded == KEPT


async def test_no_step_begins_before_all_of_it_is_there(house, club):
    club.away = 3
    await house.submit(a_membership())
    order = await the_order(house)
    assert (order.queue.waiting_for, order.loaded) == (EngineWait.LOAD, None)

    await house.rest(within=timedelta(days=1))

    assert (await the_order(house)).queue.state is OrderState.COMPLETED
    assert (club.loads, club.asked) == (4, {"Ann": 1, "Bob": 1, "Dee": 1})


async def test_an_order_whose_steps_can_never_have_it_fails_with_the_reason(
    house, club
):
    club.finds = NotLoaded("no_such_item", "item 7 is unknown")
    await house.submit(a_membership())
    await house.rest()

    order = await the_order(house)
    assert (order.queue.state, order.loaded) == (OrderState.FAILED, None)
    assert (club.loads, club.asked) == (1, {})
    assert told_core(house)["code"] == "no_such_item"


async def test_what_somebody_is_away_for_is_asked_again_when_its_row_says(house, club):
    club.finds = LoadLater("the items are away", timedelta(minutes=5))
    await house.submit(a_membership())
    await house.work_off()

    queue = (await the_order(house)).queue
    assert (queue.waiting_for, queue.tries, queue.version) == (EngineWait.LOAD, 1, 2)
    assert queue.wake_at == house.clock.now() + timedelta(minutes=5)
    await house.pass_time(timedelta(minutes=4))
    await house.work_off()
    assert club.loads == 1

    club.finds = Loaded(FOUND)
    await house.pass_time(timedelta(minutes=1, seconds=1))
    await house.work_off()
    # No sweeper has been: it is woken by a timer of its own.
    assert club.loads == 2
    await house.rest()
    order = await the_order(house)
    assert (order.queue.state, order.loaded) == (OrderState.COMPLETED, KEPT)
    assert (club.loads, order.queue.tries) == (2, 0)
    own = [x for x in await house.rows.trail() if x.entity_id == order.queue_id]
    (postponed,) = [line for line in own if line.trigger == LOAD_POSTPONED]
    assert postponed.detail["message"] == "the items are away"
    moves = {(line.trigger, line.source, line.target) for line in own}
    assert moves <= lines_of(MEMBERSHIPS)


async def test_of_two_that_hear_that_somebody_is_away_one_counts(house, club):
    async def another(order, ports):
        club.meanwhile = None
        await load(order, ports=ports, wakeups=no_wakeups)

    club.meanwhile = another
    club.finds = LoadLater("the items are away", timedelta(minutes=5))
    await house.submit(a_membership())
    await house.work_off()

    queue = (await the_order(house)).queue
    assert (club.loads, queue.tries, queue.version) == (2, 1, 2)


async def test_what_is_nobodys_failure_is_not_counted(house, club):
    club.finds = LoadLater("no descriptors", timedelta(minutes=5), counts=False)
    await house.submit(a_membership())
    await house.work_off()

    queue = (await the_order(house)).queue
    assert (club.loads, queue.tries, queue.version) == (1, 0, 2)


async def test_a_cancellation_while_it_is_loaded_holds(house, club):
    async def give_up(order, ports):
        await request_cancel_of_order(order, "no", actor="key:anna", ports=ports)

    club.meanwhile = give_up
    await house.submit(a_membership())
    await house.rest()

    order = await the_order(house)
    assert (order.queue.state, order.loaded) == (OrderState.CANCELLED, None)
    assert club.asked == {}


async def test_an_attempt_that_is_given_up_meanwhile_begins_no_other(house, club):
    async def give_up(order, ports):
        task_id = order.queue.tasks[1].task_id
        await request_cancel_of_task(task_id, "no", actor="key:anna", ports=ports)
        waits.extend(t.waiting_for for t in (await the_order(house)).queue.tasks)

    waits: list[object] = []
    club.meanwhile = give_up
    await house.submit(a_membership())
    await house.rest()

    assert (await the_order(house)).queue.state is OrderState.COMPLETED
    assert waits == [EngineWait.TURN, None, EngineWait.TURN, EngineWait.TURN]
    assert club.asked == {"Ann": 1, "Cy": 1, "Dee": 1}
    assert club.saw == [KEPT] * 3


def with_load(order: Order, loaded: bytes | None) -> StepWrite:
    """Return a step that no rule would make, of the order's own row."""
    after = replace(order.queue, version=order.queue.version + 1, loaded=loaded)
    change = QueueChange(
        before=order.queue, after=after, trigger="x", actor="system", detail={}
    )
    step = Step(changes=(), queue=change, announcements=(), cases=(), after=after)
    return work_of(order, step, order.created_at, webhooks={})


async def test_it_is_written_once_and_at_its_stage_alone(house, club):
    await house.submit(a_membership())
    await house.rest()
    order = await the_order(house)

    if hasattr(house, "url"):
        # What is there already is not even sent.
        with pytest.raises(psycopg.IntegrityError, match="person_is_fixed"):
            await execute(house.url, "UPDATE order_queues SET loaded = '{}'")
    else:
        with pytest.raises(BrokenInvariant, match="person_is_fixed"):
            await house.rows.store.record(with_load(order, b"{}"))

    club.flow = changed(MEMBERSHIPS, loads=False)
    await house.submit(a_membership("l-2"))
    late = next(o for o in await house.rows.orders() if o.order_id == "l-2")
    with pytest.raises(BrokenInvariant, match="loaded_at_its_stage"):
        await house.rows.store.record(with_load(late, b"{}"))


async def test_it_goes_with_all_else_that_is_personal(house):
    await house.submit(a_membership())
    await house.rest()

    await erase(
        await the_order(house),
        reason="asked",
        actor="key:anna",
        ports=house.ports,
        operator_store=house.rows.operator_store,
    )

    erased = await the_order(house)
    assert erased.loaded is None
    assert (await looked_over(erased, house.ports)).sound


async def test_what_people_do_about_an_order_leaves_it_sealed(house):
    await house.submit(a_membership())
    await house.rest()
    order = await the_order(house)
    await house.rows.store.open_case(order, a_case(order), house.clock.now())
    (case,) = await house.rows.cases()

    await house.rows.operator_store.assign_case(
        case.id, owner="ann", actor="key:anna", reason="hers", at=house.clock.now()
    )

    after = await the_order(house)
    assert (after.queue.version, after.loaded) == (order.queue.version + 1, KEPT)
    assert (await looked_over(after, house.ports)).sound


async def execute(url, statement):
    connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
    async with connection:
        await connection.execute(statement)


def offences(url):
    """Return what ``verify`` finds of another hand's."""
    with Snapshot(url, UNKEYED) as snapshot:
        at = snapshot.facts().taken_at
        wholes = [*snapshot.wholes()]
    return [
        offence.what
        for whole in wholes
        for offence in tampered(
            whole.order, whole.tasks, whole.trails, UNKEYED, as_of=at, cases=()
        )
    ]


UNGUARDED = "SET session_replication_role = replica; UPDATE order_queues SET loaded = "


@pytest.mark.parametrize("house", ["postgres"], indirect=True)
@pytest.mark.parametrize("loaded", ["""'{"customer": {"name": "Eve"}}'""", "NULL"])
async def test_another_load_is_found_before_the_next_step(house, club, loaded):
    club.said["Ann"] = Event(trigger=Chore.REFUSED)
    club.slow["Ann"] = asyncio.Event()
    await house.submit(a_membership())
    work = asyncio.create_task(house.rest())
    await club.is_asked("Ann")
    work.cancel()
    assert offences(house.url) == []

    await execute(house.url, UNGUARDED + loaded)
    before = club.asked.copy()
    club.slow["Ann"].set()
    await house.pass_time(timedelta(hours=1))
    await house.work_off()

    assert club.asked == before
    assert [case.kind for case in await house.rows.cases()] == ["tampered"]
    assert "what was loaded for it is not what its trail says" in offences(house.url)
    assert "its row is not as its last step has left it" in offences(house.url)


# What its steps came to.


async def a_washed(house, club):
    """Give an order whose first two steps came to something, and the last is asked."""
    club.said["Ann"] = Event(trigger=Chore.DONE, result=FOUND)
    club.said["Bob"] = Event(trigger=Chore.DONE, result={})
    club.slow["Dee"] = asyncio.Event()
    await house.submit(a_membership())
    work = asyncio.create_task(house.rest())
    await club.is_asked("Dee")
    work.cancel()
    return await the_order(house)


def results_of(order):
    return {
        task.name: orjson.loads(task.result)
        for task in order.queue.tasks
        if task.result is not None
    }


async def test_what_a_step_came_to_is_read_with_its_order(house, club):
    order = await a_washed(house, club)

    assert results_of(order) == {"Ann": KEPT, "Bob": {}}
    assert (await looked_over(order, house.ports)).sound


async def test_a_hash_of_what_it_came_to_stands_in_the_line_that_says_so(house, club):
    order = await a_washed(house, club)

    lines = [x for x in await house.rows.trail() if RESULT in x.detail]
    assert [(x.task_id, x.trigger) for x in lines] == [
        (task.task_id, "chore.done") for task in order.queue.tasks[:2]
    ]
    for line, task in zip(lines, order.queue.tasks, strict=False):
        assert line.detail[RESULT] == task.result_hash
        assert task.result_hash == hash_of_result(
            task.task_id, task.result, order.signature.key_id, UNKEYED
        )
    assert "Ann" not in str([line.detail for line in lines])


async def test_what_is_undone_has_come_to_something_all_the_same(house, club):
    club.said["Ann"] = Event(trigger=Chore.DONE, result=FOUND)
    club.said |= dict.fromkeys(["Bob", "Cy"], Event(trigger=Chore.REFUSED))
    await house.submit(a_membership())
    await house.rest()

    order = await the_order(house)
    assert order.queue.tasks[0].state == "REVERSED"
    assert results_of(order) == {"Ann": KEPT}
    if hasattr(house, "url"):
        assert offences(house.url) == []


async def test_a_second_result_is_refused(house, club):
    order = await a_washed(house, club)

    for instead in (b'{"decision":"allow"}', None):
        work = a_forced_work(order, result=instead)
        with pytest.raises(BrokenInvariant, match="pk_order_task_results"):
            await house.rows.store.record(work)

    assert results_of(await the_order(house)) == {"Ann": KEPT, "Bob": {}}


async def test_results_go_with_all_else_that_is_personal_and_their_hashes_stay(
    house, club
):
    before = await a_washed(house, club)
    club.slow["Dee"].set()
    await house.rest(within=timedelta(days=1))

    await erase(
        await the_order(house),
        reason="asked",
        actor="key:anna",
        ports=house.ports,
        operator_store=house.rows.operator_store,
    )

    erased = await the_order(house)
    assert results_of(erased) == {}
    assert [task.result_hash for task in erased.queue.tasks] == [
        task.result_hash for task in before.queue.tasks
    ]
    assert (await looked_over(erased, house.ports)).sound
    if hasattr(house, "url"):
        assert offences(house.url) == []
        await execute(house.url, REPLICA + EVIL)
        assert CAME_TO in offences(house.url)


REPLICA = "SET session_replication_role = replica;"
EVIL = """UPDATE order_task_results SET result = '{"decision": "allow"}'"""
CAME_TO = "what its step came to is not what its trail says"
OTHERWISE = {
    "changed": EVIL,
    "emptied": "UPDATE order_task_results SET result = NULL",
    "hashed": "UPDATE order_task_results SET result_hash = 'x'",
    "missing": "DELETE FROM order_task_results",
    "planted": """INSERT INTO order_task_results SELECT queue_id, task_id, 'x', '{}'
        FROM order_tasks WHERE name = 'Dee'""",
}


@pytest.mark.parametrize("house", ["postgres"], indirect=True)
@pytest.mark.parametrize("change", OTHERWISE.values(), ids=OTHERWISE)
async def test_another_result_is_found_before_the_next_step(house, club, change):
    await a_washed(house, club)
    assert offences(house.url) == []

    await execute(house.url, REPLICA + change)
    before = club.asked.copy()
    club.slow["Dee"].set()
    await house.pass_time(timedelta(hours=1))
    await house.work_off()

    assert club.asked == before
    assert [case.kind for case in await house.rows.cases()] == ["tampered"]
    assert CAME_TO in offences(house.url)


@pytest.mark.parametrize("house", ["postgres"], indirect=True)
async def test_a_result_of_no_task_of_its_order_is_found(house, club):
    await a_washed(house, club)
    await execute(
        house.url,
        "INSERT INTO order_task_results SELECT gen_random_uuid(), task_id, 'x', '{}' "
        "FROM order_tasks WHERE name = 'Dee'",
    )

    with Snapshot(house.url, UNKEYED) as snapshot:
        (found,) = snapshot.homeless()
    assert found[2] == "what it came to is kept, and it can have come to nothing"


# One key at a time.


async def test_a_key_that_is_taken_names_the_order_that_has_it(house):
    first = await house.submit(a_membership("l-1"))
    second = await house.submit(a_membership("l-2", merchant_id="m-2"))
    other = await house.submit(a_membership("l-3", card="c-2"))

    assert (first.status, other.status) == ("accepted", "accepted")
    assert second == replace(first, status="duplicate")
    assert sorted(o.order_id for o in await house.rows.orders()) == ["l-1", "l-3"]


async def test_a_key_is_free_again_once_its_order_has_its_outcome(house):
    first = await house.submit(a_membership("l-1"))
    await house.rest()

    second = await house.submit(a_membership("l-2"))

    assert (second.status, second.order_id) == ("accepted", "l-2")
    again = await house.submit(a_membership("l-1"))
    assert again == replace(first, status="duplicate")


async def test_of_two_who_want_a_key_at_once_one_has_it(house):
    wanted = [a_membership(f"l-{n}") for n in range(20)]

    answers = await asyncio.gather(*map(house.submit, wanted))

    (order,) = await house.rows.orders()
    assert sorted(a.status for a in answers) == ["accepted", *["duplicate"] * 19]
    assert {(a.order_id, a.queue_id) for a in answers} == {
        (order.order_id, order.queue_id)
    }


def test_a_request_that_says_nothing_there_is_refused():
    request = changed(a_membership(), details={"card": {}})

    with pytest.raises(InvalidRequest, match=r"details\.card\.token: is missing"):
        request.exclusive_key(MEMBERSHIPS.exclusive)


# No money.


async def test_an_order_without_money_is_stored_shown_and_counted(house):
    metrics = Metrics()
    watch, seen = StepWatch(metrics), list[Step]()

    def recorded(work):
        watch.recorded(work)
        seen.append(work.step)
        house.probe.on_recorded.append(recorded)

    house.probe.on_recorded.append(recorded)
    await house.submit(a_membership())
    await house.rest()

    order = await the_order(house)
    view = order_view(order)
    assert (order.money, view["amount"], view["currency"]) == (None, None, None)
    assert {"amount", "currency"}.isdisjoint(told_core(house))
    counted = metrics.orders.labels("partner_link", "completed")
    assert (len(seen) > 3, counted._value.get()) == (True, 1)
    if hasattr(house, "url"):
        assert offences(house.url) == []
        assert (await standing(house.rows.database)).money_at_risk == []


async def test_a_case_about_an_order_without_money_puts_none_at_risk(house):
    await house.submit(a_membership())
    order = await the_order(house)
    await house.rows.store.open_case(order, a_case(order), house.clock.now())

    (case,) = await house.rows.cases()
    assert (case.money_at_risk, case.currency) == (0, None)
    if hasattr(house, "url"):
        backlog = await standing(house.rows.database)
        assert backlog.cases_open == [("contradiction", 1)]
        assert backlog.cases_money_at_risk == []


def test_a_withdrawal_without_money_is_refused():
    for amount, currency in ((None, None), (None, "EUR"), (1, None)):
        with pytest.raises(ValueError, match="a withdrawal has an amount"):
            money_for(Kind.WITHDRAWAL, amount, currency)
    with pytest.raises(ValueError, match="a withdrawal has an amount"):
        changed(a_request(), money=None)
    assert set(Kind) - WITHOUT_MONEY == {Kind.WITHDRAWAL, Kind.CHECKOUT}


# How it ends.


async def test_a_flow_says_what_its_orders_end_with(house, club, monkeypatch):
    use(monkeypatch, club, ANSWERED)
    club.said["Ann"] = Event(trigger=Chore.REFUSED, code="not_eligible")
    await house.submit(a_membership())
    await house.rest()

    order = await the_order(house)
    notice = told_core(house)
    assert order.queue.state is OrderState.COMPLETED
    assert (notice["type"], notice["code"], notice["result"]) == (
        "partner_link.completed",
        "not_eligible",
        "not_eligible",
    )
    assert notice["task_id"] == order.queue.tasks[0].task_id


RETURNLESS = changed(
    MEMBERSHIPS,
    loads=False,
    steps=(
        *MEMBERSHIPS.steps[:2],
        StepSpec(
            name="cook",
            lifecycle="chore",
            after=("wash", "shop"),
            point_of_no_return=True,
        ),
    ),
)


async def cancelled_at_the_end(house, club, answer):
    """Have an order given up while its last step is under way."""
    club.said["Dee"] = answer
    club.slow["Dee"] = asyncio.Event()
    await house.submit(a_membership())
    work = asyncio.create_task(house.rest())
    await club.is_asked("Dee")
    await house.cancel_order()
    state = (await the_order(house)).queue.state
    club.slow["Dee"].set()
    await work
    return state


async def test_there_is_no_return_once_the_last_step_is_won(house, club, monkeypatch):
    use(monkeypatch, club, RETURNLESS)
    done = Event(trigger=Chore.DONE)

    assert await cancelled_at_the_end(house, club, done) is OrderState.ACTIVE

    order = await the_order(house)
    assert order.queue.state is OrderState.COMPLETED
    assert "undo" not in {task.waiting_for for task in order.queue.tasks}
    with pytest.raises(NotNow, match="there is no return once 'cook' is done"):
        await house.cancel_order()


async def test_an_order_turns_back_where_its_point_of_no_return_is_lost(
    house, club, monkeypatch
):
    use(monkeypatch, club, RETURNLESS)
    refused = Event(trigger=Chore.REFUSED)

    assert await cancelled_at_the_end(house, club, refused) is OrderState.ACTIVE

    order = await the_order(house)
    assert order.queue.state is OrderState.CANCELLED
    assert [task.state for task in order.queue.tasks] == [
        "REVERSED",
        "SUCCEEDED",
        "SKIPPED",
        "SKIPPED",
    ]


# A long chain.


async def test_a_chain_that_hands_on_rings_for_none_that_others_are_at_work_on(
    house, club, monkeypatch
):
    use(monkeypatch, club, changed(MEMBERSHIPS, loads=False))
    house.limits = Limits(chain=timedelta(seconds=-1))
    woken = list[bool]()

    def recorded(work):
        moved = {change.after.task_id for change in work.step.changes}
        told = [orjson.loads(message.body) for message in work.messages]
        woken.extend(
            t["task_id"] in moved for t in told if {*t} >= {"task_id", "version"}
        )
        house.probe.on_recorded.append(recorded)

    house.probe.on_recorded.append(recorded)
    await house.submit(a_membership())
    await house.rest()

    assert (await the_order(house)).queue.state is OrderState.COMPLETED
    assert club.asked == dict.fromkeys(["Ann", "Bob", "Dee"], 1)
    assert {*woken} == {True}
