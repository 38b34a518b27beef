"""Each behaviour of the simulated providers, over real HTTP, against their book."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import os
import signal
import sys
from dataclasses import replace
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from providers.testing.simulator import (
    SCRIPTS,
    Book,
    FaultKind,
    InjectedFault,
    Mix,
    Patience,
    PayoutState,
    Script,
    Scripts,
    ScriptStep,
    SimulatedProvider,
    Simulator,
    story,
)
from providers.testing.simulator.book import PayoutEntryKind
from providers.testing.simulator.config import BadConfigError, simulator_from
from providers.testing.simulator.script import ReceivedCreate, UnknownScriptError, draw
from providers.testing.simulator.webhooks import sign
from providers.testing.simulator.wire import Endpoint

KEY = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
# So slow that what is told one after the other arrives so on a busy machine too.
IN_ORDER = 20
# Until what never comes is given up: no promise, for a busy machine takes its time.
SOON = 60
SCALE = 0.01  # the two seconds after which most scripts go on are 20 ms
AN_ORDER = ReceivedCreate(
    provider="acme",
    reference="",
    key="",
    amount=1,
    currency="EUR",
    destination="tok",
    terminal_id="",
    callback_url="",
)
IMPATIENT = aiohttp.ClientTimeout(total=0.05)


class Receiver:
    """What a provider's webhooks arrive at; answers as told, with 202 at last."""

    def __init__(self):
        self.endpoint = Endpoint(self._take)
        self.got = []
        self.asked = []
        self.answers = []
        self.is_free = asyncio.Event()
        self.is_free.set()
        self._webhook = asyncio.Condition()

    async def _take(self, request):
        self.got.append((dict(request.headers), await request.read()))
        self.asked.append(f"{request.method} {request.path}")
        async with self._webhook:
            self._webhook.notify_all()
        await self.is_free.wait()
        status = self.answers.pop(0) if self.answers else 202
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async def wait_for(self, count):
        async with asyncio.timeout(SOON), self._webhook:
            await self._webhook.wait_for(lambda: len(self.got) >= count)
        return [orjson.loads(body) for _, body in self.got]


class Caller:
    def __init__(self, simulator, session, receiver):
        self.simulator = simulator
        self.book = simulator.book
        self.session = session
        self.callback = receiver.endpoint.url + "/webhooks/acme"

    async def create(self, script, ref="t-1", provider="acme", key=None, **changes):
        body = {
            "reference": ref,
            "amount": 12550,
            "currency": "EUR",
            "destination": {"type": "card", "token": script},
            "terminal_id": "x",
            "callback_url": self.callback,
        } | {name: value for name, value in changes.items() if name != "timeout"}
        named = script.partition("?")[0] in SCRIPTS
        if named and "destination" not in changes:
            body["destination"] = {"type": "card", "token": f"tok_sim:{script}"}
        return await self._ask(
            "POST",
            f"{provider}/payouts",
            json=body,
            headers={"Idempotency-Key": key or ref},
            timeout=changes.get("timeout", aiohttp.ClientTimeout(total=5)),
        )

    async def status(self, ref="t-1", provider="acme"):
        return await self._ask("GET", f"{provider}/payouts/{ref}")

    async def word(self, ref="t-1"):
        _, body = await self.status(ref)
        return body.get("status")

    async def cancel(self, ref="t-1", **options):
        return await self._ask("POST", f"acme/payouts/{ref}/cancel", **options)

    async def get(self, path, **params):
        return await self._ask("GET", path, params=params)

    async def post(self, path, body):
        return await self._ask("POST", path, json=body)

    async def becomes(self, state, ref="t-1"):
        await until(lambda: self.book.latest("acme", ref).state is state)

    async def _ask(self, method, path, **options):
        url = f"{self.simulator.url}/{path}"
        async with self.session.request(method, url, **options) as got:
            return got.status, await got.json(loads=orjson.loads)


@pytest.fixture
async def session():
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def receiver():
    receiver = Receiver()
    await receiver.endpoint.start()
    yield receiver
    await receiver.endpoint.stop()


@pytest.fixture
async def serve(session, receiver):
    started = []

    async def start(*providers, **changes):
        told = providers or [SimulatedProvider(name="acme", secrets=(SECRET,))]
        patience = Patience(waits=(0, 1, 1), timeout_seconds=1)
        options: dict[str, Any] = {"scale": SCALE, "patience": patience} | changes
        simulator = Simulator(told, **options)
        await simulator.start()
        started.append(simulator)
        return Caller(simulator, session, receiver)

    yield start
    for simulator in started:
        await simulator.stop()


