"""What readers find: orders, trails, cases and letters, page by page."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import pairwise

import pytest

from fsm.domain.errors import (
    AmbiguousOrder,
    InvalidRequest,
    NotNow,
    UnknownOrder,
)
from fsm.engine.words import CaseState, Kind, OrderState, State
from fsm.payout.words import Trigger
from handlers.ports.reads import CaseSearch, Search
from payment_service.playground.memory.clock import START
from payment_service.storage.database import Database
from payment_service.storage.reads import CANDIDATES_MAX
from payment_service.storage.store import PostgresStore
from tests.storage.builders import (
    FAILED,
    LIVE,
    a_cancel,
    a_case,
    a_forced_work,
    a_letter,
    a_new_order,
    a_work,
)

NOBODY = "0195f1de-0000-7000-8000-000000000000"
MINUTE = timedelta(minutes=1)
SAID = {"actor": "key:a", "reason": "x", "at": START}


@pytest.fixture
def reads(postgres):
    return postgres.reads


async def stored(postgres, *cascade, n=0, **changes):
    """Store an order of the n-th minute and return it."""
    new = a_new_order(*cascade, order_id=f"w-{n}", now=START + n * MINUTE, **changes)
    await postgres.store.submit(new)
    return new.order


async def test_an_order_is_found_by_either_id(postgres, reads):
    order = await stored(postgres)

    assert await reads.find("w-0") == order
    assert await reads.find(order.queue_id) == order


@pytest.mark.parametrize("asked", ["w-1", NOBODY, "", "w-0' OR true", "W-0"])
async def test_what_is_not_there_is_unknown(postgres, reads, asked):
    await stored(postgres)

    with pytest.raises(UnknownOrder):
        await reads.find(asked)


async def test_an_id_of_two_merchants_is_ambiguous(postgres, reads):
    one = await stored(postgres, merchant_id="m-1")
    two = await stored(postgres, merchant_id="m-2")

    with pytest.raises(AmbiguousOrder) as refused:
        await reads.find("w-0")

    assert sorted(refused.value.candidates, key=lambda c: c["merchant_id"]) == [
        {
            "queue_id": order.queue_id,
            "order_id": "w-0",
            "merchant_id": order.merchant_id,
            "kind": "withdrawal",
        }
        for order in (one, two)
    ]
    assert await reads.find(two.queue_id) == two


async def test_search_gives_all_newest_first(postgres, reads):
    orders = [await stored(postgres, n=n) for n in range(3)]

    page = await reads.search(Search())

    assert page.items == orders[::-1]
    assert page.next_cursor is None


async def test_the_histories_of_several_orders_are_each_as_their_own(postgres, reads):
    orders = [await stored(postgres, n=n) for n in range(3)]
    work = a_work(orders[1], Trigger.FREEZE_CONFIRMED)
    await postgres.store.record(work)
    wanted = [order.queue_id for order in orders[:2]]

    found = await reads.histories([*wanted, NOBODY])

    assert found == {
        NOBODY: [],
        **{queue_id: await reads.events(queue_id) for queue_id in wanted},
    }
    assert len(found[wanted[1]]) > len(found[wanted[0]]) > 0


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6])
async def test_pages_give_every_order_once(postgres, reads, limit):
    orders = [await stored(postgres, n=n) for n in range(5)]

    found, cursor = [], None
    for _ in range(10):
        page = await reads.search(Search(limit=limit, cursor=cursor))
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            break

    assert found == orders[::-1]


FILTERS = [
    (Search(merchant_id="m-2"), {1}),
    (Search(customer_id="c-9"), {0, 1, 2, 3}),
    (Search(customer_id="c-8"), set()),
    (Search(kind=Kind.WITHDRAWAL), {0, 1, 2, 3}),
    (Search(state=OrderState.ACTIVE), {0, 1, 3}),
    (Search(state=OrderState.FAILED), {2}),
    (Search(task_state=State.EXECUTING), {3}),
    (Search(provider="zeta"), {0, 1, 2}),
    (Search(provider="acme", task_state=State.PENDING), {0, 1}),
    (Search(provider="acme", task_state=State.FAILED), {2}),
    (Search(since=START + MINUTE), {1, 2, 3}),
    (Search(until=START + MINUTE), {0}),
    (Search(since=START + MINUTE, until=START + 3 * MINUTE), {1, 2}),
    (Search(merchant_id="m-1", provider="zeta", state=OrderState.FAILED), {2}),
]


@pytest.mark.parametrize(("search", "found"), FILTERS)
async def test_search_filters(postgres, reads, search, found):
    await stored(postgres, "acme", "zeta", n=0)
    await stored(postgres, "acme", "zeta", n=1, merchant_id="m-2")
    failed = await stored(postgres, "acme", "zeta", n=2)
    live = await stored(postgres, "acme", n=3)
    work = a_forced_work(failed, queue={"state": "FAILED"}, **FAILED)
    await postgres.store.record(work)
    await postgres.store.record(a_forced_work(live, **LIVE))

    page = await reads.search(search)

    assert {int(order.order_id[2:]) for order in page.items} == found


async def test_search_asks_all_of_one_task(postgres, reads):
    order = await stored(postgres, "acme", "zeta")
    await postgres.store.record(a_forced_work(order, **LIVE))

    page = await reads.search(Search(provider="zeta", task_state=State.EXECUTING))

    assert page.items == []


@pytest.mark.parametrize("ask", ["search", "cases", "dead_letters"])
async def test_a_cursor_from_elsewhere_is_refused(reads, ask):
    asks = {
        "search": lambda: reads.search(Search(cursor="7")),
        "cases": lambda: reads.cases(CaseSearch(cursor="7")),
        "dead_letters": lambda: reads.dead_letters(limit=5, cursor="7"),
    }

    with pytest.raises(InvalidRequest):
        await asks[ask]()


async def test_the_trail_is_that_of_the_order_and_its_tasks(postgres, reads):
    order = await stored(postgres, "acme", "zeta")
    await stored(postgres, n=1)
    work = a_work(
        order, Trigger.FREEZE_CONFIRMED, now=START + MINUTE, detail={"a": 1}, code="x"
    )
    await postgres.store.record(work)

    entries = await reads.events(order.queue_id)

    assert len(entries) == 4
    assert entries[-1].line == work.lines[0]
    assert len({entry.seq for entry in entries}) == 4


@asynccontextmanager
async def workers(url, count):
    """Open stores of that many workers, each on a connection of its own."""
    databases = [Database(url, connections_max=1) for _ in range(count)]
    for database in databases:
        await database.open()
    yield [PostgresStore(database) for database in databases]
    for database in databases:
        await database.close()


async def test_a_trail_is_causal_whatever_the_clocks_of_the_workers_say(
    postgres, reads, database_url
):
    order = await stored(postgres, "acme", "zeta", "beta")
    written = [entry.line for entry in await reads.events(order.queue_id)]
    clocks = (START + 7 * MINUTE, START - 5 * MINUTE, START)
    async with workers(database_url, len(clocks)) as stores:
        for n in range(24):
            now = clocks[n % 3] + n * timedelta(seconds=1)
            work = a_forced_work(order, task=n // 2 % 3, now=now, tries=n)
            await stores[n % 3].record(work)
            order, written = work.order, [*written, *work.lines]

    entries = await reads.events(order.queue_id)

    assert [entry.line for entry in entries] == written
    assert all(one.seq < next_.seq for one, next_ in pairwise(entries))


async def test_the_lines_of_many_steps_in_one_statement_keep_their_order(
    postgres, reads
):
    orders = [await stored(postgres, *("acme", "zeta", "beta"), n=n) for n in range(30)]
    works = [a_cancel(order) for order in orders]
    await asyncio.gather(*(postgres.store.record(work) for work in works))

    for order, work in zip(orders, works, strict=True):
        entries = await reads.events(order.queue_id)
        assert [e.line for e in entries[4:]] == list(work.lines)
        assert [e.line.task_id for e in entries[:4]] == [
            None,
            *(task.task_id for task in order.queue.tasks),
        ]


async def test_the_trail_of_nothing_is_empty(reads):
    assert await reads.events(NOBODY) == []


async def opened(postgres, count, *, step=MINUTE):
    """Open cases, one after another, and return their ids from the newest."""
    for n in range(count):
        order = await stored(postgres, "acme", n=n)
        work = a_forced_work(order, now=START + n * step, case=a_case(order), **LIVE)
        await postgres.store.record(work)
    return [case.id for case in reversed(await postgres.cases())]


async def paged(ask, limit):
    """Return the ids on all pages."""
    found, cursor = [], None
    for _ in range(50):
        page = await ask(limit=limit, cursor=cursor)
        found += [item.id for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return found
    raise AssertionError("pages without end")


@pytest.mark.parametrize("limit", [1, 2, 5, 7])
@pytest.mark.parametrize("step", [MINUTE, timedelta(0)])
async def test_pages_give_every_case_once(postgres, reads, limit, step):
    ids = await opened(postgres, 5, step=step)

    async def ask(*, limit, cursor):
        sought = CaseSearch(state=CaseState.OPEN, limit=limit, cursor=cursor)
        return await reads.cases(sought)

    assert await paged(ask, limit) == ids


async def test_a_closed_case_is_found_as_closed(postgres, reads):
    first, second = await opened(postgres, 2)

    await postgres.operator_store.close_case(
        first, actor="key:anna", reason="paid", at=START
    )

    states = {}
    for state in (CaseState.OPEN, CaseState.CLOSED, None):
        page = await reads.cases(CaseSearch(state=state))
        states[state] = [case.id for case in page.items]
    assert states[CaseState.OPEN] == [second]
    assert states[CaseState.CLOSED] == [first]
    assert states[None] == [first, second]


async def test_a_case_is_closed_once(postgres):
    (case_id,) = await opened(postgres, 1)
    close = {"actor": "key:anna", "reason": "paid", "at": START}
    await postgres.operator_store.close_case(case_id, **close)

    with pytest.raises(NotNow):
        await postgres.operator_store.close_case(case_id, **close)


@pytest.mark.parametrize("case_id", [NOBODY, "no id"])
async def test_a_case_that_is_not_cannot_be_closed(postgres, case_id):
    with pytest.raises(UnknownOrder):
        await postgres.operator_store.close_case(
            case_id, actor="a", reason="r", at=START
        )


@pytest.mark.parametrize("limit", [1, 2, 5, 7])
@pytest.mark.parametrize("step", [MINUTE, timedelta(0)])
async def test_pages_give_every_letter_once(postgres, reads, limit, step):
    for n in range(5):
        await postgres.store.dead_letter(a_letter(n, now=START + n * step), [])
    every = {a_letter(n).id for n in range(5)}

    found = await paged(reads.dead_letters, limit)

    assert sorted(found) == sorted(every)


async def test_a_letter_comes_back_whole(postgres, reads):
    letter = a_letter(task_id=NOBODY, queue_id=NOBODY, order_id="w-1")
    await postgres.store.dead_letter(letter, [])

    assert (await reads.dead_letters(limit=1, cursor=None)).items == [letter]
    assert await postgres.operator_store.letter(letter.id) == letter


async def test_letters_that_were_dealt_with_are_found_no_more(postgres, reads):
    for n in range(3):
        await postgres.store.dead_letter(a_letter(n, now=START + n * MINUTE), [])
    operator_store = postgres.operator_store
    replayed, discarded, left = (a_letter(n).id for n in range(3))

    assert await operator_store.mark_replayed(replayed, **SAID)
    assert await operator_store.mark_discarded(discarded, **SAID)

    page = await reads.dead_letters(limit=10, cursor=None)
    assert [letter.id for letter in page.items] == [left]
    assert await operator_store.open_dead_letters(subject=None, limit=10) == [left]


async def test_a_letter_is_marked_once(postgres):
    await postgres.store.dead_letter(a_letter(), [])
    operator_store, letter_id = postgres.operator_store, a_letter().id
    assert await operator_store.mark_replayed(letter_id, **SAID)

    assert not await operator_store.mark_replayed(letter_id, **SAID)
    assert not await operator_store.mark_discarded(letter_id, **SAID)
    with pytest.raises(NotNow):
        await operator_store.letter(letter_id)


@pytest.mark.parametrize("letter_id", [NOBODY, "no id"])
async def test_a_letter_that_is_not_is_unknown(postgres, letter_id):
    with pytest.raises(UnknownOrder):
        await postgres.operator_store.letter(letter_id)


async def test_open_letters_are_listed_by_subject_oldest_first(postgres):
    for n, subject in enumerate(("a", "b", "a")):
        letter = a_letter(n, subject=subject, now=START - n * MINUTE)
        await postgres.store.dead_letter(letter, [])

    listed = await postgres.operator_store.open_dead_letters(subject="a", limit=10)

    assert listed == [a_letter(2).id, a_letter(0).id]


async def test_for_who_may_see_some_merchants_there_are_no_others(postgres, reads):
    for n in range(CANDIDATES_MAX + 1):
        await stored(postgres, merchant_id=f"x-{n}")
    own, foreign = [await stored(postgres, merchant_id=m) for m in ("m-1", "m-2")]

    assert await reads.find("w-0", merchants={"m-1"}) == own
    page = await reads.search(Search(merchants={"m-1"}, customer_id="c-9"))
    assert list(page.items) == [own]
    assert not (await reads.search(Search(merchants={"m-1"}, merchant_id="m-2"))).items
    for asked in ("w-0", foreign.queue_id):
        with pytest.raises(UnknownOrder):
            await reads.find(asked, merchants={"m-3"})
    with pytest.raises(UnknownOrder):
        await reads.find(foreign.queue_id, merchants={"m-1"})
