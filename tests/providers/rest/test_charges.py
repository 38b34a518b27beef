"""Charges in the default wire form: a yes and a no are listed, all else is unclear."""

import json
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from fsm.domain.money import Money
from fsm.domain.webhook_events import WebhookEventType
from handlers.checkout.charges import Charging
from handlers.ports.payments import Charge, Charged, Refunded
from handlers.ports.services import (
    ServiceCall,
    ServiceDone,
    ServiceNotKnown,
    ServiceNotSent,
    ServicePending,
    ServiceRefused,
    ServiceUnclear,
)
from providers.config import ConfigError, ProviderTable
from providers.http.outbound import Lost, Outbound, RequestNotSent, Response
from providers.registry import payment_provider
from providers.rest.charges import (
    answer_to_charge,
    answer_to_question,
    refund_answer,
)
from providers.rest.webhooks import read_webhook
from tests.providers.rest.test_rest import NOW, TASK

CHARGE = Charge(
    reference=TASK,
    key=TASK,
    money=Money(12550, "EUR"),
    order_id="c-1",
    merchant_id="m-1",
    customer_id="c-9",
    payment_method={"type": "card", "token": "tok_8f2a"},
)
REFUND = replace(CHARGE, key=f"{TASK}:refund", provider_reference="ch_1")
DECLINED = {"status": "declined", "code": "limit", "message": "too much on tok_8f2a"}


def a_table(**keys):
    known = {"name": "acme", "adapter": "rest", "base_url": "http://127.0.0.1:1"}
    return ProviderTable.model_validate(known | {"charge": {}} | keys)


class Played:
    """Answers with what it is given, and remembers what it was asked."""

    def __init__(self, status, body, headers):
        self.answer = {"status": status, "body": body, "headers": headers}
        self.asked = []

    async def hear(self, request):
        body = await request.read()
        told = orjson.loads(body) if body else None
        key = request.headers.get("Idempotency-Key")
        self.asked.append((request.method, request.path, key, told))
        return web.Response(**self.answer)


@asynccontextmanager
async def charging(status=200, body=None, headers=None, **table):
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    played = Played(status, data, headers)
    app = web.Application()
    app.router.add_route("*", "/{all:.*}", played.hear)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/api"
    try:
        async with Outbound() as outbound:
            yield payment_provider(a_table(base_url=url, **table), outbound), played
    finally:
        await runner.cleanup()


# What is sent.


async def test_a_charge_says_what_to_collect_and_from_whom():
    body = {"status": "succeeded", "provider_reference": "ch_1"}
    async with charging(201, body) as (provider, played):
        said = await provider.charge(CHARGE)

    assert said == Charged(reference="ch_1")
    assert played.asked == [
        (
            "POST",
            "/api/charges",
            TASK,
            {
                "reference": TASK,
                "amount": 12550,
                "currency": "EUR",
                "payment_method": {"type": "card", "token": "tok_8f2a"},
                "order_id": "c-1",
                "merchant_id": "m-1",
                "customer_id": "c-9",
            },
        )
    ]


async def test_it_is_asked_about_by_our_reference():
    async with charging(200, {"status": "accepted"}) as (provider, played):
        assert await provider.charge_status(CHARGE) == ServicePending()

    assert played.asked == [("GET", f"/api/charges/{TASK}", None, None)]


async def test_a_refund_is_of_all_of_it_by_a_key_of_its_own():
    body = {"status": "refunded", "provider_reference": "re_1", "amount": 12550}
    async with charging(200, body) as (provider, played):
        assert await provider.refund(REFUND) == Refunded(reference="re_1")

    said = {"reference": TASK, "amount": 12550, "currency": "EUR"}
    path = f"/api/charges/{TASK}/refund"
    assert played.asked == [("POST", path, f"{TASK}:refund", said)]


async def test_where_nobody_listens_nothing_was_sent():
    async with Outbound() as outbound:
        provider = payment_provider(a_table(), outbound)
        assert isinstance(await provider.charge(CHARGE), ServiceNotSent)
        assert isinstance(await provider.charge_status(CHARGE), ServiceNotSent)
        assert isinstance(await provider.refund(REFUND), ServiceNotSent)