@pytest.fixture
async def caller(serve):
    return await serve()


# Answers to a create.


async def test_a_payout_that_succeeds_at_once(caller):
    status, body = await caller.create("succeed")

    assert (status, body["status"]) == (201, "succeeded")
    assert caller.book.executed("t-1") == 1
    told = {
        "status": "succeeded",
        "provider_reference": body["provider_reference"],
        "amount": 12550,
        "currency": "EUR",
    }
    assert await caller.status() == (200, told)


async def test_a_decline_says_why_and_executes_nothing(caller):
    script = "decline?code=stolen_card&message=no&decline_status=402"
    declined = {"status": "declined", "code": "stolen_card", "message": "no"}

    assert await caller.create(script) == (402, declined)
    assert await caller.create(script) == (402, declined)
    assert await caller.word() == "declined"
    assert caller.book.executed() == 0
    assert len(caller.book.payouts) == 1


async def test_an_unstored_decline_may_be_tried_again(caller):
    await caller.create("decline_unstored")
    caller.simulator.set_script("succeed", reference="t-1")

    assert (await caller.create("decline_unstored"))[0] == 201
    assert caller.book.executed("t-1") == 1


async def test_a_repeat_gets_the_first_answer_and_executes_nothing_new(caller):
    first = await caller.create("accept_then_succeed")
    await caller.becomes(PayoutState.SUCCEEDED)

    assert await caller.create("accept_then_succeed") == first
    assert first[1]["status"] == "accepted"
    assert caller.book.executed("t-1") == 1
    assert caller.book.creates("acme", "t-1") == 2


async def test_repeats_at_the_same_time_are_one_payout(caller):
    await asyncio.gather(*(caller.create("succeed") for _ in range(10)))

    assert caller.book.executed("t-1") == 1


async def test_a_key_with_other_content_is_refused(caller):
    await caller.create("succeed")

    assert await caller.create("succeed", amount=1) == (
        409,
        {"code": "key_reused", "message": "other content"},
    )
    assert caller.book.check() == []


async def test_a_repeat_may_be_called_a_duplicate(caller):
    await caller.create("duplicate_error")

    status, body = await caller.create("duplicate_error")
    assert (status, body["code"]) == (409, "duplicate_reference")
    assert caller.book.executed("t-1") == 1


async def test_a_forgotten_key_is_a_second_payout_and_the_book_shows_it(serve):
    clock = [1000.0]
    caller = await serve(now=lambda: clock[0])
    await caller.create("keys_expire")
    clock[0] += 2 * SCALE
    await caller.create("keys_expire")

    assert caller.book.executed("t-1") == 2
    assert caller.book.check() == ["t-1: paid 2 times"]
    assert len(caller.book.statement("acme")) == 2


async def test_another_key_is_another_payout(caller):
    await caller.create("succeed", key="k-1")
    await caller.create("succeed", key="k-2")

    assert caller.book.executed("t-1") == 2


async def test_a_word_that_nobody_knows(caller):
    assert (await caller.create("unknown_word"))[1]["status"] == "percolating"
    assert await caller.word() == "percolating"


@pytest.mark.parametrize(
    ("script", "executed"), [("hang", 0), ("hang_once", 0), ("commit_hang", 1)]
)
async def test_no_answer_with_and_without_effect(caller, script, executed):
    with pytest.raises(TimeoutError):
        await caller.create(script, timeout=IMPATIENT)
    assert caller.book.executed("t-1") == executed
    assert (await caller.status())[0] == (200 if executed else 404)


@pytest.mark.parametrize(("script", "executed"), [("reset", 0), ("commit_reset", 1)])
async def test_a_reset_with_and_without_effect(caller, script, executed):
    with pytest.raises(aiohttp.ClientConnectionError):
        await caller.create(script)
    assert caller.book.executed("t-1") == executed


@pytest.mark.parametrize(
    ("script", "status", "executed"),
    [("error_500", 500, 0), ("error_500_once", 500, 0), ("commit_502", 502, 1)],
)
async def test_an_error_with_and_without_effect(caller, script, status, executed):
    assert (await caller.create(script))[0] == status
    assert caller.book.executed("t-1") == executed


@pytest.mark.parametrize("script", ["commit_502", "commit_hang", "commit_reset"])
async def test_the_repeat_of_a_lost_answer_is_told_the_truth(caller, script):
    await _lost(caller, script)

    assert (await caller.create(script))[1]["status"] == "succeeded"
    assert caller.book.executed("t-1") == 1


