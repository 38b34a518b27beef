"""A create of several calls over real HTTP: what is lost, late, cut or refused."""

import asyncio
import itertools
from collections import Counter
from contextlib import asynccontextmanager
from datetime import timedelta

import orjson
import pytest
from aiohttp import web

from fsm.domain.money import Money
from handlers.ports.provider import (
    Accepted,
    Declined,
    NotFound,
    NotSent,
    Payout,
    Unclear,
)
from providers.config import ConfigError, parse_config
from providers.http.outbound import Outbound
from providers.registry import build_providers

TABLE = """
[providers.quill]
adapter = "rest"
base_url = "BASE"
timeout = "TIMEOUT"
idempotent_create = true
not_found_grace = "10s"

[[providers.quill.create.before]]
name = "quote"
path = "/quotes"
body = { amount = "{amount}", currency = "{currency}" }
effect = false
repeat = "another"
keep = { quote = "id" }

[[providers.quill.create.before]]
name = "recipient"
path = "/recipients"
body = { ref = "{reference}", token = "{destination.token}" }
effect = false
keep = { recipient = "id" }

[providers.quill.create.before.find]
path = "/recipients"
query = { ref = "{reference}" }
items_at = "found"
reference_at = "ref"

[[providers.quill.create.before]]
name = "transfer"
path = "/transfers"
body = { ref = "{reference}", quote = "{kept.quote}", to = "{kept.recipient}" }
effect = false
repeat = "first"
keep = { provider_reference = "id" }
answers = { amount_at = "amount" }

[providers.quill.create]
path = "/transfers/{kept.provider_reference}/fund"

[providers.quill.status]
path = "/transfers/{provider_reference}"

[providers.quill.answers]
status_at = "state"
status_map = { waiting = "not_found", funded = "accepted", paid = "succeeded" }
reference_at = "ref"
code_at = "code"
error_map = [
    { http = [422], codes = ["BAD_ACCOUNT", "NO_FUNDS"], means = "declined" },
    { http = [409], codes = ["FUNDED"], means = "exists" },
]
"""
CALLS = ("quote", "find", "recipient", "transfer", "fund")
LIMIT = timedelta(seconds=30)
TASK = "018f0000-0000-7000-8000-000000000001"


def payout(amount=12550, theirs=None):
    return Payout(
        reference=TASK,
        money=Money(amount, "EUR"),
        destination={"type": "card", "token": "tok_1"},
        terminal_id=None,
        provider_reference=theirs,
    )


class Quill:
    """The provider: quotes, recipients, transfers by our reference, and money."""

    def __init__(self):
        self.numbers = itertools.count(1)
        self.recipients = {}
        self.transfers = {}
        self.quoted = []
        self.funded: Counter[str] = Counter()
        self.fault = (None, None)
        self.came, self.over = asyncio.Event(), asyncio.Event()
        self.heard = []
        self.late = set()
        self.amount = 12550

    def routes(self):
        return [
            web.post("/quotes", self.met("quote", self.quote)),
            web.get("/recipients", self.met("find", self.find)),
            web.post("/recipients", self.met("recipient", self.recipient)),
            web.post("/transfers", self.met("transfer", self.transfer)),
            web.post("/transfers/{id}/fund", self.met("fund", self.fund)),
            web.get("/transfers/{id}", self.show),
        ]

    def met(self, name, does):
        """Do what is asked, and misbehave once where the fault says so."""

        async def handler(request):
            self.heard.append(name)
            raw = await request.read()
            asked = orjson.loads(raw) if raw else {}
            call, kind = self.fault
            if call != name:
                return does(request, asked)
            self.fault = (None, None)
            return await self.misbehave(kind, request, lambda: does(request, asked))

        return handler

    async def misbehave(self, kind, request, done):
        if kind == "lost":
            done()
        if kind == "late":
            self.late.add(asyncio.create_task(self.later(done)))
        if kind in {"lost", "missed", "late"}:
            request.transport.abort()
            return web.Response()
        if kind == "5xx":
            done()
            return web.json_response({}, status=503)
        if kind == "cut":
            done()
            self.came.set()
            await self.over.wait()
        return web.json_response({"code": kind}, status=422)

    async def later(self, done):
        await asyncio.sleep(0.05)
        done()

    def quote(self, _, asked):
        self.quoted.append(f"q{next(self.numbers)}")
        return web.json_response({"id": self.quoted[-1], "amount": asked["amount"]})

    def find(self, request, _):
        ref = request.query["ref"]
        found = [r for r in self.recipients.values() if r["ref"] == ref]
        return web.json_response({"found": found})

    def recipient(self, _, asked):
        number = next(self.numbers)
        self.recipients[number] = {"id": number, "ref": asked["ref"]}
        return web.json_response(self.recipients[number])

    def transfer(self, _, asked):
        made = {"id": f"t{next(self.numbers)}", "ref": asked["ref"], "state": "waiting"}
        made |= {"amount": self.amount, "quote": asked["quote"]}
        assert asked["to"] in self.recipients
        return web.json_response(self.transfers.setdefault(asked["ref"], made))

    def fund(self, request, _):
        made = self.one(request)
        if self.funded[made["id"]]:
            return web.json_response({"code": "FUNDED"}, status=409)
        self.funded[made["id"]] += 1
        made["state"] = "funded"
        return web.json_response({"state": "funded"})

    async def show(self, request):
        return web.json_response(self.one(request))

    def one(self, request):
        theirs = request.match_info["id"]
        return next(t for t in self.transfers.values() if t["id"] == theirs)


