"""The invented providers of ops/examples, played after their own pages, end to end."""

import asyncio
import base64
import hashlib
import hmac
import itertools
import time
from collections import Counter
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import nats
import orjson
import pytest
from aiohttp import web
from pydantic import SecretStr

from fsm.domain.keys import ApiKey, KeyRole
from fsm.domain.money import Money
from handlers.ports.provider import (
    Accepted,
    Cancelled,
    Declined,
    NotFound,
    NotSent,
    Payout,
    Succeeded,
    TooLate,
    Unclear,
)
from payment_service.settings import Settings
from payment_service.wiring.run import run
from providers.config import parse_config
from providers.http.outbound import Outbound
from providers.registry import build_providers
from providers.rest.statement import DeclaredStatement
from providers.testing.simulator import Simulator
from providers.testing.simulator.core import SimulatedCore
from tests.service.stage import KEYS, Stage, _free_port, _listen, a_withdrawal

EXAMPLES = Path(__file__).parents[3] / "ops" / "examples"
ENVIRONMENT = {
    "LUMEN_USER": "merchant",
    "LUMEN_PASSWORD": "a {password}: with everything",
    "LUMEN_SIGNING_SECRET": "lumen's signing secret",
    "QUIPU_KEY": "quipu's key",
    "QUIPU_KEY_ID": "k-1",
    "QUIPU_CALLBACK_KEY": "quipu's callback key",
}
QUICK = """
poll = { first = "100ms", max = "300ms", deadline = "2s" }
recheck = { first = "100ms", max = "300ms", attempts = 8 }
"""
NAMES = ("lumen", "quipu")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Played:
    """A provider's server: its book, and what the token of a payout asks of it.

    paid, declined, later, fails, waits, lost (booked, but the answer never comes),
    missed (not booked the first time), busy (the first time).
    """

    session: aiohttp.ClientSession

    def __init__(self):
        self.book = {}
        self.paid: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self.asked = []
        self.calls = set()
        self.numbers = itertools.count(1)

    def routes(self):
        raise NotImplementedError

    @asynccontextmanager
    async def served(self):
        app = web.Application()
        app.add_routes(self.routes())
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            async with aiohttp.ClientSession() as self.session:
                yield f"http://127.0.0.1:{runner.addresses[0][1]}"
                await asyncio.gather(*self.calls)
        finally:
            await runner.cleanup()

    def drops(self, request, script, reference):
        """Break the connection where the script says so."""
        self.seen[reference] += 1
        if (script, self.seen[reference]) in {("lost", 1), ("missed", 1)}:
            request.transport.abort()
            return True
        return False

    def call(self, url, headers, body):
        task = asyncio.create_task(self._call(url, headers, body))
        self.calls.add(task)

    async def _call(self, url, headers, body):
        headers = {"Content-Type": "application/json", **headers}
        async with self.session.post(url, data=body, headers=headers) as answer:
            assert answer.status in {200, 202}, await answer.text()


def script_of(token):
    return token.removeprefix("tok_").partition("#")[0]