@pytest.mark.parametrize("script", ["hang_once", "error_500_once"])
async def test_the_repeat_of_what_never_arrived_is_the_first_payout(caller, script):
    await _lost(caller, script)

    assert (await caller.create(script))[1]["status"] == "succeeded"
    assert caller.book.executed("t-1") == 1


@pytest.mark.parametrize("script", ["hang", "reset", "error_500"])
async def test_some_never_take_anything(caller, script):
    await _lost(caller, script)
    await _lost(caller, script)

    assert caller.book.executed() == 0
    assert caller.book.creates("acme", "t-1") == 2


async def test_a_lost_decline_is_found_by_asking(caller):
    await _lost(caller, "decline_hang")

    assert await caller.word() == "declined"
    assert (await caller.create("decline_hang"))[0] == 422


async def test_a_lost_acceptance_goes_on(caller, receiver):
    await _lost(caller, "accept_hang")

    assert (await receiver.wait_for(1))[0]["type"] == "payout.succeeded"


async def test_a_duplicate_error_after_a_lost_answer(caller):
    await _lost(caller, "duplicate_error_after_hang")

    assert (await caller.create("duplicate_error_after_hang"))[0] == 409
    assert await caller.word() == "succeeded"


async def test_too_many_requests_and_then_not(caller, session):
    url = caller.simulator.base_url("acme") + "/payouts"
    body = {
        "reference": "t-1",
        "amount": 1,
        "currency": "EUR",
        "destination": {"type": "card", "token": "tok_sim:rate_limit?retry_after=7"},
    }
    headers = {"Idempotency-Key": "t-1"}
    async with session.post(url, json=body, headers=headers) as got:
        assert (got.status, got.headers["Retry-After"]) == (429, "7")
    assert caller.book.executed() == 0

    async with session.post(url, json=body, headers=headers) as got:
        assert got.status == 201


async def test_a_dripping_answer_is_whole_in_the_end(caller):
    _, body = await caller.create("drip")
    assert body["status"] == "succeeded"

    with pytest.raises(TimeoutError):
        await caller.create("drip?answer_after=1", ref="t-2", timeout=IMPATIENT)
    assert caller.book.executed("t-2") == 1


async def test_garbage_and_floods(caller):
    with pytest.raises(aiohttp.ContentTypeError):
        await caller.create("garbage")
    with pytest.raises(orjson.JSONDecodeError):
        await caller.create("huge", ref="t-2")
    assert caller.book.executed() == 2


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 0},
        {"amount": 1.5},
        {"amount": True},
        {"currency": "euro"},
        {"destination": "tok"},
        {"reference": ""},
    ],
)
async def test_a_malformed_create_is_no_decline(caller, change):
    status, body = await caller.create("succeed", **change)

    assert status == 400
    assert "status" not in body
    assert caller.book.payouts == {}


async def test_a_create_needs_a_key_and_a_known_provider(caller, session):
    async with session.post(
        caller.simulator.base_url("acme") + "/payouts",
        json={"reference": "t", "amount": 1, "currency": "EUR", "destination": {}},
    ) as got:
        assert got.status == 400
    assert (await caller.create("succeed", provider="nobody"))[0] == 404


# What comes afterwards.


@pytest.mark.parametrize(
    ("script", "kind", "word", "executed"),
    [
        ("accept_then_succeed", "payout.succeeded", "succeeded", 1),
        ("accept_then_fail", "payout.failed", "failed", 0),
        ("days_late?pace=0.00001", "payout.succeeded", "succeeded", 1),
    ],
)
async def test_a_webhook_tells_the_end(caller, receiver, script, kind, word, executed):
    _, created = await caller.create(script)
    assert created["status"] == "accepted"

    (told,) = await receiver.wait_for(1)
    assert told["type"] == kind
    assert told["reference"] == "t-1"
    assert told["provider_reference"] == created["provider_reference"]
    assert (told["amount"], told["currency"]) == (12550, "EUR")
    assert await caller.word() == word
    assert caller.book.executed("t-1") == executed


@pytest.mark.parametrize(
    ("script", "state", "executed"),
    [
        ("silence_succeed", PayoutState.SUCCEEDED, 1),
        ("silence_fail", PayoutState.FAILED, 0),
        ("declined_by_polling", PayoutState.DECLINED, 0),
    ],
)
async def test_silence_that_only_asking_ends(caller, receiver, script, state, executed):
    await caller.create(script)

    await caller.becomes(state)
    assert await caller.word() == state
    assert caller.book.executed("t-1") == executed
    assert receiver.got == []


async def test_silence_without_end(caller):
    await caller.create("accept_silence")

    assert await caller.word() == "accepted"
    assert caller.book.executed() == 0


