"""Simulated partners: a check is booked once, and decided cards stand in the file."""

import csv
import io

import aiohttp
import pytest

from providers.testing.simulator import (
    InjectedFault,
    LinkState,
    PartnerBook,
    SimulatedPartner,
    Simulator,
)
from providers.testing.simulator.config import simulator_from


class Caller:
    """Calls a simulator as the service would, at times of the test's choosing."""

    def __init__(self, path=None):
        self.now = 1_000.0
        self.simulator = Simulator(
            [],
            partners=[
                SimulatedPartner(name="northbank"),
                SimulatedPartner(name="southbank", answers_again=False),
            ],
            partner_book=PartnerBook(path),
            now=lambda: self.now,
        )

    @property
    def book(self):
        return self.simulator.partners.book

    async def ask(self, n=1, script="succeed", *, partner="northbank", **changes):
        body = {
            "task_id": "t-1",
            "customer_id": "c-1",
            "card": {"token": f"tok_sim:{script}"},
            **changes,
        }
        key = f"{body['task_id']}:{n}"
        path = "revocations" if n == "revoked" else "eligibility"
        return await self.post(f"/{partner}/{path}", body, key)

    async def post(self, path, body, key):
        headers = {"Idempotency-Key": key} if key else {}
        async with (
            aiohttp.ClientSession() as http,
            http.post(self.simulator.url + path, json=body, headers=headers) as answer,
        ):
            return answer.status, await answer.json(content_type=None)

    async def get(self, path, **headers):
        async with (
            aiohttp.ClientSession() as http,
            http.get(self.simulator.url + path, headers=headers) as answer,
        ):
            return answer.status, await answer.read(), answer.headers


@pytest.fixture
async def caller():
    made = Caller()
    await made.simulator.start()
    yield made
    await made.simulator.stop()


@pytest.mark.parametrize(
    ("script", "result"),
    [
        ("succeed", "eligible"),
        ("decline", "not_eligible"),
        ("silence_succeed", "multi_match"),
    ],
)
async def test_a_script_says_what_a_card_is(caller, script, result):
    status, told = await caller.ask(script=script)

    assert (status, told["result"], told["key"]) == (200, result, "t-1:1")
    assert ("code" in told) is (result == "not_eligible")


async def test_a_key_that_comes_again_is_answered_as_before(caller):
    script = "silence_succeed"
    first = await caller.ask(1, script)
    caller.now += 10
    again = await caller.ask(1, script)
    next_one = await caller.ask(2, script, check="fallback")

    assert first == again
    assert next_one[1]["result"] == "eligible"
    assert len(caller.book.links) == 1


async def test_a_partner_that_reconciles_by_file_tells_nothing_else(caller):
    options = {"partner": "southbank", "check": "fallback"}
    await caller.ask(1, "silence_fail", partner="southbank")
    before = await caller.get("/southbank/files/links.csv")
    caller.now += 10
    told = await caller.ask(2, "silence_fail", **options)
    status, body, headers = await caller.get("/southbank/files/links.csv")
    unchanged = await caller.get(
        "/southbank/files/links.csv", **{"If-None-Match": headers["ETag"]}
    )

    assert before[0] == 404
    assert told[1]["result"] == "multi_match"
    assert status == 200
    (line,) = csv.DictReader(io.StringIO(body.decode()))
    assert line == {
        "reference": "t-1",
        "customer": "c-1",
        "card": "tok_sim:silence_fail",
        "outcome": "not_eligible",
        "reason": "account_closed",
        "decided at": "1970-01-01T00:16:42.000000Z",
    }
    assert unchanged[0] == 304


async def test_a_lost_answer_is_booked_or_not_as_the_script_says(caller):
    with pytest.raises(aiohttp.ClientError):
        await caller.ask(1, "commit_reset")
    taken = len(caller.book.links)
    with pytest.raises(aiohttp.ClientError):
        await caller.ask(1, "reset", task_id="t-2")

    assert (taken, len(caller.book.links)) == (1, 1)
    assert (await caller.ask(1, "commit_reset"))[1]["result"] == "eligible"


@pytest.mark.parametrize(
    ("body", "key", "code"),
    [
        ({"customer_id": "c", "card": {"token": "k"}}, "", "bad_request"),
        ({"customer_id": "c", "card": {"token": "k"}}, "t-1", "bad_request"),
        ({"customer_id": "c", "card": "k"}, "t-1:1", "bad_request"),
        ({"card": {"token": "k"}}, "t-1:1", "bad_request"),
        (
            {"customer_id": "c", "card": {"token": "k"}, "task_id": "t-2"},
            "t-1:1",
            "key_of_another",
        ),
    ],
)
async def test_whoever_breaks_the_contract_is_told(caller, body, key, code):
    status, told = await caller.post("/northbank/eligibility", body, key)

    assert (status, told["code"]) == (400, code)


async def test_the_same_task_with_another_card_is_a_mistake(caller):
    await caller.ask(1)
    status, told = await caller.ask(1, "decline")

    assert (status, told["code"]) == (400, "key_reused")


async def test_a_fault_strikes_a_partner_by_its_name(caller):
    fault = {"kind": "error", "operation": "northbank.eligibility", "status": 503}
    caller.simulator.faults.set(InjectedFault.parse(fault))

    assert (await caller.ask())[0] == 503
    assert (await caller.ask(partner="southbank"))[0] == 200


async def test_the_book_survives_a_kill(tmp_path):
    path = tmp_path / "links.jsonl"
    first = Caller(path)
    await first.simulator.start()
    await first.ask(1, "silence_succeed")
    first.now += 10
    await first.ask(2, "silence_succeed", check="fallback")
    await first.ask("revoked", "silence_succeed")
    await first.simulator.stop()

    again = PartnerBook(path)

    assert again.links["t-1"].state is LinkState.ELIGIBLE
    assert again.links["t-1"].told_revoked
    assert [*again.links["t-1"].said.values()] == ["multi_match", "eligible"]


async def test_the_book_is_held_against_cores(caller):
    await caller.ask(1)
    await caller.ask(1, "decline", task_id="t-2")
    await caller.ask("revoked")

    assert caller.book.against({}) == []
    assert caller.book.against({"t-1": "revoked", "t-3": "revoked"}) == []
    assert caller.book.against({"t-1": "granted"}) == [
        "t-1: the partner was told of a revoke, and it stands"
    ]
    assert caller.book.against({"t-2": "confirmed"}) == [
        "t-2: confirmed, and the partner says not_eligible"
    ]
    assert caller.book.against({"t-3": "granted"}) == [
        "t-3: granted for a card that was never asked about"
    ]


async def test_the_admin_sees_where_each_card_stands(caller):
    await caller.ask(1)

    status, body, _ = await caller.get("/_partners")
    _, book, _ = await caller.get("/_partner_book")

    assert status == 200
    assert b'"state":"eligible"' in body
    assert b'"taken"' in book


async def test_a_table_makes_partners():
    made = simulator_from(
        {"partners": {"n": {"script": "decline"}, "s": {"answers_again": False}}}
    )

    assert "n" in made.partners
    assert "s" in made.partners
