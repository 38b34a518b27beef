"""What is decided about the service is one chain, committed with its rows."""

import asyncio

import pytest
from sqlalchemy import text

from fsm.domain.acts import SERVICE, Act, ServiceTrigger
from fsm.domain.audit import GENESIS
from fsm.domain.audit_keys import UNKEYED
from fsm.domain.errors import BrokenInvariant, StoreUnavailable
from fsm.invariants import Line, trail_of
from payment_service.storage import service_trail
from payment_service.storage.controls import PostgresControls
from payment_service.storage.database import Database

LINES = """
SELECT entity_id::text, version, queue_id::text, source, target,
    trigger, actor, at, trace_id, detail, key_id, hash
FROM order_task_events ORDER BY version
"""
PAUSED = Act(
    trigger=ServiceTrigger.PROVIDER_PAUSED,
    actor="key:ops",
    reason="they said so",
    detail={"provider": "acme"},
)


@pytest.fixture
async def database(user_url):
    database = Database(user_url)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def controls(database):
    return PostgresControls(database, UNKEYED)


async def lines_of(database):
    return [Line._make(row) for row in await database.run(LINES, {})]


async def append(database, act=PAUSED, **given):
    async with database.connection() as connection:
        return await service_trail.append(connection, act, keys=UNKEYED, **given)


async def test_lines_are_chained_from_the_first(database):
    first = await append(database)
    second = await append(database)

    lines = await lines_of(database)
    assert [(each.version, each.source, each.target) for each in lines] == [
        (1, None, "SERVICE"),
        (2, "SERVICE", "SERVICE"),
    ]
    assert {each.entity_id for each in lines} == {SERVICE}
    assert [bytes(each.hash) for each in lines] == [first.hash, second.hash]
    assert first.hash != GENESIS
    assert trail_of(lines, UNKEYED).offences == []


async def test_many_at_once_are_one_chain_without_a_gap(controls, database):
    async def pause(number):
        # Each another row: who changes the same one waits for that already.
        await controls.pause(f"p{number}", reason="r", until=None, by="key:ops")

    await asyncio.gather(*map(pause, range(20)))

    trail = trail_of(await lines_of(database), UNKEYED)
    assert (trail.version, trail.offences) == (20, [])


async def test_of_two_who_resume_at_once_one_does(controls, database):
    await controls.pause("acme", reason="r", until=None, by="key:ops")

    async def resume(name):
        return await controls.resume("acme", reason="back", by=f"user:{name}")

    did = await asyncio.gather(*map(resume, ["ann", "bob", "cy"]))

    assert sorted(did) == [False, False, True]
    assert len(await lines_of(database)) == 2


async def test_who_fails_after_the_line_leaves_none(database):
    async def fail():
        async with database.connection() as connection:
            await service_trail.append(connection, PAUSED, keys=UNKEYED)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    assert await lines_of(database) == []
    assert (await append(database)).version == 1


async def test_a_pause_whose_line_cannot_be_written_is_none(controls, connection):
    connection.execute("ALTER TABLE order_task_events ADD CHECK (actor <> 'key:ops')")

    with pytest.raises(BrokenInvariant):
        await controls.pause("acme", reason="r", until=None, by="key:ops")

    assert (await controls.fleet_view()).paused == {}


async def test_a_pause_that_cannot_be_stored_has_no_line(
    controls, database, connection
):
    connection.execute(
        "ALTER TABLE provider_controls ADD CHECK (changed_by <> 'key:ops')"
    )

    with pytest.raises(BrokenInvariant):
        await controls.pause("acme", reason="r", until=None, by="key:ops")

    assert await lines_of(database) == []


async def test_who_waits_for_a_writer_that_hangs_is_told_so(database):
    async def impatient():
        async with database.connection() as waiting:
            await waiting.execute(text("SET LOCAL lock_timeout = '50ms'"))
            await service_trail.append(waiting, PAUSED, keys=UNKEYED)

    async with database.connection() as holder:
        await service_trail.append(holder, PAUSED, keys=UNKEYED)
        with pytest.raises(StoreUnavailable):
            await impatient()

    assert len(await lines_of(database)) == 1


async def test_what_may_not_be_seen_is_hidden_in_row_and_line(controls, database):
    await controls.pause(
        "acme", reason="card 4111 1111 1111 1111", until=None, by="key:ops"
    )

    (line,) = await lines_of(database)
    (paused,) = (await controls.fleet_view()).paused.values()
    assert "1111 1111" not in str(line.detail) + paused.reason
    assert line.detail["reason"] == paused.reason