class Lumen(Played):
    """After ops/examples/lumen/README.md."""

    def routes(self):
        one = "/v3/transfers/by-external-id/{id}"
        return [
            web.post("/v3/transfers", self.create),
            web.get("/v3/transfers", self.list),
            web.get(one, self.show),
            web.post(f"{one}/revoke", self.revoke),
        ]

    def secure(self, request):
        given = aiohttp.BasicAuth.decode(request.headers["Authorization"], "utf-8")
        assert given.login == ENVIRONMENT["LUMEN_USER"]
        assert given.password == ENVIRONMENT["LUMEN_PASSWORD"]

    async def create(self, request):
        self.secure(request)
        asked = orjson.loads(await request.read())
        self.asked.append(asked)
        known = self.book.get(asked["externalId"])
        script = script_of(asked["beneficiary"]["token"])
        if script == "declined":
            return self.error(422, "LIMIT_EXCEEDED")
        if script == "busy" and not self.seen["busy"]:
            self.seen["busy"] = 1
            return self.error(429, "SLOW_DOWN", {"Retry-After": "1"})
        if known and known["value"] != asked["value"]:
            return self.error(409, "DUPLICATE")
        dropped = self.drops(request, script, asked["externalId"])
        if not known and not (dropped and script == "missed"):
            known = self.admit(asked, script)
        return web.Response() if dropped else web.json_response(known, status=201)

    def admit(self, asked, script):
        state = "PAID" if script in {"paid", "lost", "missed", "busy"} else "NEW"
        made = {
            "transferId": next(self.numbers),
            "externalId": asked["externalId"],
            "state": state,
            "value": asked["value"],
        }
        self.book[asked["externalId"]] = made
        self.paid[asked["externalId"]] += state == "PAID"
        if script in {"later", "fails"}:
            event = "transfer.paid" if script == "later" else "transfer.rejected"
            self.notify(asked["notifyUrl"], event, made)
        return dict(made)

    def notify(self, url, event, made):
        made["state"] = "PAID" if event == "transfer.paid" else "REJECTED"
        if made["state"] == "REJECTED":
            made["error"] = {"code": "CARD_BLOCKED", "text": "the card is blocked"}
        else:
            self.paid[made["externalId"]] += 1
        told = {"notification": f"n-{next(self.numbers)}", "sequence": 1}
        body = orjson.dumps({**told, "event": event, "transfer": made})
        at = str(int(time.time()))
        key = ENVIRONMENT["LUMEN_SIGNING_SECRET"].encode()
        mac = hmac.digest(key, at.encode() + body, hashlib.sha256)
        signature = base64.b64encode(mac).decode()
        self.call(url, {"X-Lumen-Time": at, "X-Lumen-Signature": signature}, body)

    async def show(self, request):
        self.secure(request)
        found = self.book.get(request.match_info["id"])
        return (
            web.json_response(found) if found else self.error(404, "NO_SUCH_TRANSFER")
        )

    async def revoke(self, request):
        self.secure(request)
        found = self.book[request.match_info["id"]]
        if found["state"] != "NEW":
            return self.error(409, "TOO_LATE")
        found["state"] = "REVOKED"
        return web.json_response(found)

    async def list(self, request):
        self.secure(request)
        at = 2 * (int(request.query["page"]) - 1)
        return web.json_response({"transfers": [*self.book.values()][at : at + 2]})

    def error(self, status, code, headers=None):
        body = {"error": {"code": code, "text": code.lower()}}
        return web.json_response(body, status=status, headers=headers)


