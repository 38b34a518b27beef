"""The simulated core keeps the contract, whatever is repeated, reordered or faulty."""

import asyncio
import os
import signal
import sys

import aiohttp
import orjson
import pytest

from providers.testing.simulator.core import (
    Account,
    BalanceEntry,
    LedgerOperation,
    SimulatedCore,
)
from providers.testing.simulator.faults import FaultKind, Faults, InjectedFault


def a_call(task="t-1", **changes):
    call = {
        "task_id": task,
        "queue_id": "q-1",
        "order_id": "w-1",
        "merchant_id": "m-1",
        "provider": "acme",
        "terminal_id": "x",
        "amount": 100,
        "currency": "EUR",
    }
    return call | changes


class Caller:
    def __init__(self, core, session):
        self.core = core
        self.session = session

    async def post(self, path, body, *, key=None):
        headers = {"Idempotency-Key": key} if key else {}
        url = self.core.url + path
        async with self.session.post(url, json=body, headers=headers) as got:
            return got.status, await got.json()

    async def get(self, path, **params):
        async with self.session.get(self.core.url + path, params=params) as got:
            return got.status, await got.json()

    async def do(self, operation, task="t-1", **changes):
        call = a_call(task, **changes)
        path = f"/v1/balance/{operation}"
        return await self.post(path, call, key=f"{task}:{operation}")

    async def code_of(self, operation, task="t-1", **changes):
        status, body = await self.do(operation, task, **changes)
        return status, body.get("code")


@pytest.fixture
async def session():
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def serve(session):
    started = []

    async def start(**options):
        core = await SimulatedCore(**options).start()
        started.append(core)
        return Caller(core, session)

    yield start
    for core in started:
        await core.stop()


@pytest.fixture
async def caller(serve):
    return await serve()


def account(caller):
    return caller.core.ledger.accounts["m-1", "EUR"]


async def test_frozen_money_is_paid_out_by_a_commit(serve):
    caller = await serve(initial=1000)

    echo = {"task_id": "t-1", "operation": "freeze", "amount": 100, "currency": "EUR"}
    assert await caller.do("freeze") == (200, echo)
    assert account(caller) == Account(1000, 900, 100, 0)
    assert caller.core.holds() == {"t-1": 100}

    assert await caller.code_of("commit") == (200, None)
    assert account(caller) == Account(1000, 900, 0, 100)
    assert caller.core.holds() == {}
    assert caller.core.check() == []


async def test_a_rollback_gives_the_hold_back(serve):
    caller = await serve(initial=1000)
    await caller.do("freeze")

    assert await caller.code_of("rollback") == (200, None)
    assert account(caller) == Account(1000, 1000, 0, 0)
    assert caller.core.check() == []


@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_a_repeat_is_answered_the_same_and_does_nothing(caller, end):
    for operation in ("freeze", end):
        first = await caller.do(operation)
        assert await caller.do(operation) == first
        assert first[0] == 200

    assert [entry.operation for entry in caller.core.entries] == ["freeze", end]


async def test_repeats_at_the_same_time_have_one_effect(caller):
    await asyncio.gather(*(caller.do("freeze") for _ in range(10)))

    assert len(caller.core.entries) == 1


@pytest.mark.parametrize(
    ("before", "operation", "code"),
    [
        (["freeze", "rollback"], "freeze", "rolled_back"),
        (["freeze", "rollback"], "commit", "rolled_back"),
        (["freeze", "commit"], "rollback", "committed"),
        (["rollback"], "freeze", "rolled_back"),
        (["rollback"], "commit", "rolled_back"),
        ([], "commit", "not_frozen"),
    ],
)
async def test_what_contradicts_is_refused(caller, before, operation, code):
    for each in before:
        assert (await caller.do(each))[0] == 200
    entries = list(caller.core.entries)

    assert await caller.code_of(operation) == (409, code)
    assert caller.core.entries == entries
    assert caller.core.ledger.refusals == {f"{operation}.{code}": 1}


async def test_a_rollback_of_nothing_is_done_and_leaves_no_entry(caller):
    assert await caller.code_of("rollback") == (200, None)
    assert await caller.code_of("rollback") == (200, None)
    assert caller.core.entries == []


@pytest.mark.parametrize("change", [{"amount": 101}, {"currency": "USD"}])
@pytest.mark.parametrize("operation", ["freeze", "commit", "rollback"])
async def test_another_amount_or_currency_is_refused(caller, operation, change):
    await caller.do("freeze")

    assert await caller.code_of(operation, **change) == (409, "mismatch")
    assert caller.core.holds() == {"t-1": 100}


