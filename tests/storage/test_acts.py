"""What people do about an order is a line of its chain, in one commit with its row."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from fsm.domain.acts import SERVICE
from fsm.domain.audit import hash_of
from fsm.domain.audit_keys import UNKEYED
from fsm.domain.cases import case_id
from fsm.domain.errors import (
    BrokenInvariant,
    InvalidRequest,
    NotNow,
    StaleWrite,
)
from fsm.domain.seals import head_of, queue_is_sealed
from fsm.engine.words import State
from fsm.invariants import trail_of
from fsm.payout.words import Trigger
from payment_service.playground.memory.clock import START
from tests.storage.builders import (
    FAILED,
    a_case,
    a_forced_work,
    a_letter,
    a_message,
    a_new_order,
    a_work,
)
from tests.world.as_rows import line_of

SAID = {"actor": "key:anna", "reason": "the bank has paid", "at": START}
CARD = "4111 1111 1111 1111"


@pytest.fixture
async def order(store):
    new = a_new_order()
    await store.submit(new)
    return new.order


@pytest.fixture
async def case(store, order):
    """Give a case about the order."""
    work = a_forced_work(order, case=a_case(order), state=State.PENDING)
    await store.record(work)
    return case_id(a_case(order), work.order.queue.tasks[0].version)


async def acts_of(rows, order):
    return [
        line
        for line in await rows.trail()
        if line.entity_id == order.queue_id and line.version > 1
    ]


def chained(rows_trail, order):
    lines = [e for e in rows_trail if e.entity_id == order.queue_id]
    lines.sort(key=lambda line: line.version)
    return trail_of(map(line_of, lines), UNKEYED)


async def test_a_closed_case_is_a_line_of_its_order(rows, store, order, case):
    await rows.operator_store.close_case(case, **SAID)

    (line,) = await acts_of(rows, order)
    assert (line.version, line.task_id) == (2, None)
    assert (line.source, line.target) == ("ACTIVE", "ACTIVE")
    assert (line.trigger, line.actor) == ("case.closed", "key:anna")
    assert line.detail == {"case_id": case, "reason": "the bank has paid"}
    now = (await store.load(order.queue_id)).queue
    assert (now.version, head_of(now.audit_hash)) == (2, line.hash)
    assert queue_is_sealed(now, "open", UNKEYED)
    assert line.hash == hash_of(line, head_of(order.queue.audit_hash), UNKEYED)
    assert chained(await rows.trail(), order).offences == []


async def test_a_case_that_is_closed_twice_has_one_line(rows, order, case):
    await rows.operator_store.close_case(case, **SAID)

    with pytest.raises(NotNow, match="is closed"):
        await rows.operator_store.close_case(case, **SAID)
    with pytest.raises(NotNow, match="is closed"):
        await rows.operator_store.assign_case(case, owner="bert", **SAID)

    assert len(await acts_of(rows, order)) == 1


async def test_every_owner_of_a_case_is_a_line(rows, order, case):
    for owner in ("anna", "bert"):
        await rows.operator_store.assign_case(case, owner=owner, **SAID)

    told = [(e.version, e.trigger, e.detail) for e in await acts_of(rows, order)]
    assert told == [
        (
            version,
            "case.assigned",
            {"case_id": case, "owner": owner, "reason": SAID["reason"]},
        )
        for version, owner in ((2, "anna"), (3, "bert"))
    ]


async def test_what_may_not_be_seen_is_hidden_in_case_and_line(rows, order, case):
    await rows.operator_store.close_case(case, **{**SAID, "reason": f"card {CARD}"})

    (line,) = await acts_of(rows, order)
    (closed,) = await rows.cases()
    assert CARD not in closed.reason
    assert closed.reason == line.detail["reason"]


@pytest.mark.parametrize("named", ["task", "queue"])
async def test_a_letter_about_an_order_is_a_line_of_it(rows, store, order, named):
    task_id = order.queue.tasks[0].task_id
    ids = {"task": {"task_id": task_id}, "queue": {"queue_id": order.queue_id}}
    for cause in ("one", "two"):
        await store.dead_letter(a_letter(cause, **ids[named]), [])

    assert await rows.operator_store.mark_replayed(a_letter("one").id, **SAID)
    assert await rows.operator_store.mark_discarded(a_letter("two").id, **SAID)
    assert not await rows.operator_store.mark_discarded(a_letter("two").id, **SAID)

    told = [(e.trigger, e.detail["dead_letter_id"]) for e in await acts_of(rows, order)]
    assert told == [
        ("dead_letter.replayed", a_letter("one").id),
        ("dead_letter.discarded", a_letter("two").id),
    ]
    assert chained(await rows.trail(), order).offences == []


async def test_a_letter_of_nobody_is_a_line_of_the_service(rows, store):
    await store.dead_letter(a_letter(), [])

    assert await rows.operator_store.mark_discarded(a_letter().id, **SAID)

    (line,) = await rows.service_trail()
    assert (line.entity_id, line.version, line.actor) == (SERVICE, 1, "key:anna")
    assert line.detail == {"dead_letter_id": a_letter().id, "reason": SAID["reason"]}


async def test_a_letter_that_dies_again_is_a_line_of_the_system(rows, store, order):
    letter = a_letter(queue_id=order.queue_id)
    await store.dead_letter(letter, [])
    await rows.operator_store.mark_replayed(letter.id, **SAID)

    again = replace(letter, error=f"again, {CARD}")
    await store.dead_letter(again, [a_message("again")])
    await store.dead_letter(again, [a_message("again and again")])

    _, line = await acts_of(rows, order)
    assert (line.trigger, line.actor) == ("dead_letter.reopened", "system")
    assert CARD not in str(line.detail)
    assert await rows.operator_store.letter(letter.id) == again


async def test_it_is_opened_again_by_a_clock_that_is_behind(rows, store):
    await store.dead_letter(a_letter(), [])
    later = {**SAID, "at": START + timedelta(seconds=1)}
    await rows.operator_store.mark_replayed(a_letter().id, **later)

    await store.dead_letter(a_letter(error="again"), [])

    assert (await rows.operator_store.letter(a_letter().id)).error == "again"


async def test_a_final_order_stays_as_it_is(rows, store, order):
    over = {"state": "FAILED", "waiting_for": "notification", "wake_at": START}
    work = a_forced_work(order, queue=over, case=a_case(order), **FAILED)
    await store.record(work)
    before = (await store.load(order.queue_id)).queue
    (opened,) = await rows.cases()

    await rows.operator_store.close_case(opened.id, **SAID)

    after = (await store.load(order.queue_id)).queue
    told = {"version": after.version, "audit_hash": after.audit_hash}
    assert after == replace(before, **told)
    assert after.version == before.version + 1


async def test_a_step_decided_before_the_act_is_decided_again(rows, store, order, case):
    seen = await store.load(order.queue_id)
    work = a_forced_work(seen, queue={})

    await rows.operator_store.close_case(case, **SAID)

    with pytest.raises(StaleWrite):
        await store.record(work)
    await store.record(a_forced_work(await store.load(order.queue_id), queue={}))


async def test_a_step_of_a_task_goes_on_beside_the_act(rows, store, order, case):
    seen = await store.load(order.queue_id)
    work = a_work(seen, Trigger.FREEZE_CONFIRMED)

    await rows.operator_store.close_case(case, **SAID)

    await store.record(work)


class Desk:
    """A case and a letter about an order in PostgreSQL, and those who look at them."""

    def __init__(self, postgres, connection):
        self.rows = postgres
        self.connection = connection

    async def prepared(self):
        new = a_new_order()
        await self.rows.store.submit(new)
        self.order = new.order
        case = a_case(self.order)
        work = a_forced_work(self.order, case=case, state=State.PENDING)
        await self.rows.store.record(work)
        self.case = case_id(case, work.order.queue.tasks[0].version)
        self.letter = a_letter(queue_id=self.order.queue_id).id
        await self.rows.store.dead_letter(a_letter(queue_id=self.order.queue_id), [])
        return self

    async def close(self, actor="key:anna"):
        await self.rows.operator_store.close_case(self.case, **{**SAID, "actor": actor})

    async def assign(self):
        await self.rows.operator_store.assign_case(self.case, owner="anna", **SAID)

    async def replay(self):
        await self.rows.operator_store.mark_replayed(self.letter, **SAID)

    async def discard(self):
        await self.rows.operator_store.mark_discarded(self.letter, **SAID)

    async def again(self):
        letter = a_letter(queue_id=self.order.queue_id, error="again")
        await self.rows.store.dead_letter(letter, [a_message("again")])

    async def acts(self):
        return [e.trigger for e in await acts_of(self.rows, self.order)]

    def row(self, table):
        read = f"SELECT * FROM {table}"  # noqa: S608 - a name of this file
        return self.connection.execute(read).fetchall()


@pytest.fixture
async def operator_store(postgres, connection):
    return await Desk(postgres, connection).prepared()


async def test_of_many_who_close_a_case_at_once_one_does(operator_store):
    closing = [operator_store.close(f"key:{n}") for n in range(4)]

    answers = await asyncio.gather(*closing, return_exceptions=True)

    assert answers.count(None) == 1
    assert {type(a) for a in answers if a is not None} == {NotNow}
    assert await operator_store.acts() == ["case.closed"]


async def test_people_and_steps_at_once_are_one_chain(operator_store):
    async def step():
        for _ in range(20):
            seen = await operator_store.rows.store.load(operator_store.order.queue_id)
            try:
                await operator_store.rows.store.record(a_forced_work(seen, queue={}))
            except StaleWrite:
                continue
            return

    await asyncio.gather(
        *(operator_store.assign() for _ in range(5)), *(step() for _ in range(5))
    )

    trail = chained(await operator_store.rows.trail(), operator_store.order)
    assert (trail.offences, trail.version) != ([], 1)
    assert trail.version == 11
    heads = {
        line.version: line.trigger
        for line in await acts_of(operator_store.rows, operator_store.order)
    }
    assert sorted(heads.values()) == ["case.assigned"] * 5 + ["x"] * 5
    now = (await operator_store.rows.store.load(operator_store.order.queue_id)).queue
    assert (now.version, head_of(now.audit_hash)) == (11, trail.head)


LINE_REFUSED = "ALTER TABLE order_task_events ADD CHECK (trigger NOT LIKE '%{}')"


@pytest.mark.parametrize(
    ("act", "word", "table"),
    [
        ("close", "closed", "cases"),
        ("assign", "assigned", "cases"),
        ("replay", "replayed", "dead_letters"),
        ("discard", "discarded", "dead_letters"),
    ],
)
async def test_where_the_line_cannot_be_written_no_row_changes(
    operator_store, act, word, table
):
    operator_store.connection.execute(LINE_REFUSED.format(word))
    before = operator_store.row(table), operator_store.row("order_queues")

    with pytest.raises(BrokenInvariant):
        await getattr(operator_store, act)()

    assert (operator_store.row(table), operator_store.row("order_queues")) == before


async def test_a_letter_is_not_opened_again_without_its_line(operator_store):
    await operator_store.replay()
    operator_store.connection.execute(LINE_REFUSED.format("reopened"))
    before = operator_store.row("dead_letters"), operator_store.row("outbox")

    with pytest.raises(BrokenInvariant):
        await operator_store.again()

    assert (operator_store.row("dead_letters"), operator_store.row("outbox")) == before


@pytest.mark.parametrize(
    ("act", "refused"),
    [
        ("close", "ALTER TABLE cases ADD CHECK (state <> 'closed')"),
        ("assign", "ALTER TABLE cases ADD CHECK (owner <> 'anna')"),
        ("replay", "ALTER TABLE dead_letters ADD CHECK (replayed_by IS NULL)"),
        ("discard", "ALTER TABLE dead_letters ADD CHECK (discarded_by IS NULL)"),
    ],
)
async def test_where_the_row_cannot_change_no_line_is_written(
    operator_store, act, refused
):
    operator_store.connection.execute(refused)

    with pytest.raises(BrokenInvariant):
        await getattr(operator_store, act)()

    assert await operator_store.acts() == []
    assert (
        await operator_store.rows.store.load(operator_store.order.queue_id)
    ).queue.version == 1


async def test_pages_give_every_line_of_the_service_once(postgres):
    for number in range(5):
        await postgres.store.dead_letter(a_letter(number), [])
        await postgres.operator_store.mark_discarded(a_letter(number).id, **SAID)
    found, cursor = [], None
    while True:
        page = await postgres.reads.service_events(limit=2, cursor=cursor)
        found += [entry.line.version for entry in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break

    assert found == [5, 4, 3, 2, 1]


@pytest.mark.parametrize("cursor", ["", "0", "-1", "x", "9999999999", "\uff11"])
async def test_a_cursor_that_was_not_handed_out_is_refused(postgres, cursor):
    with pytest.raises(InvalidRequest):
        await postgres.reads.service_events(limit=2, cursor=cursor)


async def test_the_relay_sends_a_request_again_that_was_buried_here(rows, store):
    letter = a_letter(body=b"{}", headers={})
    await store.dead_letter(letter, [])
    again = a_message("again", subject=letter.subject, body=letter.body)

    assert await rows.operator_store.mark_replayed(letter.id, **SAID, messages=[again])

    (sent,) = await rows.sweeps.unsent(older_than=-timedelta(days=1), limit=9)
    assert (sent.message.subject, sent.message.body) == (letter.subject, b"{}")
