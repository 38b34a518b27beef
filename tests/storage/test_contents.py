"""A repeat is told from a conflict by a hash that nobody without the key can guess."""

import hashlib
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from fsm.domain.audit_keys import parse_audit_keys
from fsm.domain.errors import StoreUnavailable
from handlers.ports.store import NewOrder
from handlers.submit import _opened
from handlers.withdrawal import WithdrawalHandlers
from payment_service.playground.memory.clock import START
from payment_service.playground.memory.world import a_request
from payment_service.storage.database import Database
from payment_service.storage.store import PostgresStore

OLD = parse_audit_keys("old:" + "5a" * 32)
ROTATED = parse_audit_keys("new:" + "a5" * 32 + ",old:" + "5a" * 32)
NEW = parse_audit_keys("new:" + "a5" * 32)


@asynccontextmanager
async def stored_by(url, keys):
    """Give what stores a request, and says what became of it."""
    database = Database(url)
    await database.open()
    store = PostgresStore(database, keys=keys)

    async def submit(request):
        order, lines = _opened(
            request,
            START,
            flow=WithdrawalHandlers(),
            actor="system",
            trace_parent=None,
            keys=keys,
        )
        new = NewOrder(request=request, order=order, lines=tuple(lines), messages=())
        return await store.submit(new)

    try:
        yield submit
    finally:
        await database.close()


async def submitted(url, keys, *requests):
    async with stored_by(url, keys) as submit:
        return [(await submit(request)).status for request in requests]


async def test_a_repeat_is_recognised_after_a_rotation(database_url):
    first, other = a_request(), replace(a_request(), content=b"{}")

    assert await submitted(database_url, OLD, first) == ["accepted"]
    again = await submitted(database_url, ROTATED, first, other)
    fresh = replace(first, order_id="w-2")

    assert again == ["duplicate", "conflict"]
    assert await submitted(database_url, ROTATED, fresh) == ["accepted"]
    assert await submitted(database_url, NEW, fresh) == ["duplicate"]


async def test_without_the_key_it_is_told_neither_way(database_url):
    await submitted(database_url, OLD, a_request())

    with pytest.raises(StoreUnavailable, match="'old', which is not in PAYMENT_AUDIT"):
        await submitted(database_url, NEW, a_request())


async def test_nothing_in_a_row_is_the_hash_of_what_can_be_guessed(
    database_url, connection
):
    guessed = a_request()
    alike = [replace(guessed, order_id=f"w-{n}") for n in range(2)]
    await submitted(database_url, OLD, *alike)

    rows = connection.execute("SELECT content_hash FROM order_queues").fetchall()
    found = {bytes(row[0]) for row in rows}

    assert len(found) == len(alike)
    assert hashlib.sha256(guessed.content).digest() not in found
    for each in alike:
        assert each.content_hash("old", NEW_AS_OLD) not in found


NEW_AS_OLD = parse_audit_keys("old:" + "a5" * 32)