async def test_a_freeze_beyond_the_balance_is_refused_for_good(serve):
    caller = await serve(balances={"m-1": 150})
    await caller.do("freeze", "t-1")

    assert await caller.code_of("freeze", "t-2") == (422, "insufficient_funds")
    await caller.do("rollback", "t-1")
    assert await caller.code_of("freeze", "t-2") == (422, "insufficient_funds")
    assert await caller.code_of("commit", "t-2") == (409, "not_frozen")
    assert await caller.code_of("rollback", "t-2") == (200, None)
    assert caller.core.check() == []


async def test_the_key_must_be_the_task_and_operation(caller):
    for key in (None, "t-1:commit", "t-2:freeze", "t-1"):
        status, _ = await caller.post("/v1/balance/freeze", a_call(), key=key)
        assert status == 400
    assert caller.core.entries == []


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 0},
        {"amount": 1.5},
        {"amount": True},
        {"amount": 2**53},
        {"currency": "eur"},
        {"order_id": None},
        {"task_id": ""},
    ],
)
async def test_a_malformed_call_is_refused_as_such(caller, change):
    body = a_call() | change
    status, _ = await caller.post("/v1/balance/freeze", body, key="t-1:freeze")

    assert status == 400


async def test_a_large_body_is_not_read(caller):
    body = {"padding": "x" * 300_000}

    assert (await caller.post("/v1/balance/freeze", body, key="k"))[0] == 413


async def test_a_token_is_asked_for(serve):
    caller = await serve(token="t0p")
    key, bearer = "t-1:freeze", {"Authorization": "Bearer t0p"}

    assert (await caller.do("freeze"))[0] == 401
    url = caller.core.url + "/v1/balance/freeze"
    headers = bearer | {"Idempotency-Key": key}
    async with caller.session.post(url, json=a_call(), headers=headers) as got:
        assert got.status == 200


# The book.


async def test_entries_come_in_pages_and_by_time(serve):
    moment = iter(range(1_700_000_000, 1_800_000_000))
    caller = await serve(now=lambda: float(next(moment)))
    for number in range(5):
        await caller.do("freeze", f"t-{number}")

    seen: list[dict[str, str]] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": "2", "cursor": cursor}
        _, page = await caller.get("/v1/balance/entries", **query)
        assert len(page["entries"]) <= 2
        seen += page["entries"]
        cursor = page["next_cursor"]
    assert [entry["task_id"] for entry in seen] == [f"t-{n}" for n in range(5)]
    assert seen == caller.core.statement()
    assert seen[0] == {
        "task_id": "t-0",
        "operation": "freeze",
        "amount": 100,
        "currency": "EUR",
        "at": "2023-11-14T22:13:20.000000Z",
    }

    span = {"from": seen[1]["at"], "to": seen[3]["at"]}
    _, some = await caller.get("/v1/balance/entries", **span)
    assert [entry["task_id"] for entry in some["entries"]] == ["t-1", "t-2"]
    assert (await caller.get("/v1/balance/entries", **{"from": "now"}))[0] == 400


async def test_the_book_outlives_its_process(serve, tmp_path):
    book = tmp_path / "core.jsonl"
    first = await serve(book=book, balances={"m-1": 1000})
    await first.do("freeze", "t-1")
    await first.do("commit", "t-1")
    await first.do("freeze", "t-2", queue_id="q-2")
    await first.do("rollback", "t-3")
    await first.do("freeze", "t-4", amount=5000)
    await first.post("/v1/notifications", {"type": "withdrawal.failed"}, key="e-1")
    before = first.core.statement(), first.core.holds(), account(first)
    await first.core.stop()
    with book.open("ab") as torn:
        torn.write(b'{"kind": "entry", "oper')

    again = await serve(book=book, balances={"m-1": 1000})
    assert (again.core.statement(), again.core.holds(), account(again)) == before
    assert again.core.notifications["e-1"].count == 1
    assert await again.code_of("freeze", "t-3") == (409, "rolled_back")
    assert await again.code_of("freeze", "t-4", amount=5000) == (
        422,
        "insufficient_funds",
    )
    assert await again.code_of("commit", "t-2", queue_id="q-2") == (200, None)
    assert again.core.check() == []


async def test_the_check_sees_two_holds_and_two_payments_of_one_order(caller):
    await caller.do("freeze", "t-1")
    await caller.do("freeze", "t-2")
    assert caller.core.check() == ["order w-1: two holds at once"]

    await caller.do("commit", "t-1")
    await caller.do("commit", "t-2")
    assert "order w-1: committed 2 times" in caller.core.check()


async def test_the_check_goes_by_the_book_and_not_by_the_balances(caller):
    await caller.do("freeze")
    account(caller).available += 7

    wrong = "\n".join(caller.core.check())
    assert "does not add up" in wrong
    assert "is not what its entries make of it" in wrong