@asynccontextmanager
async def connected(limit="5s", moving=None):
    quill = Quill()
    app = web.Application()
    app.add_routes(quill.routes())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        text = TABLE.replace("BASE", url).replace("TIMEOUT", limit)
        if moving is not None:
            before, name, after = text.partition(f'name = "{moving}"')
            text = before + name + after.replace("effect = false", "effect = true", 1)
        config = parse_config(text, ack_wait=LIMIT, environment={})
        async with Outbound() as out:
            yield build_providers(config, out, public_url=None).get("quill"), quill
            await asyncio.gather(*quill.late)
    finally:
        quill.over.set()
        await runner.cleanup()


async def test_the_calls_are_made_in_order_and_carry_values_on():
    async with connected() as (provider, quill):
        answer = await provider.create(payout())

    assert quill.heard == list(CALLS)
    made = quill.transfers[TASK]
    assert answer == Accepted(reference=made["id"], evidence=answer.evidence)
    kept = {"quote": "q1", "recipient": "2", "provider_reference": made["id"]}
    assert answer.evidence["kept"] == kept
    assert quill.funded == {made["id"]: 1}


@pytest.mark.parametrize("kind", ["lost", "missed", "late", "5xx", "cut"])
@pytest.mark.parametrize("call", CALLS)
async def test_whatever_fails_between_two_calls_it_is_paid_once(call, kind):
    async with connected() as (provider, quill):
        quill.fault = (call, kind)
        first = asyncio.create_task(provider.create(payout()))
        if kind == "cut":
            await quill.came.wait()
            first.cancel()
        else:
            said = await first
            # Only the call that pays can have paid: all others prove that none did.
            assert type(said) is (Unclear if call == "fund" else NotSent)
        again = await provider.create(payout())
        theirs = quill.transfers[TASK]["id"]
        if isinstance(again, Unclear):
            assert call == "fund"
            assert again.reference == theirs
            asked = await provider.status(payout(theirs=again.reference))
            assert type(asked) is Accepted
        else:
            assert again.reference == theirs

    assert len(quill.transfers) == 1
    assert quill.funded == {theirs: 1}


async def test_the_id_that_was_said_is_known_where_the_last_answer_is_lost():
    async with connected() as (provider, quill):
        quill.fault = ("fund", "missed")
        answer = await provider.create(payout())
        asked = await provider.status(payout(theirs=answer.reference))

    assert answer.reference == quill.transfers[TASK]["id"]
    # Made ready, and not funded: the call that pays has not come, or not yet.
    assert isinstance(asked, NotFound)
    assert quill.funded.total() == 0


