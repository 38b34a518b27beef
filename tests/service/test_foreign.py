"""Messages that no column and no publisher would take, and the orders between them."""

import asyncio
import re
import resource
from pathlib import Path

import psycopg
import pytest

from fsm.domain.messages import STEP_DUE
from payment_service.bus import topology
from tests.bus.raw import block, raw
from tests.service.stage import a_withdrawal

ID = "0195f1de-0000-7000-8000-000000000000"
LETTERS = "SELECT subject, reason, headers::text, body FROM dead_letters"


@pytest.fixture
def speaking(nats_server, subject_prefix):
    async def say(subject, body, *, times=1, headers=b""):
        async with raw(nats_server.url) as speaker:
            for _ in range(times):
                await speaker.publish(
                    f"{subject_prefix}.".encode() + subject, body, headers=headers
                )

    return say


async def rows(url, query):
    async with await psycopg.AsyncConnection.connect(url) as connection:
        return await (await connection.execute(query)).fetchall()


ODD = {
    "NUL in a header": (STEP_DUE.encode(), b"{}", block(b"X-Odd: a\0b")),
    "bytes in a header": (STEP_DUE.encode(), b"{}", block(b"X-Odd: \xff")),
    "trace of no ASCII": (
        b"withdrawal.requested",
        b"{}",
        block("traceparent: é".encode()),
    ),
    "bytes in a subject": (b"order.task.step.\xff\0", b"{}", b""),
    "NUL in an id": (
        b"order.task.webhook.received",
        b'{"provider": "acme", "event_id": "a\\u0000b"}',
        b"",
    ),
    "NUL in a reason": (
        b"order.queue.cancel.requested",
        b'{"queue_id": "%b", "version": 1, "reason": "a\\u0000b"}' % ID.encode(),
        b"",
    ),
    "an id of a megabyte": (
        b"withdrawal.requested",
        b'{"order_id": "%b"}' % (b"w" * 900_000),
        b"",
    ),
}


@pytest.mark.attack(
    "requests",
    "NULs, other bytes and odd ids in headers, subjects and bodies are buried at once",
)
@pytest.mark.parametrize("name", list(ODD))
async def test_it_is_buried_at_once_and_the_next_order_completes(
    stage, database_url, speaking, name
):
    subject, body, headers = ODD[name]
    await speaking(subject, body, headers=headers)
    await stage.ask(a_withdrawal())

    async def dead_lettered():
        return await rows(database_url, LETTERS)

    ((_, reason, kept, found),) = await stage.until(dead_lettered)
    order = await stage.final("w-1")

    assert (found, order["state"]) == (body, "COMPLETED")
    assert reason in {"invalid", "unknown_task"}
    if b"\xff" in headers or b"\0" in headers:
        assert "X-Raw-Headers" in kept
    assert await stage.until(lambda: stage.letters)


@pytest.mark.attack(
    "requests", "Poisonous messages of all kinds together stand in no order's way"
)
async def test_many_of_them_do_not_fill_what_may_be_pending(
    stage, database_url, speaking
):
    many = 150
    await asyncio.gather(
        *(
            speaking(*ODD[name][:2], headers=ODD[name][2], times=many)
            for name in ODD
            if "megabyte" not in name
        )
    )
    await stage.ask(a_withdrawal())

    assert (await stage.final("w-1"))["state"] == "COMPLETED"

    async def all_dead_lettered():
        found = await rows(database_url, "SELECT count(*) FROM dead_letters")
        return found[0][0] >= many * (len(ODD) - 2)

    await stage.until(all_dead_lettered)


REFUSING = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'this I keep in no column' USING ERRCODE = '22P05';
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON dead_letters FOR EACH ROW
    WHEN (NEW.headers::text LIKE '%odious%') EXECUTE FUNCTION refuse()