async def test_the_check_sees_an_impossible_history(caller):
    await caller.do("freeze")
    await caller.do("commit")
    call = caller.core.entries[0].call
    entry = BalanceEntry(at=0.0, operation=LedgerOperation.ROLLBACK, call=call)
    caller.core.ledger.entries.append(entry)

    assert "task t-1: freeze and commit and rollback" in caller.core.check()


# What else core is told.


async def test_a_notification_is_recorded_once_and_counted(caller):
    body = {"type": "withdrawal.completed", "order_id": "w-1", "merchant_id": "m-1"}
    for _ in range(3):
        status, _ = await caller.post("/v1/notifications", body, key="e-1")
        assert status == 200

    assert caller.core.notifications["e-1"].body == body
    assert caller.core.notifications["e-1"].count == 3
    assert caller.core.check() == []
    assert (await caller.post("/v1/notifications", body))[0] == 400


async def test_the_check_sees_an_order_that_ended_twice(caller):
    body = {"type": "withdrawal.completed", "order_id": "w-1", "merchant_id": "m-1"}
    await caller.post("/v1/notifications", body, key="e-1")
    body["type"] = "withdrawal.failed"
    await caller.post("/v1/notifications", body, key="e-2")

    assert caller.core.check() == ["order m-1/withdrawal/w-1 ended twice: e-1 and e-2"]


async def test_the_check_sees_one_event_with_two_contents(caller):
    await caller.post("/v1/notifications", {"type": "a.b"}, key="e-1")
    await caller.post("/v1/notifications", {"type": "a.c"}, key="e-1")

    assert caller.core.check() == ["notification e-1 came with different contents"]


async def test_a_membership_is_granted_confirmed_and_revoked(caller):
    body = {"task_id": "t", "customer_id": "c", "partner": "p", "card_token": "k"}
    steps = [
        ("", "grant", True, "granted"),
        ("", "confirm", False, "confirmed"),
        ("/revoke", "revoke", False, "revoked"),
        ("", "grant", True, "revoked"),
    ]
    for path, verb, provisional, state in steps:
        told = body | {"provisional": provisional}
        answer = await caller.post(f"/v1/memberships{path}", told, key=f"t:{verb}")
        assert answer == (200, {"task_id": "t", "state": state})

    assert caller.core.memberships["t"]["verbs"] == ["grant", "confirm", "revoke"]


@pytest.mark.parametrize(
    ("path", "key"),
    [("", "t:revoke"), ("/revoke", "t:grant"), ("", "u:grant"), ("", "t:confirm")],
)
async def test_a_membership_under_a_wrong_key_is_refused(caller, path, key):
    body = {"task_id": "t", "provisional": True}

    assert (await caller.post(f"/v1/memberships{path}", body, key=key))[0] == 400


# Faults.


def test_faults_strike_by_their_seed():
    def pattern(seed):
        faults = Faults(
            [InjectedFault(kind=FaultKind.DOWN, probability=0.5)], seed=seed
        )
        return [faults._draw("freeze", {})[1] is not None for _ in range(50)]

    assert pattern(1) == pattern(1)
    assert pattern(1) != pattern(2)
    assert 10 < sum(pattern(1)) < 40


async def test_down_breaks_the_connection_and_does_nothing(caller):
    caller.core.faults.set(InjectedFault(kind=FaultKind.DOWN, operation="freeze"))

    with pytest.raises(aiohttp.ClientConnectionError):
        await caller.do("freeze")
    assert caller.core.entries == []
    assert caller.core.faults.happened == {"freeze.down": 1}


async def test_an_error_does_nothing(caller):
    caller.core.faults.set(InjectedFault(kind=FaultKind.ERROR, status=503, times=1))

    assert (await caller.do("freeze"))[0] == 503
    assert caller.core.entries == []
    assert (await caller.do("freeze"))[0] == 200
    assert caller.core.faults.happened == {"freeze.error": 1}


async def test_applied_and_then_an_error(caller):
    caller.core.faults.set(
        InjectedFault(kind=FaultKind.APPLIED_ERROR, operation="commit")
    )
    await caller.do("freeze")

    assert (await caller.do("commit"))[0] == 500
    assert caller.core.holds() == {}


async def test_applied_and_then_dropped(caller):
    caller.core.faults.set(InjectedFault(kind=FaultKind.APPLIED_DROP))

    with pytest.raises(aiohttp.ClientConnectionError):
        await caller.do("freeze")
    assert caller.core.holds() == {"t-1": 100}


async def test_what_was_not_applied_is_no_applied_fault(caller):
    caller.core.faults.set(InjectedFault(kind=FaultKind.APPLIED_DROP))

    assert await caller.code_of("commit") == (409, "not_frozen")
    assert not caller.core.faults.happened