class Quipu(Played):
    """After ops/examples/quipu/README.md."""

    callback = ""

    def routes(self):
        return [
            web.post("/gw/payout/new", self.create),
            web.get("/gw/payout", self.show),
            web.post("/gw/payout/recall", self.recall),
            web.post("/gw/payout/list", self.list),
        ]

    async def read(self, request):
        body = await request.read()
        at = request.headers["X-Quipu-Time"]
        lines = [request.method, request.raw_path, at, body.decode()]
        mac = hmac.digest(b"quipu's key", "\n".join(lines).encode(), "sha512")
        assert request.headers["X-Quipu-Sign"] == mac.hex()
        assert request.headers["X-Quipu-Key"] == "k-1"
        assert abs(time.time() * 1000 - int(at)) < 60_000
        return orjson.loads(body) if body else {}

    async def create(self, request):
        asked = await self.read(request)
        self.asked.append(asked)
        order, script = asked["order"], script_of(asked["to"]["id"])
        if script == "declined":
            return self.answer(3002, "too much")
        if script == "busy" and not self.seen["busy"]:
            self.seen["busy"] = 1
            return self.answer(9001, "busy")
        if order["ref"] in self.book:
            return self.answer(2002, "exists")
        dropped = self.drops(request, script, order["ref"])
        if dropped and script == "missed":
            return web.Response()
        made = self.admit(order, script)
        return web.Response() if dropped else self.answer(0, "ok", {"order": made})

    def admit(self, order, script):
        paid = script in {"paid", "lost", "missed", "busy"}
        number = next(self.numbers)
        made = {
            "id": f"q{number}",
            "ref": order["ref"],
            "st": 2 if paid else 0,
            "sum": order["sum"],
            "cur": order["cur"],
        }
        self.book[order["ref"]] = made
        self.paid[order["ref"]] += paid
        if script in {"later", "fails"}:
            self.tell(dict(made), 2 if script == "later" else 3)
        return made

    def tell(self, order, st):
        self.book[order["ref"]] = order
        order["st"] = st
        if st == 3:
            order["why"] = 51
        else:
            self.paid[order["ref"]] += 1
        told = {"uid": f"u-{next(self.numbers)}", "st": st, "order": order}
        body = orjson.dumps({**told, "at": "2026-01-01T12:00:00Z"})
        at = str(time.time_ns() // 10**6)
        key = ENVIRONMENT["QUIPU_CALLBACK_KEY"].encode()
        mac = hmac.digest(key, at.encode() + b"." + body, hashlib.sha256)
        headers = {"X-Quipu-Time": at, "X-Quipu-Sign": mac.hex()}
        self.call(self.callback, headers, body)

    async def show(self, request):
        await self.read(request)
        found = self.book.get(request.query["ref"])
        return self.answer(0, "ok", {"order": found}) if found else self.answer(2001)

    async def recall(self, request):
        found = self.book[(await self.read(request))["ref"]]
        if found["st"] > 1:
            return self.answer(3009, "too late")
        found["st"] = 4
        return self.answer(0, "ok", {"order": found})

    async def list(self, request):
        asked = await self.read(request)
        at = int(asked.get("after", "0"))
        found = {"orders": [*self.book.values()][at : at + 2]}
        more = {"more": str(at + 2)} if at + 2 < len(self.book) else {}
        return self.answer(0, "ok", found | more)

    def answer(self, code, info="", data=None):
        told = {"result": {"code": code, "info": info}}
        return web.json_response(told if data is None else told | {"data": data})


PLAYED = {"lumen": (Lumen, "/v3"), "quipu": (Quipu, "")}


def table(name, url, sla="5s"):
    text = (EXAMPLES / name / "payment.toml").read_text()
    host, path = {
        "lumen": ("https://api.lumen.example/v3", "/v3"),
        "quipu": ("https://gw.quipu.example", ""),
    }[name]
    lines = {
        'adapter = "rest"': f'adapter = "rest"{QUICK}',
        host: url + path,
        'timeout = "10s"': 'timeout = "1s"',
        'timeout = "8s"': 'timeout = "1s"',
        'not_found_grace = "1m"': 'not_found_grace = "1100ms"',
        'sla = "15m"': f'sla = "{sla}"',
        'sla = "10m"': f'sla = "{sla}"',
    }
    for line, changed in lines.items():
        text = text.replace(line, changed)
    return text


def configured(text):
    limit = timedelta(seconds=30)
    return parse_config(text, ack_wait=limit, environment=ENVIRONMENT)


@asynccontextmanager
async def connected(name, callback_url=None):
    played = PLAYED[name][0]()
    async with played.served() as url, Outbound() as out:
        config = configured(table(name, url))
        made = build_providers(config, out, public_url=callback_url).get(name)
        yield made, played, config.providers[name], out


def payout(script="paid", number=1, amount=12550, currency="EUR"):
    return Payout(
        reference=f"018f0000-0000-7000-8000-{number:012}",
        money=Money(amount, currency),
        destination={"type": "card", "token": f"tok_{script}#1"},
        terminal_id="t-1",
    )


# Each provider by itself.


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ("paid", Succeeded),
        ("waits", Accepted),
        ("declined", Declined),
        ("lost", Unclear),
        ("missed", Unclear),
        ("busy", Unclear),
    ],
)
async def test_a_create_is_understood(name, script, kind):
    async with connected(name) as (provider, played, *_):
        answer = await provider.create(payout(script))

    assert type(answer) is kind
    assert len(played.asked) == 1