async def test_what_was_paid_and_only_the_statement_says_so(caller):
    await caller.create("paid_unseen")

    assert await caller.word() == "accepted"
    assert caller.book.executed("t-1") == 1
    _, statement = await caller.get("acme/payouts")
    assert statement["payouts"][0]["status"] == "succeeded"


async def test_a_webhook_before_the_answer(caller, receiver):
    create = asyncio.create_task(caller.create("webhook_first?answer_after=5"))
    (told,) = await receiver.wait_for(1)

    assert not create.done()
    assert told["type"] == "payout.succeeded"
    assert (await create)[1]["status"] == "accepted"


async def test_the_answer_waits_for_the_webhook_to_be_taken(caller, receiver):
    await caller.create("webhook_first")

    assert len(receiver.got) == 1
    assert caller.book.executed("t-1") == 1


async def test_a_webhook_twice_has_one_id(caller, receiver):
    await caller.create("webhook_twice")
    await receiver.wait_for(2)

    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1


@pytest.mark.parametrize(
    ("script", "kinds", "executed"),
    [
        ("out_of_order", ["payout.succeeded", "payout.accepted"], 1),
        ("succeeded_then_failed", ["payout.succeeded", "payout.failed"], 1),
        ("failed_then_succeeded", ["payout.failed", "payout.succeeded"], 1),
        ("failed_then_false_success", ["payout.failed", "payout.succeeded"], 0),
    ],
)
async def test_webhooks_that_contradict(caller, receiver, script, kinds, executed):
    await caller.create(f"{script}?pace={IN_ORDER}")

    told = await receiver.wait_for(2)
    assert [each["type"] for each in told] == kinds
    assert len({each["id"] for each in told}) == 2
    assert caller.book.executed("t-1") == executed


async def test_a_webhook_waits_for_the_one_before_it_to_be_tried(caller, receiver):
    receiver.is_free.clear()
    await caller.create("failed_then_succeeded")
    await receiver.wait_for(1)
    await caller.becomes(PayoutState.SUCCEEDED)
    await caller.status()
    assert len(receiver.got) == 1

    receiver.is_free.set()

    told = await receiver.wait_for(2)
    assert [each["type"] for each in told] == ["payout.failed", "payout.succeeded"]


async def test_the_book_knows_a_provider_that_broke_its_word(caller, receiver):
    await caller.create(f"failed_then_succeeded?pace={IN_ORDER}")
    await caller.create(f"succeeded_then_failed?pace={IN_ORDER}", ref="t-2")
    await receiver.wait_for(4)

    assert caller.book.broken_words() == ["t-1"]


@pytest.mark.parametrize(
    ("script", "amount", "currency"),
    [("wrong_amount", 12549, "EUR"), ("wrong_currency", 12550, "XTS")],
)
async def test_a_misreport_is_in_webhook_and_status_alone(
    caller, receiver, script, amount, currency
):
    await caller.create(script)
    (told,) = await receiver.wait_for(1)
    _, status = await caller.status()

    assert (told["amount"], told["currency"]) == (amount, currency)
    assert (status["amount"], status["currency"]) == (amount, currency)
    (line,) = caller.book.statement("acme")
    assert (line["amount"], line["currency"]) == (12550, "EUR")


async def test_money_that_comes_back(caller, receiver):
    await caller.create("return_after_success")

    assert (await receiver.wait_for(1))[0]["type"] == "payout.returned"
    assert (caller.book.executed("t-1"), caller.book.returned("t-1")) == (1, 1)
    assert await caller.word() == "succeeded"
    statement = [line["status"] for line in caller.book.statement("acme")]
    assert statement == ["succeeded", "returned"]


async def test_not_found_at_first(caller):
    await caller.create(f"not_found_then_success?pace={IN_ORDER}")
    assert (await caller.status())[0] == 404

    await caller.becomes(PayoutState.SUCCEEDED)
    async with asyncio.timeout(SOON):
        while (await caller.status())[0] == 404:  # noqa: ASYNC110 - asking is the test
            await asyncio.sleep(SCALE)
    assert await caller.word() == "succeeded"


async def test_not_found_for_a_number_of_times(caller):
    await caller.create("succeed?hidden_asks=2")

    assert [(await caller.status())[0] for _ in range(3)] == [404, 404, 200]


async def test_a_status_that_hangs(caller, session):
    await caller.create("status_hang")
    url = caller.simulator.base_url("acme") + "/payouts/t-1"
    with pytest.raises(TimeoutError):
        await session.get(url, timeout=IMPATIENT)


# Cancelling.