# What answers mean.


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, {"status": "succeeded"}, Charged),
        (202, {"status": "accepted"}, ServiceUnclear),
        (402, DECLINED, ServiceRefused),
        (200, DECLINED, ServiceUnclear),
        (409, DECLINED, ServiceUnclear),
        (429, DECLINED, ServiceUnclear),
        (500, DECLINED, ServiceUnclear),
        (402, {"code": "limit"}, ServiceUnclear),
        (404, {"code": "no_route"}, ServiceUnclear),
        (402, DECLINED | {"amount": 1}, ServiceUnclear),
        (200, {"status": "succeeded", "reference": "another"}, ServiceUnclear),
        (200, {"status": "succeeded", "amount": "12550"}, ServiceUnclear),
        (200, {"status": "refunded"}, ServiceUnclear),
        (200, [], ServiceUnclear),
        (200, b"", ServiceUnclear),
    ],
)
async def test_a_charge_is_what_the_contract_says_and_nothing_else(status, body, kind):
    async with charging(status, body) as (provider, _):
        assert type(await provider.charge(CHARGE)) is kind


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, {"status": "succeeded"}, Charged),
        (200, {"status": "declined", "code": "limit"}, ServiceRefused),
        (200, {"status": "failed"}, ServiceRefused),
        (404, {"code": "not_found"}, ServiceNotKnown),
        (404, {"code": "not_found", "reference": TASK}, ServiceNotKnown),
        (404, b"", ServiceNotKnown),
        # Whoever stands before it, or answers for another: no word of the provider.
        (404, b"<html>no such page</html>", ServiceUnclear),
        (404, b"404 page not found", ServiceUnclear),
        (404, {"code": "not_found", "reference": "another"}, ServiceUnclear),
        (404, {"status": "succeeded"}, ServiceUnclear),
        (401, {"code": "expired"}, ServiceUnclear),
        (402, DECLINED, ServiceUnclear),
        (200, {"status": "refunded"}, ServiceUnclear),
        (200, {"status": "returned"}, ServiceUnclear),
        (503, b"", ServiceUnclear),
    ],
)
async def test_what_became_of_it_is_one_word_or_another(status, body, kind):
    async with charging(status, body) as (provider, _):
        assert type(await provider.charge_status(CHARGE)) is kind


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, {"status": "refunded"}, Refunded),
        (200, {"status": "refunded", "provider_reference": "re_1"}, Refunded),
        (202, {"status": "accepted"}, ServiceUnclear),
        # The charge as it was says nothing of its refund.
        (200, {"status": "succeeded"}, ServiceUnclear),
        (200, {"status": "refunded", "amount": 12549}, ServiceUnclear),
        (200, {"status": "refunded", "currency": "USD"}, ServiceUnclear),
        (200, {"status": "refunded", "reference": "another"}, ServiceUnclear),
        (200, {"status": "refunded", "amount": 1.5}, ServiceUnclear),
        (422, DECLINED, ServiceRefused),
        (422, {"code": "too_late"}, ServiceUnclear),
        (409, DECLINED, ServiceUnclear),
        (404, {"code": "not_found"}, ServiceUnclear),
        (200, b"", ServiceUnclear),
        (204, b"", ServiceUnclear),
        (500, {"status": "refunded"}, ServiceUnclear),
    ],
)
async def test_only_the_word_refunded_is_a_refund(status, body, kind):
    async with charging(status, body) as (provider, _):
        assert type(await provider.refund(REFUND)) is kind


async def test_a_no_shows_nothing_of_what_is_paid_with():
    async with charging(402, DECLINED) as (provider, _):
        said = await provider.charge(CHARGE)
        refused = await provider.refund(REFUND)

    assert said.code == refused.code == "limit"
    assert "tok_8f2a" not in f"{said!r} {refused!r}"


async def test_other_money_is_told_so_that_it_can_be_compared():
    body = {"status": "succeeded", "amount": 12549, "currency": "USD"}
    async with charging(200, body) as (provider, _):
        assert await provider.charge(CHARGE) == Charged(amount=12549, currency="USD")


async def test_a_code_that_is_not_listed_is_no_no():
    async with charging(402, DECLINED, rejection_codes=["stolen"]) as (provider, _):
        assert type(await provider.charge(CHARGE)) is ServiceUnclear


async def test_the_wish_to_be_left_alone_is_heeded_for_a_while():
    headers = {"Retry-After": "7"}
    async with charging(503, b"", headers) as (provider, _):
        assert (await provider.charge(CHARGE)).after == timedelta(seconds=7)
        assert (await provider.refund(REFUND)).after == timedelta(seconds=7)
    async with charging(503, b"", {"Retry-After": "86400"}) as (provider, _):
        assert (await provider.charge_status(CHARGE)).after == timedelta(minutes=15)


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
WORDS = ["succeeded", "accepted", "declined", "failed", "refunded", "returned", ""]
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(WORDS) | VALUES,
        "reference": st.just(TASK) | VALUES,
        "provider_reference": st.just("ch_1") | VALUES,
        "amount": st.just(12550) | VALUES,
        "currency": st.just("EUR") | VALUES,
        "code": st.just("limit") | VALUES,
        "message": VALUES,
        "error": VALUES,
    },
)
ANSWERS = st.builds(
    Response,
    status=st.sampled_from([200, 201, 204, 302, 400, 402, 404, 409, 429, 500, 503]),
    body=st.binary(max_size=40) | FIELDS.map(lambda told: json.dumps(told).encode()),
)


