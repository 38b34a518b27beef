"""Webhooks as providers send them: one id for all events, several at once, none."""

import orjson
import pytest

from tests.service.stage import staged
from tests.service.test_contradictions import deliver, executing, open_cases

BY_PAYOUT = ', events_at = "events", event_id = ["reference", "type"]'
STORED, SEEN, IGNORED = (
    (status, f'{{"status":"{word}"}}')
    for status, word in ((202, "stored"), (200, "seen"), (200, "ignored"))
)


def an_event(task_id, kind, **more):
    told = {"type": f"payout.{kind}", "reference": task_id, "amount": 12550}
    return told | {"currency": "EUR"} | more


async def counted(stage):
    """Return how many webhooks of acme there were, by what became of them."""
    async with stage.http.get(f"{stage.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    ours = [line for line in lines if line.startswith('webhooks_total{outcome="')]
    acme = [line for line in ours if 'provider="acme"' in line]
    return {line.split('"')[1]: int(float(line.split()[-1])) for line in acme}


async def test_a_return_comes_after_a_success_with_no_id_but_the_payouts(
    database_url, nats_server, subject_prefix
):
    async with staged(
        database_url, nats_server.url, subject_prefix, webhook=BY_PAYOUT
    ) as stage:
        task_id = await executing(stage, "w-1")
        paid, back = (an_event(task_id, kind) for kind in ("succeeded", "returned"))
        odd = [5, {"type": "ping"}, an_event("inv-7", "succeeded"), paid]
        whole = orjson.dumps({"events": [back, *odd, paid]})

        assert await deliver(stage, "d-1", whole) == STORED
        assert (await stage.final("w-1"))["state"] == "COMPLETED"
        cases = await stage.until(lambda: open_cases(stage))

        assert cases == [("return_after_success", task_id)]
        assert await deliver(stage, "d-2", whole) == SEEN
        assert await deliver(stage, "d-3", orjson.dumps(back)) == SEEN
        assert await counted(stage) == {"stored": 2, "ignored": 3, "seen": 8}
        assert await open_cases(stage) == cases


async def test_what_is_seen_before_and_says_something_else_is_a_case(stage):
    task_id = await executing(stage, "w-1")
    paid, back = (an_event(task_id, kind) for kind in ("succeeded", "returned"))
    await deliver(stage, "evt-1", orjson.dumps(paid))
    await stage.final("w-1")

    again = orjson.dumps(paid | {"sent_at": 1, "message": "third try"})
    assert await deliver(stage, "evt-1", again) == SEEN
    assert await counted(stage) == {"stored": 1, "seen": 1}
    for _ in range(2):
        assert await deliver(stage, "evt-1", orjson.dumps(back)) == SEEN
    cases = await stage.until(lambda: open_cases(stage))

    assert cases == [("return_after_success", task_id)]
    assert await counted(stage) == {"stored": 1, "seen": 1, "differs": 2}
    assert (await stage.order("w-1"))["tasks"][0]["state"] == "SUCCEEDED"


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}"])
async def test_a_signed_ping_is_answered_and_counted(stage, body):
    assert await deliver(stage, "evt-1", body) == IGNORED

    assert await counted(stage) == {"ignored": 1}


async def test_another_systems_event_is_taken_and_rings_for_nobody(stage):
    about = orjson.dumps(an_event("inv-2026-7", "succeeded"))

    assert await deliver(stage, "evt-1", about) == STORED
    assert await deliver(stage, "evt-1", about) == SEEN

    assert await counted(stage) == {"ignored": 1, "seen": 1}
    assert stage.letters == []
