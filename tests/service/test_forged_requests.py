"""Who can write the database, and has no key to the trail, asks for no payout."""

import orjson
import psycopg
import pytest

from tests.service.stage import a_withdrawal

OUTBOX = "INSERT INTO outbox (message_id, subject, body) VALUES ('evil', %s, %s)"
LETTER = """
INSERT INTO dead_letters (id, subject, reason, error, deliveries, body, headers,
    order_id, at)
VALUES (gen_random_uuid(), %s, 'crashed', 'x', 8, %s, '{}', 'w-evil', now())
RETURNING id::text
"""
SUBJECT = "withdrawal.requested"
EVIL = orjson.dumps(a_withdrawal("w-evil"))


@pytest.fixture
def written(granted):
    """Run statements as the service's own role."""
    with psycopg.connect(granted.service, autocommit=True) as connection:
        yield connection.execute


async def is_unknown(stage, order_id):
    return (await stage.call("GET", f"/v1/orders/{order_id}", role="viewer"))[0] == 404


@pytest.mark.attack("database", "A request that is put into the outbox is not sent")
async def test_a_request_in_the_outbox_asks_for_nothing(stage, written):
    written(OUTBOX, [SUBJECT, EVIL])

    async def is_gone():
        left = written("SELECT count(*) FROM outbox WHERE message_id = 'evil'")
        return left.fetchone() == (0,)

    await stage.until(is_gone)
    await stage.ask(a_withdrawal("w-2"))
    await stage.final("w-2")
    assert await is_unknown(stage, "w-evil")


@pytest.mark.attack("database", "A dead letter that is planted is not sent by a replay")
async def test_a_request_in_a_planted_letter_is_not_replayed(stage, written):
    (letter,) = written(LETTER, [SUBJECT, EVIL]).fetchone()

    path = f"/v1/dead-letters/{letter}"
    why = {"reason": "it crashed"}
    status, told = await stage.call("POST", f"{path}/replay", role="support", body=why)

    assert (status, "none that was buried here" in told["detail"]) == (409, True)
    assert await is_unknown(stage, "w-evil")
    done, _ = await stage.call("POST", f"{path}/discard", role="support", body=why)
    assert done == 200