@given(ANSWERS)
def test_whatever_is_said_is_a_yes_or_a_no_only_by_its_word(answer):
    word = (answer.read_object() or {}).get("status")
    charge, asked = answer_to_charge(answer, CHARGE), answer_to_question(answer, CHARGE)
    refund = refund_answer(answer, REFUND)

    assert not isinstance(charge, Charged) or (word, answer.status // 100) == (
        "succeeded",
        2,
    )
    assert not isinstance(asked, Charged) or (word, answer.status) == ("succeeded", 200)
    assert not isinstance(refund, Refunded) or (word, answer.status // 100) == (
        "refunded",
        2,
    )
    for said in (charge, refund):
        no = isinstance(said, ServiceRefused)
        assert not no or (word == "declined" and answer.status in {400, 402, 404})
    assert not isinstance(asked, ServiceRefused) or word in {"declined", "failed"}
    assert not isinstance(asked, ServiceNotKnown) or answer.status == 404


@pytest.mark.parametrize("error", ["an error", {"code": "internal"}])
async def test_a_yes_beside_an_error_is_none(error):
    async with charging(200, {"status": "succeeded", "error": error}) as (provider, _):
        assert type(await provider.charge(CHARGE)) is ServiceUnclear
        assert type(await provider.charge_status(CHARGE)) is ServiceUnclear
    async with charging(200, {"status": "refunded", "error": error}) as (provider, _):
        assert type(await provider.refund(REFUND)) is ServiceUnclear


async def test_other_money_is_no_success_to_the_step_that_asked_for_it():
    said = {"amount": 12550, "currency": "EUR"}
    order = {
        **said,
        "order_id": "c-1",
        "merchant_id": "m-1",
        "customer_id": "c-9",
        "payment_method": {"type": "card", "token": "tok_8f2a"},
    }
    call = ServiceCall(step="payment", task_id=TASK, order=order)
    for told in ({}, {"amount": 12549}, {"currency": "USD"}):
        body = {"status": "succeeded", **said, **told}
        async with charging(200, body) as (provider, _):
            answers = [
                await Charging(provider).do(call),
                await Charging(provider).ask(call),
            ]
        assert {type(each) for each in answers} == (
            {ServiceUnclear} if told else {ServiceDone}
        )


def test_what_is_lost_is_unclear_and_what_is_not_sent_is_not():
    assert type(refund_answer(Lost("reset"), REFUND)) is ServiceUnclear
    lacking = refund_answer(RequestNotSent("no socket", lacking=True), REFUND)
    assert lacking == ServiceNotSent(because="no socket", lacking=True)


# What it says unasked.


@pytest.mark.parametrize(
    "kind", ["charge.succeeded", "charge.failed", "charge.refunded", "charge"]
)
def test_a_webhook_of_a_charge_says_nothing_of_a_payout(kind):
    body = {
        "id": "evt-1",
        "type": kind,
        "reference": TASK,
        "amount": 12550,
        "currency": "EUR",
    }

    webhook = read_webhook("acme", None, body, NOW)

    assert webhook is not None
    assert webhook.type is WebhookEventType.UNKNOWN


# Whose table can be one of charges.


async def made(**keys):
    async with Outbound() as outbound:
        return payment_provider(a_table(**keys), outbound)


async def test_its_policy_is_what_the_table_promises_of_charges():
    promised = {"key_lifetime": "5h", "absent_after": "1m"}
    sure = await made(charge=promised, timeout="10s")
    unsure = await made(idempotent_create=True, not_found="definite")

    assert sure.policy.key_lifetime == timedelta(hours=5) - timedelta(seconds=10)
    assert sure.policy.absent_after == timedelta(minutes=1)
    # What is promised of payouts says nothing: never told again, never absent.
    assert unsure.policy.key_lifetime == timedelta(0)
    assert unsure.policy.absent_after is None


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"status": False}, "status"),
        ({"charge": None}, "charge: is missing"),
        ({"create": {"path": "/pay", "body": {}}}, "create"),
        ({"adapter": "nowhere"}, "adapter"),
        ({"adapter": "tests.providers.rest.test_charges:a_table"}, "does not collect"),
    ],
)
async def test_a_table_that_cannot_collect_is_refused_by_name(keys, told):
    with pytest.raises(ConfigError, match=told) as refused:
        await made(**keys)

    assert "providers.acme" in str(refused.value)