@pytest.mark.parametrize("name", NAMES)
async def test_what_became_of_it_is_asked(name):
    async with connected(name) as (provider, *_):
        assert isinstance(await provider.status(payout()), NotFound)
        await provider.create(payout("lost"))
        paid = await provider.status(payout("lost"))

    assert isinstance(paid, Succeeded)
    assert (paid.amount, paid.currency) == (12550, "EUR")


@pytest.mark.parametrize("name", NAMES)
async def test_it_is_cancelled_or_too_late(name):
    async with connected(name) as (provider, *_):
        await provider.create(payout("waits", 1))
        await provider.create(payout("paid", 2))

        cancelled = await provider.cancel(payout(number=1))
        assert isinstance(cancelled, Cancelled)
        assert cancelled.evidence["http_status"] == 200
        assert isinstance(await provider.cancel(payout(number=2)), TooLate)
        assert isinstance(await provider.status(payout(number=1)), Declined)


async def test_lumen_hears_what_its_page_says():
    async with connected("lumen", "https://me.example") as (lumen, played, *_):
        await lumen.create(payout(amount=1255, currency="JPY"))

    assert played.asked == [
        {
            "externalId": payout().reference,
            "value": {"amount": "1255", "currency": "JPY"},
            "beneficiary": {"kind": "card", "token": "tok_paid#1"},
            "outlet": "t-1",
            "notifyUrl": "https://me.example/webhooks/lumen",
        }
    ]


async def test_quipu_hears_what_its_page_says():
    async with connected("quipu") as (quipu, played, *_):
        await quipu.create(payout())

    reference = payout().reference.replace("-", "")
    assert played.asked == [
        {
            "order": {"ref": reference, "sum": 12550, "cur": "eur", "route": "t-1"},
            "to": {"how": "card", "id": "tok_paid#1"},
        }
    ]


async def test_a_busy_provider_says_when_to_come_back():
    async with connected("lumen") as (lumen, *_):
        answer = await lumen.create(payout("busy"))

    assert answer.evidence["retry_after"] == "1"


async def test_a_second_create_of_quipu_exists_and_is_no_no():
    async with connected("quipu") as (quipu, played, *_):
        await quipu.create(payout("lost"))
        again = await quipu.create(payout("lost"))

    assert isinstance(again, Unclear)
    assert sum(played.paid.values()) == 1


@pytest.mark.parametrize("name", NAMES)
async def test_where_a_destination_lacks_a_part_nothing_is_sent(name):
    async with connected(name) as (provider, played, *_):
        bare = Payout(
            reference=payout().reference,
            money=payout().money,
            destination={"type": "iban"},
            terminal_id=None,
        )

        assert isinstance(await provider.create(bare), NotSent)
        assert played.asked == []


@pytest.mark.parametrize("name", NAMES)
async def test_its_statement_is_read_to_the_end(name):
    async with connected(name) as (provider, _, config, out):
        for number in range(1, 6):
            await provider.create(payout("paid", number))
        statement = DeclaredStatement(config, config.statement, out)
        pages = [page async for page in statement.pages(NOW, NOW)]

    rows = [row for page in pages for row in page.rows]
    assert [row["reference"] for row in rows] == [
        payout(number=n).reference for n in range(1, 6)
    ]
    assert {(r["status"], r["amount"], r["currency"]) for r in rows} == {
        ("succeeded", 12550, "EUR")
    }


# The whole service.


@asynccontextmanager
async def staged(database_url, nats_url, prefix, sla="5s"):
    """Run the service with the invented providers; return it and them."""
    lumen, quipu = Lumen(), Quipu()
    async with lumen.served() as first, quipu.served() as second:
        text = table("lumen", first, sla) + table("quipu", second, sla)
        async with _running(database_url, nats_url, prefix, configured(text)) as stage:
            quipu.callback = f"{stage.url}/webhooks/quipu"
            yield stage, {"lumen": lumen, "quipu": quipu}


