"""Core: 200 is done, 409 and 422 with a reason are a no, all else is neither."""

from contextlib import asynccontextmanager
from datetime import timedelta

import orjson
import pytest
from aiohttp import web

from fsm.domain.errors import CoreUnavailable
from fsm.domain.money import Money
from handlers.ports.core import BalanceCall, Confirmed, Operation, Refused
from providers.core import HttpCore
from providers.http.outbound import Outbound

CALL = BalanceCall(
    task_id="t-1",
    queue_id="q-1",
    order_id="w-1",
    merchant_id="m-1",
    provider="acme",
    terminal_id=None,
    money=Money(12550, "EUR"),
)
TOKEN = "t0k3n"
NO = {"code": "insufficient_funds", "message": "not enough"}


class FakeCore:
    """Answers everything with one status and one body, and remembers the question."""

    def __init__(self, status, body):
        self._answer = status, body
        self.asked = []

    async def handle(self, request):
        body = orjson.loads(await request.read())
        self.asked.append((request.method, request.path, dict(request.headers), body))
        status, body = self._answer
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        return web.Response(status=status, body=raw)


@asynccontextmanager
async def core_saying(status, body=b"", *, base_url=None, token=TOKEN):
    fake = FakeCore(status, body)
    runner = web.ServerRunner(web.Server(fake.handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = base_url or f"http://127.0.0.1:{runner.addresses[0][1]}/api"
    async with Outbound() as outbound:
        limit = timedelta(seconds=2)
        core = HttpCore(outbound, base_url=url, token=token, timeout=limit)
        yield core, fake
    await runner.cleanup()


@pytest.mark.parametrize("operation", list(Operation))
async def test_the_question_is_that_of_the_contract(operation):
    async with core_saying(200, {}) as (core, fake):
        assert await core.balance(operation, CALL) == Confirmed()

    ((method, path, headers, body),) = fake.asked
    assert (method, path) == ("POST", f"/api/v1/balance/{operation}")
    assert headers["Idempotency-Key"] == f"t-1:{operation}"
    assert headers["Authorization"] == "Bearer t0k3n"
    assert body == {
        "task_id": "t-1",
        "queue_id": "q-1",
        "order_id": "w-1",
        "merchant_id": "m-1",
        "provider": "acme",
        "terminal_id": None,
        "amount": 12550,
        "currency": "EUR",
    }


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"status": "ok", "error": None, "errors": []},
        {"task_id": "t-1", "amount": 12550, "currency": "EUR"},
    ],
)
async def test_200_with_an_object_is_done(body):
    async with core_saying(200, body) as (core, _):
        assert await core.balance(Operation.COMMIT, CALL) == Confirmed()


@pytest.mark.parametrize("status", [409, 422])
async def test_a_reasoned_no_is_final(status):
    async with core_saying(status, NO) as (core, _):
        answer = await core.balance(Operation.FREEZE, CALL)

    assert answer == Refused("insufficient_funds", "not enough")


UNREASONED: list[object] = [
    b"",
    b"<html>",
    [],
    {},
    {"code": "no"},
    {"message": "no"},
    {"code": "", "message": "no"},
    {"code": 7, "message": "no"},
    {"code": None, "message": "no"},
    {"code": "no", "message": None},
    {"code": "a\nb", "message": "no"},
    b'{"code":"a","code":"b","message":"no"}',
]
OTHER = [201, 202, 204, 301, 400, 401, 403, 404, 408, 410, 425, 429, 500, 502, 503, 504]
UNDEFINED = [(s, NO) for s in OTHER] + [(s, b) for s in (409, 422) for b in UNREASONED]


@pytest.mark.parametrize(("status", "body"), UNDEFINED)
async def test_everything_else_is_no_answer(status, body):
    async with core_saying(status, body) as (core, _):
        with pytest.raises(CoreUnavailable, match=str(status)):
            await core.balance(Operation.FREEZE, CALL)


CAUGHT = {
    b"": "the body is empty",
    b"OK": "no JSON",
    b"[]": "a list",
    b'"done"': "a text",
    b"null": "a number or null",
    b"<!doctype html><html>Welcome": "an HTML page",
    b"\xef\xbb\xbf{}": "byte order mark",
    b"\x1f\x8b\x08": "gzip",
    b'{"a":1,"a":1}': "a name occurs twice",
    b'{"task_id": "t-1"': "cut off",
    b'{"error": "no such path"}': "says an error",
    b'{"errors": [{"code": 7}]}': "says an error",
    b'{"success": false}': "says an error",
}


@pytest.mark.parametrize("body", CAUGHT)
async def test_a_page_that_answers_everything_is_no_yes(body):
    async with core_saying(200, body) as (core, _):
        for operation in Operation:
            with pytest.raises(CoreUnavailable, match=CAUGHT[body]):
                await core.balance(operation, CALL)


async def test_a_redirection_names_the_setting_to_mend():
    async with core_saying(308, {}) as (core, _):
        with pytest.raises(CoreUnavailable, match=r"308.*PAYMENT_CORE_URL"):
            await core.balance(Operation.FREEZE, CALL)


@pytest.mark.parametrize("status", [200, 409])
@pytest.mark.parametrize(
    "echo",
    [{"amount": 12551}, {"amount": "12550"}, {"currency": "USD"}, {"task_id": "t-2"}],
)
async def test_an_answer_about_something_else_is_loud_and_no_answer(status, echo):
    async with core_saying(status, NO | echo) as (core, _):
        with pytest.raises(CoreUnavailable, match="ECHO MISMATCH") as raised:
            await core.balance(Operation.COMMIT, CALL)

    assert next(iter(echo)) in str(raised.value)


async def test_a_core_that_is_not_there_is_unavailable():
    async with core_saying(200, base_url="http://127.0.0.1:9") as (core, _):
        with pytest.raises(CoreUnavailable, match="freeze: no connection"):
            await core.balance(Operation.FREEZE, CALL)
        with pytest.raises(CoreUnavailable, match="notification: no connection"):
            await core.notify({"event_id": "e-1"})


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_2xx_takes_the_notification(status):
    event = {"event_id": "e-1", "type": "withdrawal.completed"}
    async with core_saying(status) as (core, fake):
        await core.notify(event)

    ((method, path, headers, body),) = fake.asked
    assert (method, path) == ("POST", "/api/v1/notifications")
    assert (headers["Idempotency-Key"], body) == ("e-1", event)


@pytest.mark.parametrize("status", [302, 400, 409, 422, 500])
async def test_no_other_status_takes_it(status):
    async with core_saying(status, NO) as (core, _):
        with pytest.raises(CoreUnavailable, match=str(status)):
            await core.notify({"event_id": "e-1"})


async def test_without_a_token_none_is_sent():
    async with core_saying(200, {}, token=None) as (core, fake):
        await core.balance(Operation.FREEZE, CALL)

    assert "Authorization" not in fake.asked[0][2]