async def test_slow_is_late_and_right(caller):
    caller.core.faults.set(
        InjectedFault(kind=FaultKind.SLOW, delay=0.05),
        InjectedFault(kind=FaultKind.ERROR, times=1),
    )
    began = asyncio.get_running_loop().time()

    assert (await caller.do("freeze"))[0] == 500
    assert asyncio.get_running_loop().time() - began >= 0.05
    assert caller.core.faults.happened == {"freeze.slow": 1, "freeze.error": 1}


async def test_a_refusal_by_fault_concerns_whom_it_names(caller):
    where = {"merchant_id": "m-1"}
    caller.core.faults.set(
        InjectedFault(
            kind=FaultKind.REFUSE, operation="freeze", code="blocked", where=where
        )
    )

    assert await caller.code_of("freeze", "t-1") == (422, "blocked")
    assert (await caller.do("freeze", "t-2", merchant_id="m-2"))[0] == 200
    caller.core.faults.set()
    assert await caller.code_of("freeze", "t-1") == (422, "blocked")


async def test_a_freeze_that_was_done_is_not_refused_on_its_repeat(caller):
    await caller.do("freeze")
    caller.core.faults.set(InjectedFault(kind=FaultKind.REFUSE))

    assert (await caller.do("freeze"))[0] == 200


async def test_a_freeze_after_a_rollback_stays_refused_under_a_fault(caller):
    await caller.do("rollback")
    caller.core.faults.set(InjectedFault(kind=FaultKind.REFUSE))

    assert await caller.code_of("freeze") == (409, "rolled_back")


async def test_a_refused_commit_can_be_asked_again(caller):
    await caller.do("freeze")
    caller.core.faults.set(InjectedFault(kind=FaultKind.REFUSE, status=409, times=1))

    assert await caller.code_of("commit") == (409, "refused")
    assert caller.core.holds() == {"t-1": 100}
    assert (await caller.do("commit"))[0] == 200


async def test_faults_can_be_set_from_another_process(caller):
    faults = [{"kind": "applied_error", "operation": "freeze", "times": 1}]
    status, _ = await caller.post("/_faults", {"faults": faults, "seed": 3})
    assert status == 200
    assert (await caller.do("freeze"))[0] == 500

    _, shown = await caller.get("/_faults")
    assert shown["happened"] == {"freeze.applied_error": 1}
    for wrong in ({"kind": "odd"}, {"kind": "down", "x": 1}, "down"):
        assert (await caller.post("/_faults", {"faults": [wrong]}))[0] == 400


async def test_the_oracle_can_be_asked_from_another_process(caller):
    await caller.do("freeze")
    await caller.code_of("freeze", amount=2)

    _, checked = await caller.get("/_check")
    assert checked == {"wrong": [], "refusals": {"freeze.mismatch": 1}}
    assert (await caller.get("/_holds"))[1] == {"holds": {"t-1": 100}}
    assert (await caller.get("/_notifications"))[1] == {"notifications": {}}
    _, book = await caller.get("/_book")
    assert book["entries"][0]["call"]["order_id"] == "w-1"


async def test_its_process_says_where_it_is_and_stops_when_told(tmp_path, session):
    command = [sys.executable, "-m", "providers.testing.simulator.core"]
    process = await asyncio.create_subprocess_exec(
        *command,
        f"--book={tmp_path / 'core.jsonl'}",
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.curdir},
    )
    assert process.stdout is not None
    ready = orjson.loads(await process.stdout.readline())
    headers = {"Idempotency-Key": "t-1:freeze"}
    url = ready["url"] + "/v1/balance/freeze"
    async with session.post(url, json=a_call(), headers=headers) as got:
        assert got.status == 200

    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(60):
        assert await process.wait() == 0
    assert SimulatedCore(book=tmp_path / "core.jsonl").holds() == {"t-1": 100}


async def test_a_return_takes_back_what_was_committed_once(serve):
    caller = await serve(initial=1000)
    for operation in ("freeze", "commit", "return", "return"):
        assert await caller.code_of(operation) == (200, None)

    assert account(caller) == Account(1000, 1000, 0, 0)
    assert [e.operation for e in caller.core.entries].count("return") == 1
    assert await caller.code_of("rollback") == (409, "committed")
    assert await caller.code_of("commit") == (200, None)
    assert caller.core.check() == []


@pytest.mark.parametrize("before", [(), ("freeze",), ("freeze", "rollback")])
async def test_nothing_is_returned_that_was_not_committed(caller, before):
    for operation in before:
        await caller.do(operation)

    assert await caller.code_of("return") == (409, "not_committed")
    assert caller.core.check() == []
