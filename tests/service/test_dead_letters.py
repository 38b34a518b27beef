import pytest

from providers.testing.simulator import FaultKind, InjectedFault
from tests.service.stage import a_withdrawal, staged


@pytest.fixture
async def impatient(database_url, nats_server, subject_prefix):
    async with staged(
        database_url, nats_server.url, subject_prefix, max_deliver=2
    ) as running:
        yield running


async def test_a_dead_letter_takes_nothing_from_its_task(impatient):
    stage = impatient
    stage.core.faults.set(InjectedFault(kind=FaultKind.DOWN, operation="freeze"))
    await stage.ask(a_withdrawal())
    letter = (await stage.until(lambda: stage.letters))[0]
    assert letter.headers["X-Reason"] == "exhausted"
    assert letter.headers["X-Deliveries"] == "2"
    assert (await stage.order("w-1"))["tasks"][0]["state"] == "PENDING"

    stage.core.faults.set()

    assert (await stage.final("w-1"))["state"] == "COMPLETED"


async def test_a_stuck_row_makes_one_letter_however_often_it_is_rung_for(impatient):
    stage = impatient
    stage.core.faults.set(InjectedFault(kind=FaultKind.DOWN, operation="freeze"))
    await stage.ask(a_withdrawal())
    await stage.until(lambda: stage.letters)
    refused = stage.core.faults.happened

    async def woken_again():
        async with stage.http.get(f"{stage.url}/metrics") as answer:
            page = (await answer.read()).decode()
        return "sweeper_redriven_total 0.0" not in page and sum(refused.values()) > 3

    await stage.until(woken_again)
    _, page = await stage.call("GET", "/v1/dead-letters", role="viewer")

    assert len(page["dead_letters"]) == 1


async def test_a_dead_letter_is_replayed_once(stage):
    await stage.publish("withdrawal.requested", {"order_id": "w-1"})
    await stage.until(lambda: stage.letters)
    _, page = await stage.call("GET", "/v1/dead-letters", role="viewer")
    path = f"/v1/dead-letters/{page['dead_letters'][0]['id']}"

    replayed, _ = await stage.call("POST", f"{path}/replay", role="support")
    # The same rules judge it again: it is as invalid as before.
    await stage.until(lambda: len(stage.letters) == 2)
    body = {"reason": "nobody wants it"}
    discarded, _ = await stage.call(
        "POST",
        f"/v1/dead-letters/{await _open_letter(stage)}/discard",
        role="support",
        body=body,
    )

    assert (replayed, discarded) == (200, 200)


async def _open_letter(stage):
    async def look():
        _, page = await stage.call("GET", "/v1/dead-letters", role="viewer")
        return page["dead_letters"]

    return (await stage.until(look))[0]["id"]