async def test_a_cancelled_payout_never_pays(caller, receiver):
    await caller.create("accept_then_succeed")

    assert (await caller.cancel())[0] == 200
    assert (await caller.cancel())[0] == 200
    assert (await caller.status())[1]["status"] == "failed"
    await asyncio.sleep(3 * SCALE)
    assert caller.book.executed() == 0
    assert receiver.got == []


@pytest.mark.parametrize("script", ["succeed", "cancel_too_late", "decline"])
async def test_too_late_to_cancel(caller, script):
    await caller.create(script)

    assert (await caller.cancel())[0] == 409


async def test_a_cancel_that_hangs_and_one_of_nothing(caller):
    await caller.create("cancel_hang")

    with pytest.raises(TimeoutError):
        await caller.cancel(timeout=IMPATIENT)
    assert await caller.word() == "accepted"
    assert (await caller.cancel("t-2"))[0] == 404


# Webhooks on the wire.


def test_the_signature_is_that_of_standard_webhooks():
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = sign(
        webhook_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
        keys=[key],
    )
    wanted = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert headers["webhook-signature"] == wanted


async def test_a_webhook_is_signed_with_every_secret(serve, receiver):
    other = b"f" * 24
    secrets = (SECRET, "whsec_" + base64.b64encode(other).decode())
    caller = await serve(SimulatedProvider(name="acme", secrets=secrets))
    await caller.create("accept_then_succeed")
    await receiver.wait_for(1)

    assert receiver.got[0][0]["webhook-signature"] == " ".join(
        signature(receiver.got[0], key) for key in (KEY, other)
    )


async def test_a_forged_webhook_does_not_hold(caller, receiver):
    await caller.create("forged_webhook")
    await receiver.wait_for(1)

    signed = receiver.got[0][0]["webhook-signature"]
    assert signed != signature(receiver.got[0], KEY)


async def test_a_webhook_is_repeated_until_it_is_taken(caller, receiver):
    receiver.answers = [503, 500]
    await caller.create("accept_then_succeed")
    told = await receiver.wait_for(3)

    assert told[0] == told[1] == told[2]
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    await entries_of(caller, PayoutEntryKind.WEBHOOK, 3)
    assert [e.status for e in webhooks_in(caller.book)] == [503, 500, 202]


async def test_a_provider_gives_up_in_the_end(caller, receiver):
    receiver.answers = [500] * 10
    await caller.create("accept_then_succeed")
    await entries_of(caller, PayoutEntryKind.WEBHOOK, 3)

    await asyncio.sleep(3 * SCALE)
    assert len(receiver.got) == 3


async def test_a_provider_does_not_go_where_it_is_sent_or_gone(caller, receiver):
    receiver.answers = [302, 410]
    await caller.create("accept_then_succeed")
    await receiver.wait_for(2)

    await asyncio.sleep(3 * SCALE)
    assert receiver.asked == ["POST /webhooks/acme"] * 2


async def test_nobody_at_home_is_tried_again(caller):
    url = "http://127.0.0.1:1/webhooks/acme"
    await caller.create("accept_then_succeed", callback_url=url)
    await entries_of(caller, PayoutEntryKind.WEBHOOK, 3)

    assert {entry.status for entry in webhooks_in(caller.book)} == {0}


async def test_more_webhooks_than_may_wait_are_dropped(serve, receiver):
    patience = Patience(waits=(0,), waiting_max=2)
    caller = await serve(patience=patience)
    webhook = Script(
        state=PayoutState.ACCEPTED,
        steps=(
            ScriptStep(
                becomes=PayoutState.SUCCEEDED, notice="payout.succeeded", copies=5
            ),
        ),
    )
    caller.simulator.set_script(webhook, reference="t-1")
    await caller.create("tok_any")
    await receiver.wait_for(2)

    assert caller.simulator._sender.dropped == 3


# Choosing.


async def test_a_token_may_speak_to_each_provider(serve):
    caller = await serve(
        *(SimulatedProvider(name=name) for name in ("acme", "zeta", "beta"))
    )
    token = "tok_sim:acme=decline?code=a,zeta=error_500,*=decline?code=b#order-7"

    assert (await caller.create(token, provider="acme"))[1]["code"] == "a"
    assert (await caller.create(token, provider="zeta"))[0] == 500
    assert (await caller.create(token, provider="beta"))[1]["code"] == "b"