@pytest.mark.parametrize("call", ["quote", "recipient", "transfer", "fund"])
async def test_a_refusal_of_one_call_is_about_this_request_alone(call):
    async with connected() as (provider, quill):
        quill.fault = (call, "BAD_ACCOUNT")
        answer = await provider.create(payout())

    assert isinstance(answer, Declined)
    # Another quote came into it than a request before had: of that it says nothing.
    assert answer.of_this_request
    assert quill.funded.total() == 0


@pytest.mark.parametrize("call", ["quote", "recipient", "transfer"])
async def test_an_unlisted_refusal_before_the_payment_was_not_sent(call):
    async with connected() as (provider, quill):
        quill.fault = (call, "WHO_KNOWS")
        answer = await provider.create(payout())

    assert isinstance(answer, NotSent)
    assert answer.because.startswith(call)


async def test_a_transfer_of_other_money_is_not_funded():
    async with connected() as (provider, quill):
        quill.amount = 12551
        answer = await provider.create(payout())

    assert isinstance(answer, NotSent)
    assert "fund" not in quill.heard


async def test_two_recipients_of_one_reference_are_not_chosen_from():
    async with connected() as (provider, quill):
        quill.recipients |= {n: {"id": n, "ref": TASK} for n in (71, 72)}
        answer = await provider.create(payout())

    assert isinstance(answer, NotSent)
    assert quill.heard == ["quote", "find"]


async def test_all_calls_share_one_time_limit():
    async with connected(limit="400ms") as (provider, quill):

        async def slowly(kind, request, done):
            del kind, request
            await asyncio.sleep(0.25)
            quill.fault = ("recipient", "slow")
            return done()

        quill.misbehave = slowly
        quill.fault = ("quote", "slow")
        answer = await provider.create(payout())

    assert isinstance(answer, NotSent)
    assert "fund" not in quill.heard


KEYED = TABLE.replace(
    'path = "/transfers/{kept.provider_reference}/fund"',
    'path = "/pay"\nbody = { ref = "{reference}", with = "{kept.quote}" }',
)
SAME = ('repeat = "first"\nkeep', 'repeat = "same"\nkeep')


@pytest.mark.parametrize(
    ("text", "changes", "key"),
    [
        (TABLE, [SAME], "create.before[2].repeat"),
        (KEYED, [], "create.repeat"),
        (TABLE, [('repeat = "first"\nkeep', 'repeat = "another"\nkeep')], "[2].repeat"),
        (TABLE, [("effect = false\nrepeat", "effect = true\nrepeat")], "[0].effect"),
        (TABLE, [("idempotent", 'not_found = "definite"\nidempotent')], "status_map"),
        (TABLE, [('keep = { quote = "id" }', "")], "{kept.quote}"),
        (TABLE, [("quote = ", "offer = ")], "create.before[0].keep.offer"),
        (TABLE, [('reference_at = "ref"\n\n[[', "\n[[")], "[1].find.reference_at"),
        (TABLE, [('"recipient"\npath', '"quote"\npath')], "create.before[1].name"),
        (TABLE, [("effect = false\nkeep", "keep")], "create.before[1].effect"),
        (TABLE, [('ref = "{reference}", quote', "quote")], "[2].repeat"),
        (TABLE, [('answers = { amount_at = "amount" }',
                  'answers = { status_at = "x" }')], "[2].answers.status_at"),
    ],
)  # fmt: skip
def test_what_could_pay_twice_is_refused_by_table_and_key(text, changes, key):
    text = text.replace("BASE", "https://x.example").replace("TIMEOUT", "5s")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)

    with pytest.raises(ConfigError) as refused:
        parse_config(text, ack_wait=LIMIT, environment={})

    assert key in str(refused.value)


@pytest.mark.parametrize(
    ("call", "kind", "meant"),
    [
        ("quote", "lost", NotSent),
        ("transfer", "BAD_ACCOUNT", Declined),
        ("transfer", "lost", Unclear),
        ("transfer", "WHO_KNOWS", Unclear),
        ("fund", "BAD_ACCOUNT", Unclear),
        ("fund", "lost", Unclear),
    ],
)
async def test_money_that_may_have_moved_makes_every_no_a_doubt(call, kind, meant):
    async with connected(moving="transfer") as (provider, quill):
        quill.fault = (call, kind)

        assert type(await provider.create(payout())) is meant