"""


@pytest.mark.attack(
    "bus",
    "What the database never takes ends as a reduced dead letter, counted, in no loop",
)
async def test_what_the_database_never_takes_is_reduced_to_its_bytes(
    stage, database_url, speaking
):
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await connection.execute(REFUSING)
    await speaking(STEP_DUE.encode(), b"odd", times=3, headers=block(b"X-A: odious"))
    await stage.ask(a_withdrawal())

    assert (await stage.final("w-1"))["state"] == "COMPLETED"
    found = await stage.until(lambda: letters(database_url, 3))
    assert {(body, kept) for _, _, kept, body in found} == {(b"odd", "{}")}
    assert await reduced(stage) == ["3.0"]
    assert await left_over(stage) == 0


async def letters(url, count):
    """Return the letters once there are so many."""
    found = await rows(url, LETTERS)
    return found if len(found) >= count else None


async def reduced(stage):
    async with stage.http.get(f"{stage.url}/metrics") as answer:
        page = await answer.text()
    return re.findall(r"^dead_letters_reduced_total (\S+)", page, re.MULTILINE)


async def left_over(stage):
    """Return how many messages of the task stream are not dealt with."""
    stream = await stage.stream.stream_info(f"{stage.prefix}_ORDER_TASKS")
    return stream.state.messages


FEW = 1_000
OVER = 400
"""So many more than may be pending."""
MANY = {
    "NUL in a header": (STEP_DUE.encode(), b"{}", block(b"X-Odd: a\0b")),
    "a subject of other bytes": (b"order.task.step.\xff\xfe", b"{}", b""),
    "a subject with a NUL": (b"order.queue.a\0b.c", b"{}", b""),
    "an id that is none": (
        b"order.queue.cancel.requested",
        b'{"queue_id": "a\\u0000b", "task_id": 7, "version": 1}',
        b"",
    ),
    "a long id": (
        b"order.task.webhook.received",
        b'{"provider": "%b", "event_id": 7}' % (b"e" * 3_000),
        b"",
    ),
    "a long order id": (
        b"withdrawal.requested",
        b'{"order_id": "%b", "amount": -1}' % (b"w" * 3_000),
        b"",
    ),
}
GROWTH_MAX = 200 * 1024 * 1024


def resident():
    """Return the bytes of memory of this process, where the service is too."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


@pytest.fixture
def few_pending(monkeypatch):
    """Let fewer be pending: what stands in the way past them would past many more."""
    monkeypatch.setattr(topology, "ACK_PENDING_MAX", FEW)


@pytest.mark.attack(
    "bus",
    "Poisonous messages of one kind, more than may be pending, stand in no order's way",
)
@pytest.mark.usefixtures("few_pending")
@pytest.mark.parametrize("name", list(MANY))
async def test_more_of_a_kind_than_may_be_pending_stand_in_nobodys_way(
    stage, database_url, nats_server, name
):
    for consumer in await stage.stream.consumers_info(f"{stage.prefix}_ORDER_TASKS"):
        assert consumer.config.max_ack_pending == FEW
    await flood(stage, nats_server.url, {name: FEW + OVER})

    await all_are_buried(stage, database_url, FEW + OVER)


@pytest.mark.attack(
    "bus",
    "10,400 poisonous messages, more than may be pending, stand in no order's way",
)
@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_more_of_them_than_may_be_pending_stand_in_nobodys_way(
    stage, database_url, nats_server
):
    before = resident()
    kinds = [*MANY]
    kinds.remove("a long order id")  # it is another consumer's
    each = (topology.ACK_PENDING_MAX + OVER) // len(kinds)
    await flood(stage, nats_server.url, dict.fromkeys(kinds, each))

    await all_are_buried(stage, database_url, each * len(kinds))
    assert resident() - before < GROWTH_MAX


async def flood(stage, url, counts):
    """Publish so many of each kind, and then an order."""
    async with raw(url) as speaker:
        for name, count in counts.items():
            subject, body, headers = MANY[name]
            subject = f"{stage.prefix}.".encode() + subject
            await speaker.publish_all(subject, body, headers, count)
    await stage.publish("withdrawal.requested", a_withdrawal())


async def all_are_buried(stage, url, count):
    async with asyncio.timeout(200):
        while await dead_lettered(url) < count:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.1)
    assert (await stage.final("w-1"))["state"] == "COMPLETED"
    assert await stage.until(lambda: is_done(stage))


async def dead_lettered(url):
    return (await rows(url, "SELECT count(*) FROM dead_letters"))[0][0]


async def is_done(stage):
    return await left_over(stage) == 0