async def test_scripts_set_by_reference_destination_and_provider(caller):
    rules = [
        {"provider": "acme", "script": {"base": "decline", "code": "by_provider"}},
        {"destination": "tok_d", "script": "decline?code=by_destination"},
        {"reference": "t-9", "script": "decline?code=by_reference"},
    ]
    for rule in rules:
        assert (await caller.post("_script", rule))[0] == 200

    async def code(ref, token):
        return (await caller.create(token, ref=ref))[1].get("code")

    assert await code("t-1", "tok_x") == "by_provider"
    assert await code("t-2", "tok_d") == "by_destination"
    assert await code("t-9", "tok_d") == "by_reference"
    await caller.post("_script", {"provider": "acme", "script": None})
    assert await code("t-3", "tok_x") is None


@pytest.mark.parametrize(
    "rule",
    [
        {"script": "succeed"},
        {"provider": "acme", "reference": "t", "script": "succeed"},
        {"provider": "acme", "script": "no_such"},
        {"provider": "acme", "script": "succeed?no_such=1"},
        {"provider": "acme", "script": "succeed?pace=fast"},
        {"provider": "acme", "script": {"steps": [{"after": -1}]}},
        {"provider": "acme", "script": {"steps": 3}},
        {"provider": "acme", "script": 3},
    ],
)
async def test_a_script_that_cannot_be_is_refused(caller, rule):
    assert (await caller.post("_script", rule))[0] == 400


async def test_a_token_with_an_unknown_script_is_refused(caller):
    assert (await caller.create("tok_sim:no_such"))[0] == 400


def test_a_script_survives_being_written_down():
    book = Book()
    script = Script(
        mishap=None,
        steps=(ScriptStep(after=1, becomes=PayoutState.RETURNED, notice="n"),),
    )
    assert Scripts().read(orjson.loads(orjson.dumps(script))) == script
    assert book.check() == []


def test_a_mix_is_drawn_by_its_seed():
    names = {"succeed": 0.25, "decline": 0.75}
    weights = tuple((SCRIPTS[name], weight) for name, weight in names.items())

    def run(seed):
        mix = Mix(weights, seed)
        return [mix(replace(AN_ORDER, reference=f"t-{n}")).name for n in range(1000)]

    assert run(1) == run(1)
    assert run(1) != run(2)
    assert 200 < run(1).count("succeed") < 300
    by_token = Mix(weights, 1, "destination")
    assert (
        len({by_token(replace(AN_ORDER, reference=str(n))).name for n in range(50)})
        == 1
    )


def test_draws_are_even():
    draws = [draw(3, "x", str(n)) for n in range(4000)]

    assert all(0 <= each < 1 for each in draws)
    assert 0.48 < sum(draws) / len(draws) < 0.52


async def test_faults_of_one_provider_and_operation(serve):
    caller = await serve(SimulatedProvider(name="acme"), SimulatedProvider(name="zeta"))
    caller.simulator.faults.set(
        InjectedFault(kind=FaultKind.DOWN, operation="acme.cancel"),
        InjectedFault(kind=FaultKind.APPLIED_DROP, operation="zeta.create"),
    )

    assert (await caller.create("succeed"))[0] == 201
    with pytest.raises(aiohttp.ClientConnectionError):
        await caller.cancel()
    with pytest.raises(aiohttp.ClientConnectionError):
        await caller.create("succeed", ref="t-2", provider="zeta")
    assert caller.book.executed("t-2") == 1
    happened = {"acme.cancel.down": 1, "zeta.create.applied_drop": 1}
    assert caller.simulator.faults.happened == happened


# The book.


async def test_every_request_is_in_the_book(caller):
    await caller.create("succeed")
    await caller.status()
    await caller.cancel()
    await caller.get("acme/payouts")

    requests = [e for e in caller.book.entries if e.kind is PayoutEntryKind.REQUEST]
    asked = [entry.what for entry in requests]
    assert asked == ["create", "status", "cancel", "statement"]
    assert all(entry.at > 1_700_000_000 for entry in requests)


async def test_a_statement_comes_in_pages_and_by_time(serve):
    clock = [1_700_000_000.0]
    caller = await serve(now=lambda: clock[0])
    for number in range(5):
        clock[0] += 1
        await caller.create("succeed", ref=f"t-{number}")

    seen: list[dict[str, str]] = []
    cursor: str | None = ""
    while cursor is not None:
        _, page = await caller.get("acme/payouts", limit="2", cursor=cursor)
        seen += page["payouts"]
        cursor = page["next_cursor"]
    assert seen == caller.book.statement("acme")
    assert seen[0] == {
        "reference": "t-0",
        "status": "succeeded",
        "amount": 12550,
        "currency": "EUR",
        "at": "2023-11-14T22:13:21.000000Z",
    }
    span = {"from": seen[1]["at"], "to": seen[3]["at"]}
    _, some = await caller.get("acme/payouts", **span)
    assert [line["reference"] for line in some["payouts"]] == ["t-1", "t-2"]


