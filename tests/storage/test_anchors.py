"""An anchor covers every chain that has grown, whatever commits late, and only once."""

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from fsm.domain.anchors import NOTHING_BEFORE, Head, Root
from fsm.domain.audit_keys import parse_audit_keys
from fsm.domain.errors import BrokenInvariant, StoreUnavailable
from fsm.domain.ids import new_id
from handlers.anchor import take_anchors
from payment_service.storage.anchors import SETTLED, PostgresAnchors
from payment_service.storage.database import Database

KEYS = parse_audit_keys("k1:" + "5a" * 32)
NOW = timedelta()
SECONDS_MAX = 30
HOUR = timedelta(hours=1)
INSERT = (
    "INSERT INTO order_task_events (entity_id, queue_id, version, target, trigger, "
    "actor, at, detail, key_id, hash) VALUES (%s, %s, %s, 'ACTIVE', 'x', 'test', "
    "clock_timestamp(), '{}', 'k1', %s) RETURNING seq"
)
HEADS = "SELECT entity_id::text, queue_id::text, version, hash FROM anchor_heads"


@pytest.fixture
async def database(user_url):
    database = Database(user_url)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def book(database):
    return PostgresAnchors(database, KEYS)


@pytest.fixture
def owner(database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def other(database_url):
    with psycopg.connect(database_url) as connection:
        yield connection


def write(connection, entity_id, *versions):
    """Write lines of one chain; return the number of the last."""
    for version in versions:
        values = [entity_id, entity_id, version, bytes([version]) * 32]
        (seq,) = connection.execute(INSERT, values).fetchone()
    return seq


def heads(connection, n=None):
    rows = connection.execute(
        f"{HEADS} WHERE %(n)s::bigint IS NULL OR n = %(n)s ORDER BY entity_id",
        {"n": n},
    )
    return [Head(*row) for row in rows]


async def taken(book, **how):
    return (await book.take(every=NOW, **how)).anchor


async def complete(book, until):
    """Take anchors until all before a time is in them: others use this server too."""
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            anchor = await taken(book)
            if anchor.complete_to >= until:
                return anchor


async def test_an_anchor_is_signed_over_all_heads_and_the_anchor_before(book, owner):
    ids = [new_id(datetime.now(UTC)) for _ in range(3)]
    for entity_id in ids:
        write(owner, entity_id, 1, 2)
    first = await taken(book)
    write(owner, ids[1], 3)
    second = await taken(book)

    root = Root()
    root.add(heads(owner, 1))
    assert (first.n, first.heads, first.root) == (1, 3, root.digest())
    assert [(h.entity_id, h.version) for h in heads(owner, 1)] == [
        (entity_id, 2) for entity_id in sorted(ids)
    ]
    assert [(h.entity_id, h.version) for h in heads(owner, 2)] == [(ids[1], 3)]
    assert (second.n, second.heads, second.previous) == (2, 1, first.digest())
    assert first.is_signed(KEYS)
    assert [await book.find(1), await book.find(2)] == [first, second]
    assert [*await book.after(1, limit=9)] == [second]
    assert await book.find(3) is None


async def test_an_anchor_of_nothing_new_says_that_all_is_in_the_others(book, owner):
    write(owner, new_id(datetime.now(UTC)), 1)
    first = await taken(book)
    second = await complete(book, first.at)

    assert (second.heads, second.root) == (0, Root().digest())
    assert second.complete_to >= first.at >= first.complete_to >= NOTHING_BEFORE


async def test_a_line_that_commits_late_is_in_the_next_anchor(book, owner, other):
    late, early = new_id(datetime.now(UTC)), new_id(datetime.now(UTC))
    number = write(other, late, 1)
    assert write(owner, early, 1) > number

    first = await taken(book)
    second = await taken(book)
    other.commit()
    third = await taken(book)

    assert [h.entity_id for h in heads(owner, 1)] == [early]
    assert [h.entity_id for h in heads(owner, 3)] == [late]
    assert (first.heads, second.heads, third.heads) == (1, 0, 1)


async def test_who_commits_late_may_be_the_last_that_has_begun(
    book, owner, other, database_url
):
    late, early = new_id(datetime.now(UTC)), new_id(datetime.now(UTC))
    with psycopg.connect(database_url) as older:
        older.execute("SELECT pg_current_xact_id()")
        number = write(other, late, 1)
        assert write(older, early, 1) > number
    await taken(book)
    await taken(book)
    other.commit()
    await taken(book)

    assert [h.entity_id for h in heads(owner, 1)] == [early]
    assert [h.entity_id for h in heads(owner, 3)] == [late]


async def test_nothing_is_complete_while_somebody_who_began_before_may_commit(
    book, other
):
    started = await taken(book)
    write(other, new_id(datetime.now(UTC)), 1)
    during = await taken(book)
    again = await taken(book)
    other.commit()

    assert during.complete_to <= again.complete_to < during.at
    assert during.complete_to >= started.complete_to
    await complete(book, during.at)


async def test_a_restored_database_is_not_read_from_the_beginning(book, owner, other):
    write(owner, new_id(datetime.now(UTC)), 1)
    before = await taken(book)
    owner.execute("SET session_replication_role = replica")
    owner.execute(
        "UPDATE anchors SET xid_from = xid_from + %(n)s, xid_to = xid_to + %(n)s",
        {"n": 10**12},
    )
    other.execute("SELECT pg_current_xact_id()")
    for _ in range(2):
        await taken(book)

    xids = owner.execute("SELECT xid_from, xid_to FROM anchors ORDER BY n DESC")
    xid_from, xid_to = xids.fetchone()
    settled = {"xid_from": xid_from, "xid_to": xid_to}
    assert owner.execute(SETTLED, settled).fetchone()[1] == before.at


async def test_more_than_one_anchor_takes_what_does_not_fit(book, owner):
    ids = [new_id(datetime.now(UTC)) for _ in range(25)]
    for entity_id in ids:
        write(owner, entity_id, 1)
    first = await book.take(every=NOW, window=10)
    assert (first.whole, first.anchor.heads) == (False, 10)
    assert first.anchor.complete_to == NOTHING_BEFORE

    second = await book.take(every=NOW, window=10)
    third = await book.take(every=NOW, window=10)

    assert (second.whole, third.whole) == (False, True)
    assert {h.entity_id for h in heads(owner)} == {*ids}
    assert second.anchor.complete_to == NOTHING_BEFORE
    await complete(book, third.anchor.at)


async def test_numbers_that_were_left_out_are_stepped_over(book, owner, other):
    write(other, new_id(datetime.now(UTC)), *range(1, 41))
    other.rollback()
    entity_id = new_id(datetime.now(UTC))
    write(owner, entity_id, 1)

    anchors = [await book.take(every=NOW, window=10) for _ in range(3)]

    assert [each.whole for each in anchors][1:] == [True, True]
    assert [h.entity_id for h in heads(owner)] == [entity_id]


async def test_who_asks_before_it_is_time_takes_none(book):
    assert await take_anchors(book, every=HOUR) == 1
    assert await take_anchors(book, every=HOUR) == 0
    assert await take_anchors(book, every=NOW) == 1


async def test_of_two_at_once_one_takes_it(book, other):
    other.execute("SELECT pg_advisory_xact_lock(7261010)")

    assert await book.take(every=NOW) is None
    other.rollback()
    assert await book.take(every=NOW) is not None


async def test_what_failed_leaves_nothing(book, owner):
    write(owner, new_id(datetime.now(UTC)), 1)
    owner.execute("ALTER TABLE anchors ADD CONSTRAINT ck_never CHECK (n < 1)")
    with pytest.raises(BrokenInvariant, match="ck_never"):
        await book.take(every=NOW)
    assert heads(owner) == []

    owner.execute("ALTER TABLE anchors DROP CONSTRAINT ck_never")
    assert (await taken(book)).heads == 1


async def test_new_lines_are_found_by_number_in_a_large_trail(owner):
    owner.execute("SET enable_seqscan = off")
    plan = "EXPLAIN SELECT * FROM order_task_events WHERE seq > 5"

    lines = [line for (line,) in owner.execute(plan)]

    assert any("Bitmap Index Scan" in line and "seq" in line for line in lines), lines


async def test_a_database_that_is_away_is_told(book, database):
    await database.close()

    with pytest.raises(StoreUnavailable):
        await book.after(0, limit=1)
