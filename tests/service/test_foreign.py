"""Messages that no column and no publisher would take, and the orders between them."""

import asyncio

import psycopg
import pytest

from payment_service.domain.messages import STEP_DUE
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


@pytest.mark.parametrize("name", list(ODD))
async def test_it_is_buried_at_once_and_the_next_order_completes(
    stage, database_url, speaking, name
):
    subject, body, headers = ODD[name]
    await speaking(subject, body, headers=headers)
    await stage.ask(a_withdrawal())

    async def buried():
        return await rows(database_url, LETTERS)

    ((_, reason, kept, found),) = await stage.until(buried)
    order = await stage.final("w-1")

    assert (found, order["state"]) == (body, "COMPLETED")
    assert reason in {"invalid", "unknown_task"}
    if b"\xff" in headers or b"\0" in headers:
        assert "X-Raw-Headers" in kept
    assert await stage.until(lambda: stage.letters)


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

    async def all_buried():
        found = await rows(database_url, "SELECT count(*) FROM dead_letters")
        return found[0][0] >= many * (len(ODD) - 2)

    await stage.until(all_buried)