async def test_a_provider_without_statements(serve):
    caller = await serve(SimulatedProvider(name="acme", statement=False))

    assert (await caller.get("acme/payouts"))[0] == 404


async def test_the_check_sees_a_reference_at_two_providers_and_foreign_keys(serve):
    caller = await serve(SimulatedProvider(name="acme"), SimulatedProvider(name="zeta"))
    await caller.create("succeed")
    await caller.create("succeed", provider="zeta", key="k")

    wrong = "\n".join(caller.book.check())
    assert "t-1: paid 2 times" in wrong
    assert "t-1: another provider, amount or destination" in wrong
    assert "t-1: came under another key" in wrong


async def test_the_book_against_the_ledger(caller):
    await caller.create("succeed")
    await caller.create("succeed", ref="t-2")
    await caller.create("succeed", ref="t-3")

    def line(task, amount=12550, operation="commit"):
        told = {"task_id": task, "amount": amount, "currency": "EUR"}
        return told | {"operation": operation}

    ledger = [line("t-1"), line("t-2", 1), line("t-3", operation="rollback")]
    assert sorted(caller.book.against([*ledger, line("t-4")])) == [
        "t-2: committed (1, 'EUR'), paid (12550, 'EUR')",
        "t-3: paid, never committed",
        "t-4: committed, never paid",
    ]
    right = [line("t-1"), line("t-2"), line("t-3")]
    assert caller.book.against(right) == []


async def test_what_left_for_each_destination(caller):
    for ref in ("t-1", "t-2"):
        await caller.create("succeed", ref=ref)
    await caller.create("decline", ref="t-3")

    assert caller.book.executed_by_destination() == {"tok_sim:succeed": 2}


async def test_a_killed_simulator_goes_on_from_its_book(serve, receiver, tmp_path):
    path = tmp_path / "payouts.jsonl"
    provider = SimulatedProvider(name="acme", secrets=(SECRET,))
    first = await serve(provider, book=Book(path), scale=1000)
    await first.create("succeed", ref="t-1")
    answer = await first.create("accept_then_succeed", ref="t-2")
    await first.create("return_after_success", ref="t-3")
    await first.simulator.stop()
    with path.open("ab") as torn:
        torn.write(b'{"at": 1, "ki')

    again = await serve(provider, book=Book(path))
    assert again.book.entries == first.book.entries
    assert again.book.executed("t-1") == 1
    assert await again.create("accept_then_succeed", ref="t-2") == answer
    told = await receiver.wait_for(2)
    assert {t["type"] for t in told} == {"payout.succeeded", "payout.returned"}
    assert again.book.executed("t-2") == 1
    assert again.book.check() == []
    await again.simulator.stop()
    assert Book(path).entries == again.book.entries


async def test_what_was_delivered_is_not_sent_again(serve, receiver, tmp_path):
    path = tmp_path / "payouts.jsonl"
    first = await serve(book=Book(path))
    await first.create("accept_then_succeed")
    await entries_of(first, PayoutEntryKind.WEBHOOK, 1)
    await first.simulator.stop()

    await serve(book=Book(path))
    await asyncio.sleep(3 * SCALE)
    assert len(receiver.got) == 1


async def test_the_oracle_can_be_asked_from_another_process(caller):
    await caller.create("keys_expire?remembers_for=0")
    await caller.create("keys_expire?remembers_for=0")

    _, checked = await caller.get("_check")
    assert checked == {"wrong": ["t-1: paid 2 times"], "broken_words": []}
    _, shown = await caller.get("_book", limit="2")
    assert [entry["kind"] for entry in shown["entries"]] == ["request", "taken"]
    assert shown["next_cursor"] == "2"
    assert (await caller.get("nowhere"))[0] == 404
    assert (await caller.get("_faults"))[1] == {"faults": [], "happened": {}}


# The story.

TOKENS = [f"tok_{number}" for number in range(3000)]
SEED = 11


def share(outcomes):
    return sum(each.paid and each.resolved for each in outcomes) / len(TOKENS)


@pytest.mark.parametrize("name", story.PROFILES)
def test_each_provider_alone_approves_a_tenth_to_a_fifth(name):
    alone = share([story.outcome(name, token, SEED) for token in TOKENS])

    assert 0.10 <= alone <= 0.20
    assert abs(alone - story.PROFILES[name].approval) < 0.025


