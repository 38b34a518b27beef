"""A service over HTTP: what it definitely says is heard, and all else is unclear."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest
from aiohttp import web

from handlers.ports.services import (
    Fetched,
    LoadCall,
    ServiceCall,
    ServiceDone,
    ServiceNotKnown,
    ServiceNotSent,
    ServicePending,
    ServiceRefused,
    ServiceUnclear,
    ServiceUndone,
)
from providers.config import parse_config
from providers.http.outbound import Outbound
from providers.services import build_services

ORDER = {"order_id": "c-1", "amount": 1250, "currency": "EUR", "loaded": {}}
CALL = ServiceCall(step="payment", task_id="t-1", order=ORDER)
LOAD = LoadCall(name="items", queue_id="q-1", order=ORDER)
CARD = "4111111111111111"
NO = {"code": "declined", "message": "no", "customer_message": "Try another card."}
REFUSED = ServiceRefused(
    code="declined", message="no", customer_message="Try another card."
)


class FakeService:
    """Answers everything with one status and one body, and remembers the question."""

    def __init__(self, status, body, headers):
        self._answer = status, body, headers
        self.asked = []

    async def handle(self, request):
        raw = await request.read()
        told = orjson.loads(raw) if raw else None
        self.asked.append((request.method, request.path, dict(request.headers), told))
        status, body, headers = self._answer
        if status is None:
            request.transport.abort()
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        return web.Response(status=status or 200, body=raw, headers=headers)


@asynccontextmanager
async def service_saying(status, body=b"", *, headers=None, lines="", url=None):
    fake = FakeService(status, body, headers)
    runner = web.ServerRunner(web.Server(fake.handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base_url = url or f"http://127.0.0.1:{runner.addresses[0][1]}/api"
    text = "".join(
        f'[services.{name}]\nbase_url = "{base_url}"\n{lines}\n'
        for name in ("payment", "items")
    )
    config = parse_config(text, ack_wait=timedelta(seconds=30), environment={})
    async with Outbound() as outbound:
        services = build_services(config, outbound)
        yield services, fake
    await runner.cleanup()


def answered(call, status, body=b"", **options):
    """Return what one of ``do``, ``undo``, ``ask`` and ``load`` makes of an answer."""

    async def run():
        async with service_saying(status, body, **options) as (services, _):
            if call == "load":
                return await services.get("items").load(LOAD)
            return await getattr(services.get("payment"), call)(CALL)

    return asyncio.run(run())


CALLS = {
    "do": ("POST", "/api/v1/payment", "t-1:do"),
    "undo": ("POST", "/api/v1/payment/reverse", "t-1:undo"),
    "ask": ("GET", "/api/v1/payment/t-1", None),
    "load": ("POST", "/api/v1/load/items", None),
}


@pytest.mark.parametrize("call", CALLS)
async def test_the_questions_are_those_of_the_contract(call):
    lines = 'token = "t0k3n-of-ours"\nheaders = { X-Team = "checkout" }'
    async with service_saying(200, {}, lines=lines) as (services, fake):
        name, about = ("items", LOAD) if call == "load" else ("payment", CALL)
        await getattr(services.get(name), call)(about)

    ((method, path, headers, body),) = fake.asked
    assert (method, path, headers.get("Idempotency-Key")) == CALLS[call]
    assert headers["Authorization"] == "Bearer t0k3n-of-ours"
    assert headers["X-Team"] == "checkout"
    assert body == (None if call == "ask" else ORDER)


@pytest.mark.parametrize("call", CALLS)
async def test_what_it_is_paid_with_is_not_told_again(call):
    method = {"type": "card", "token": "tok_never_told"}
    order = ORDER | {"payment_method": method}
    said = {
        "code": "declined",
        "message": "card tok_never_told was declined",
        "customer_message": "tok_never_told is no good.",
    }
    name, about = ("items", LOAD) if call == "load" else ("payment", CALL)
    body = said | {"status": "refused"} if call == "ask" else said
    async with service_saying(200 if call == "ask" else 409, body) as (services, _):
        ask = getattr(services.get(name), call)
        answer = await ask(replace(about, order=order))

    assert answer == ServiceRefused(
        code="declined",
        message="card *** was declined",
        customer_message="*** is no good.",
    )


async def test_a_token_that_its_words_were_cut_within_is_not_told_either():
    method = {"type": "card", "token": "tok_never_told_at_all"}
    words = f"{'x' * 285}{method['token']} was declined"
    said = {"code": "declined", "message": words, "customer_message": words}
    async with service_saying(409, said) as (services, _):
        order = ORDER | {"payment_method": method}
        answer = await services.get("payment").do(replace(CALL, order=order))

    assert answer.message == answer.customer_message == f"{'x' * 285}***"


async def test_a_task_id_is_no_path():
    call = ServiceCall(step="payment", task_id="../a?b", order=ORDER)
    async with service_saying(404) as (services, fake):
        await services.get("payment").ask(call)

    assert fake.asked[0][1] == "/api/v1/payment/../a?b"  # as one step, unescaped


@pytest.mark.parametrize(
    ("call", "status", "body", "said"),
    [
        ("do", 200, {"result": {"id": "p-9"}}, ServiceDone(result={"id": "p-9"})),
        ("do", 201, {"result": {}}, ServiceDone()),
        ("do", 200, {"result": {}, "task_id": "t-1"}, ServiceDone()),
        ("do", 409, NO, REFUSED),
        ("do", 422, NO, REFUSED),
        ("do", 422, {"code": "no"}, ServiceRefused(code="no")),
        ("undo", 200, {}, ServiceUndone()),
        ("undo", 204, b"", ServiceUndone()),
        ("undo", 202, {"status": "reversed"}, ServiceUndone()),
        ("undo", 409, NO, REFUSED),
        ("ask", 200, {"status": "done"}, ServiceDone()),
        (
            "ask",
            200,
            {"status": "done", "result": {"id": "p-9"}},
            ServiceDone(result={"id": "p-9"}),
        ),
        ("ask", 200, {"status": "refused"}, ServiceRefused(code="refused")),
        ("ask", 200, {"status": "refused", **NO}, REFUSED),
        ("ask", 200, {"status": "pending"}, ServicePending()),
        ("ask", 404, b"", ServiceNotKnown()),
        ("ask", 404, b"<html>", ServiceNotKnown()),
        ("ask", 404, {"status": 404, "title": "no such thing"}, ServiceNotKnown()),
        ("load", 200, {"stock": 3}, Fetched(content={"stock": 3})),
        ("load", 404, b"", ServiceRefused(code="not_found")),
        ("load", 404, NO, REFUSED),
        ("load", 409, {}, ServiceRefused(code="refused")),
        ("load", 422, NO, REFUSED),
    ],
)
def test_a_definite_answer_is_heard(call, status, body, said):
    assert answered(call, status, body) == said


HTML = b"<!doctype html><html>Welcome"
UNDEFINED = [
    (call, status, body)
    for call in ("do", "undo", "ask", "load")
    for status, body in [
        (200, HTML),
        (200, b"[]"),
        (200, b"null"),
        (200, b'{"result": {}'),
        (200, b'{"result": {}, "result": {}, "status": "done", "status": "done"}'),
        (200, b'{"result": {"a": NaN}, "status": "done"}'),
        (200, b'{"result": {"a": "\\ud800"}, "status": "done"}'),
        (200, b'{"result": {"a": "\\u0000"}, "status": "done"}'),
        (200, b'{"result": {"a": 1e999}, "status": "done"}'),
        (200, {"error": "no route", "result": {}, "status": "done"}),
        (200, {"ok": False, "result": {}, "status": "done"}),
        (200, b"x" * 300_000),
        (302, {"result": {}, "status": "done"}),
        (307, b""),
        (400, NO),
        (401, NO),
        (403, NO),
        (405, b""),
        (408, NO),
        (410, NO),
        (429, NO),
        (500, {"result": {}, "status": "done"}),
        (503, NO),
    ]
    # What an undo came to is neither kept nor sent on: a NUL in it spoils nothing.
    if call != "undo" or b"u0000" not in (body if isinstance(body, bytes) else b"")
] + [
    ("do", 200, b""),
    ("do", 204, b""),
    ("do", 200, {}),
    ("do", 200, {"result": None}),
    ("do", 200, {"result": []}),
    ("do", 200, {"result": "done"}),
    ("do", 200, {"result": {}, "status": "pending"}),
    ("do", 200, {"result": {}, "status": "refused"}),
    ("do", 200, {"result": {}, "task_id": "t-2"}),
    ("do", 200, {"result": {}, "task_id": []}),
    ("do", 200, {"result": {"n": 10**9}, "deep": 1, "task_id": 7}),
    ("do", 409, b""),
    ("do", 409, HTML),
    ("do", 409, {"message": "no"}),
    ("do", 422, {"code": 7}),
    ("do", 422, {"code": ""}),
    ("do", 422, {"code": "two words"}),
    ("do", 422, {"code": "x" * 65}),
    ("do", 422, b'{"code": "a", "code": "b"}'),
    ("do", 422, {"code": "no", "task_id": "t-2"}),
    ("do", 404, NO),
    ("undo", 200, {"status": "pending"}),
    ("undo", 200, {"task_id": "t-2"}),
    ("undo", 404, b""),
    ("undo", 409, b""),
    ("undo", 422, {"message": "no"}),
    ("ask", 200, {}),
    ("ask", 200, {"status": "maybe"}),
    ("ask", 200, {"status": True}),
    ("ask", 200, {"status": ["done"]}),
    ("ask", 200, {"status": "done", "result": 7}),
    ("ask", 200, {"status": "done", "task_id": "t-2"}),
    ("ask", 201, {"status": "done"}),
    ("ask", 404, {"status": "done"}),
    ("ask", 409, NO),
    ("ask", 501, b""),
    ("load", 201, {"stock": 3}),
    ("load", 404, HTML),
]


@pytest.mark.parametrize(("call", "status", "body"), UNDEFINED)
def test_anything_else_is_unclear(call, status, body):
    assert isinstance(answered(call, status, body), ServiceUnclear)


@pytest.mark.parametrize("call", ["do", "load"])
def test_what_cannot_be_stored_and_sent_on_is_not_taken(call):
    deep: object = {}
    for _ in range(300):
        deep = {"a": deep}
    for odd in (2**70, deep):
        body = json.dumps({"result": {"n": odd}}).encode()
        said = answered(call, 200, body)

        assert isinstance(said, ServiceUnclear)
        assert "cannot be kept" in said.because


def test_what_nobody_reads_spoils_no_result():
    body = json.dumps({"result": {"id": 1}, "trace": 2**70}).encode()

    assert answered("do", 200, body) == ServiceDone(result={"id": 1})


@pytest.mark.parametrize("call", ["do", "undo", "ask", "load"])
def test_a_lost_answer_is_unclear_and_what_was_never_sent_is_not(call):
    assert isinstance(answered(call, None), ServiceUnclear)
    said = answered(call, 200, url="http://127.0.0.1:9")
    assert isinstance(said, ServiceNotSent)
    assert not said.lacking


async def test_what_we_lack_ourselves_is_said():
    lines = 'max_in_flight = 1\ntimeout = "400ms"'
    async with service_saying(200, {"result": {}}, lines=lines) as (services, _):
        payment = services.get("payment")
        async with payment._lane._free:
            said = await payment.do(CALL)

    assert isinstance(said, ServiceNotSent)
    assert said.lacking


@pytest.mark.parametrize("call", ["do", "undo", "ask", "load"])
@pytest.mark.parametrize(
    ("status", "told", "after"),
    [
        (429, "7", timedelta(seconds=7)),
        (503, "7", timedelta(seconds=7)),
        (503, "999999", timedelta(minutes=15)),
        (429, "soon", timedelta(0)),
        (500, "7", timedelta(0)),
    ],
)
def test_the_wish_to_be_left_alone_is_heard(call, status, told, after):
    said = answered(call, status, NO, headers={"Retry-After": told})

    assert isinstance(said, ServiceUnclear)
    assert said.after == after


def test_a_redirection_names_the_key_to_mend():
    assert "base_url" in answered("do", 301).because


def test_card_numbers_are_masked_in_what_it_says():
    no = {
        "code": f"card-{CARD}",
        "message": f"{CARD}\nexpired",
        "customer_message": f"{CARD} has expired\x07",
    }

    said = answered("do", 422, no)

    assert CARD not in str(said)
    assert said.message.endswith(" expired")
    assert said.customer_message.endswith("has expired")


def test_a_result_is_not_shown():
    said = answered("do", 200, {"result": {"name": "Ann"}})

    assert "Ann" not in repr(said)


async def test_services_are_found_by_name():
    async with service_saying(200) as (services, _):
        assert services.names() == ["items", "payment"]
        assert services.get("payment").name == "payment"
        assert services.get("fraud") is None