@asynccontextmanager
async def _running(database_url, nats_url, prefix, config):
    core = SimulatedCore(token="core-token")
    await core.start("127.0.0.1", 0)
    client = await nats.connect(nats_url)
    port = _free_port()
    settings = Settings(
        _env_file=None,
        database_url=database_url,
        nats_url=nats_url,
        core_url=core.url,
        core_token=SecretStr("core-token"),
        core_timeout=timedelta(seconds=1),
        http_port=port,
        public_url=f"http://127.0.0.1:{port}",
        subject_prefix=prefix,
        sweep_interval=timedelta(milliseconds=200),
        sweep_grace=timedelta(seconds=3),
        log_level="error",
        api_keys=tuple(
            ApiKey(role, KeyRole(role), hashlib.sha256(key.encode()).digest())
            for role, key in KEYS.items()
        ),
    )
    stop, ready = asyncio.Event(), asyncio.Event()
    roles = frozenset({"api", "worker", "relay", "sweeper"})
    running = asyncio.create_task(
        run(settings, config, roles, on_ready=lambda _: ready.set(), stop=stop)
    )
    async with aiohttp.ClientSession() as http:
        nobody = Simulator([])
        stage = Stage(prefix, client, client.jetstream(), http, core, nobody)
        stage.url = f"http://127.0.0.1:{port}"
        try:
            started = asyncio.create_task(ready.wait())
            await asyncio.wait({running, started}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
            await _listen(stage)
            yield stage
        finally:
            stop.set()
            assert await running == 0
            await client.close()
            await core.stop()


@pytest.fixture
async def whole(database_url, nats_server, subject_prefix):
    async with staged(database_url, nats_server.url, subject_prefix) as running:
        yield running


def asked_for(script, *names, **changes):
    cascade = [{"provider": name, "terminal_id": "t-1"} for name in names]
    destination = {"type": "card", "token": f"tok_{script}#w-1"}
    return a_withdrawal(destination=destination, cascade=cascade, **changes)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("script", "state", "paid"),
    [
        ("paid", "COMPLETED", 1),
        ("declined", "FAILED", 0),
        ("later", "COMPLETED", 1),
        ("fails", "FAILED", 0),
        ("lost", "COMPLETED", 1),
        ("missed", "COMPLETED", 1),
        ("busy", "COMPLETED", 1),
    ],
)
async def test_a_withdrawal_comes_to_its_end(whole, name, script, state, paid):
    stage, played = whole

    await stage.ask(asked_for(script, name))

    assert (await stage.final("w-1"))["state"] == state
    assert sum(played[name].paid.values()) == paid
    assert stage.core.holds() == {}
    assert stage.core.check() == []


async def test_a_no_of_the_one_leads_to_the_other(whole):
    stage, played = whole

    await stage.ask(asked_for("declined", "lumen", "quipu"))

    order = await stage.final("w-1")
    assert [t["code"] for t in order["tasks"]] == ["LIMIT_EXCEEDED", "3002"]
    assert played["quipu"].book == {}


@pytest.mark.parametrize("name", NAMES)
async def test_one_that_waits_is_cancelled(whole, name):
    stage, _ = whole
    await stage.ask(asked_for("waits", name))
    await stage.task_in("w-1", "EXECUTING")

    await stage.call(
        "POST", "/v1/orders/w-1/cancel", role="support", body={"reason": "asked to"}
    )

    assert (await stage.final("w-1"))["state"] == "CANCELLED"


@pytest.mark.parametrize("name", NAMES)
async def test_yen_have_no_decimals(whole, name):
    stage, played = whole

    await stage.ask(asked_for("later", name, amount=1255, currency="JPY"))

    assert (await stage.final("w-1"))["state"] == "COMPLETED"
    assert sum(played[name].paid.values()) == 1