@pytest.mark.parametrize("length", [8, 10, 12])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_cascade_pays_half_and_leaves_few_to_people(length, seed):
    names = list(story.PROFILES)[:length]
    ends = [story.cascade(names, token, seed) for token in TOKENS]

    assert 0.49 <= share(ends) <= 0.60
    assert 0.03 <= sum(not end.resolved for end in ends) / len(TOKENS) <= 0.055


def test_an_outcome_depends_on_nothing_but_its_arguments():
    again = story.outcome("acme", "tok_5", SEED)

    assert story.outcome("acme", "tok_5", SEED) == again
    assert len({story.outcome("acme", "tok_5", s).script for s in range(50)}) > 10


def test_the_story_has_all_its_turns():
    seen = {
        story.outcome(name, token, SEED).script.name
        for name in story.PROFILES
        for token in TOKENS
    }
    assert seen == {s.name for s in (*story._YES, *story._NO, *dict(story._NEVER))}


async def test_the_server_does_what_the_story_foretells(serve):
    caller = await serve(*story.providers(SEED), scale=1e-6)
    orders = [(name, token) for name in story.PROFILES for token in TOKENS[:20]]
    for number, (name, token) in enumerate(orders):
        await _lost(caller, token, ref=f"t-{number}", provider=name)
    await asyncio.sleep(0.02)

    for number, (name, token) in enumerate(orders):
        foretold = story.outcome(name, token, SEED)
        assert caller.book.executed(f"t-{number}") == foretold.paid


# Settings and the process.


def test_settings_make_a_simulator():
    simulator = simulator_from(
        {
            "seed": 3,
            "scale": 0.5,
            "webhooks": {"waits": [0, 1]},
            "scripts": {"picky": {"base": "decline", "code": "limit"}},
            "faults": [{"kind": "slow", "delay": 1}],
            "providers": {
                "acme": {"script": "picky", "secrets": [SECRET]},
                "zeta": {"mix": {"succeed": 1, "picky": 3}},
                "beta": {},
            },
            "story": {"callback_url": "http://x/{provider}"},
        }
    )
    assert {"acme", "zeta", "beta", *story.PROFILES} == set(simulator._providers)
    assert simulator._providers["acme"].behaviour(AN_ORDER).code == "limit"
    assert simulator._providers["lagoon"].callback_url == "http://x/lagoon"


@pytest.mark.parametrize(
    "table",
    [
        {"sed": 3},
        {"providers": {"acme": {"scripts": "x"}}},
        {"providers": {"acme": {"script": "no_such"}}},
        {"providers": {"acme": {"secrets": ["whsec_?"]}}},
        {"providers": {"acme": {"mix": {}}}},
        {"webhooks": {"wait": 1}},
    ],
)
def test_settings_that_cannot_be_are_refused(table):
    with pytest.raises((BadConfigError, UnknownScriptError, ValueError)):
        simulator_from(table)


async def test_its_process_goes_on_after_a_kill_and_stops_when_told(tmp_path, session):
    config, book = tmp_path / "sim.toml", tmp_path / "payouts.jsonl"
    config.write_text("[providers.acme]\nscript = 'accept_silence'\n")

    async def start():
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "providers.testing.simulator"),
            *(f"--config={config}", f"--book={book}"),
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.curdir},
        )
        assert process.stdout is not None
        return process, orjson.loads(await process.stdout.readline())["url"]

    process, url = await start()
    order = {
        "reference": "t-1",
        "amount": 1,
        "currency": "EUR",
        "destination": {"type": "card", "token": "tok"},
    }
    headers = {"Idempotency-Key": "t-1"}
    async with session.post(f"{url}/acme/payouts", json=order, headers=headers) as got:
        assert got.status == 201
    process.kill()
    await process.wait()

    process, url = await start()
    async with session.get(f"{url}/acme/payouts/t-1") as got:
        assert (await got.json())["status"] == "accepted"
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(SOON):
        assert await process.wait() == 0


async def _lost(caller, script, **options):
    """Create, and bear that no answer comes."""
    with contextlib.suppress(TimeoutError, aiohttp.ClientError):
        await caller.create(script, timeout=IMPATIENT, **options)


def signature(got, key):
    headers, body = got
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mac = hmac.digest(key, content, hashlib.sha256)
    return "v1," + base64.b64encode(mac).decode()


def webhooks_in(book):
    return [entry for entry in book.entries if entry.kind is PayoutEntryKind.WEBHOOK]


async def entries_of(caller, kind, count):
    await until(lambda: sum(e.kind is kind for e in caller.book.entries) >= count)


async def until(happened):
    async with asyncio.timeout(SOON):
        while not happened():  # noqa: ASYNC110 - the book rings no bell
            await asyncio.sleep(0.002)
