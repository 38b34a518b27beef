"""Charges at Stripe: payment intents that collect, and refunds, over real HTTP."""

from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from fsm.domain.money import Money
from fsm.domain.webhook_events import WebhookEventType
from handlers.ports.payments import Charge, Charged, Refunded
from handlers.ports.services import (
    ServiceNotKnown,
    ServiceNotSent,
    ServicePending,
    ServiceRefused,
    ServiceUnclear,
)
from providers.config import ConfigError
from providers.stripe.webhooks import read_webhook
from tests.providers.stripe.recorded import (
    INTENT,
    REFERENCE,
    an_error,
    an_event,
    an_intent,
    answered,
)
from tests.providers.stripe.test_calls import INTENTS, NOW, connected, listed

PI = INTENT["id"]
INVALID = "invalid_request_error"
CHARGE = Charge(
    reference=REFERENCE,
    key=REFERENCE,
    money=Money(1100, "USD"),
    order_id="c-1",
    merchant_id="m-1",
    customer_id="c-9",
    payment_method={"type": "card", "token": INTENT["payment_method"]},
)
KNOWN = replace(CHARGE, provider_reference=PI)
REFUND = replace(KNOWN, key=f"{REFERENCE}:refund")
PAID = an_intent(status="succeeded", amount_received=1100)
WAITS = an_intent(status="requires_action")
CANCELED = an_intent(status="canceled")
DECLINED = an_error(
    "card_error",
    "card_declined",
    payment_intent=an_intent(status="requires_payment_method"),
)


def a_refund(**changes):
    return {
        "id": "re_1Nispe2eZvKYlo2Cd31jOCgZ",
        "object": "refund",
        "amount": 1100,
        "currency": "usd",
        "payment_intent": PI,
        "metadata": {"reference": REFERENCE},
        "status": "succeeded",
        **changes,
    }


@asynccontextmanager
async def charging(*answers):
    async with connected(*answers, stripe=INTENTS, charges=True) as (stripe, played):
        yield stripe, played


def calls(played):
    return [f"{method} {path}" for method, path, _ in played.asked]


# What is sent.


async def test_a_charge_is_an_intent_that_is_confirmed_as_it_is_made():
    async with charging(answered(200, PAID)) as (stripe, played):
        said = await stripe.charge(CHARGE)

    assert said == Charged(reference=PI, amount=1100, currency="USD")
    assert calls(played) == ["POST /v1/payment_intents"]
    assert played.forms == [
        {
            "amount": "1100",
            "currency": "usd",
            "metadata[reference]": REFERENCE,
            "metadata[order_id]": "c-1",
            "metadata[merchant_id]": "m-1",
            "payment_method": INTENT["payment_method"],
            "payment_method_types[0]": "card",
            "confirm": "true",
            "off_session": "true",
        }
    ]
    assert played.headers[0]["Idempotency-Key"] == REFERENCE


async def test_what_cannot_be_asked_of_stripe_is_refused_and_never_sent():
    token = {"type": "card", "token": "tok_8f2a"}
    async with charging() as (stripe, played):
        said = await stripe.charge(replace(CHARGE, payment_method=token))

    assert isinstance(said, ServiceRefused)
    assert said.code == "not_payable"
    assert calls(played) == []


@pytest.mark.parametrize("stripe", ["", 'makes = "payout"'])
async def test_a_table_that_sends_money_away_collects_none(stripe):
    told = r"\[providers.stripe\] stripe.makes: must be \"payment_intent\""
    with pytest.raises(ConfigError, match=told):
        async with connected(stripe=stripe, charges=True):
            pass


# What its answers mean.


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (answered(200, PAID), Charged),
        (answered(200, an_intent(status="processing")), ServiceUnclear),
        (answered(402, DECLINED), ServiceRefused),
        (answered(200, CANCELED), ServiceRefused),
        (answered(200, an_intent(status="percolating")), ServiceUnclear),
        (answered(200, an_intent(status="requires_payment_method")), ServiceUnclear),
        (answered(500, an_error("api_error")), ServiceUnclear),
        (answered(409, an_error("idempotency_error")), ServiceUnclear),
        (answered(401, an_error(INVALID)), ServiceNotSent),
        (
            answered(429, an_error(INVALID, "rate_limit")),
            ServiceNotSent,
        ),
        (
            answered(429, an_error(INVALID, "lock_timeout")),
            ServiceUnclear,
        ),
    ],
)
async def test_a_charge_is_what_stripe_says_of_it(answer, kind):
    async with charging(answer) as (stripe, _):
        assert type(await stripe.charge(CHARGE)) is kind


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (PAID, Charged),
        (an_intent(status="processing"), ServicePending),
        (CANCELED, ServiceRefused),
        (
            an_intent(
                status="requires_payment_method",
                last_payment_error={"code": "card_declined"},
            ),
            ServiceRefused,
        ),
        (an_intent(status="succeeded", metadata={"reference": "x"}), ServiceUnclear),
        (an_intent(status="succeeded", livemode=True), ServiceUnclear),
    ],
)
async def test_it_is_asked_about_by_its_own_id(body, kind):
    async with charging(answered(200, body)) as (stripe, played):
        assert type(await stripe.charge_status(KNOWN)) is kind

    assert calls(played) == [f"GET /v1/payment_intents/{PI}"]


async def test_other_money_is_told_as_it_is():
    body = an_intent(status="succeeded", amount_received=1000)
    async with charging(answered(200, body)) as (stripe, _):
        assert await stripe.charge(CHARGE) == Charged(
            reference=PI, amount=1000, currency="USD"
        )


# Without Stripe's id.


async def test_without_an_id_it_is_searched_for_and_then_asked_itself():
    found = listed(an_intent(status="processing"))
    async with charging(found, answered(200, PAID)) as (stripe, played):
        assert type(await stripe.charge_status(CHARGE)) is Charged

    assert calls(played) == [
        "GET /v1/payment_intents/search",
        f"GET /v1/payment_intents/{PI}",
    ]


async def test_what_the_search_does_not_find_is_never_absence():
    """The index is behind: with no time after which that proves, nothing does."""
    async with charging(listed()) as (stripe, _):
        assert await stripe.charge_status(CHARGE) == ServiceNotKnown()
        assert stripe.policy.absent_after is None


# Nobody is there who could act.


@pytest.mark.parametrize(
    "status", ["requires_action", "requires_confirmation", "requires_capture"]
)
@pytest.mark.parametrize("call", ["charge", "charge_status"])
async def test_what_waits_for_a_customer_is_cancelled_and_then_a_no(status, call):
    waits = an_intent(status=status)
    answers = answered(200, waits), answered(200, CANCELED)
    async with charging(*answers) as (stripe, played):
        said = await getattr(stripe, call)(KNOWN)

    assert said == ServiceRefused(code="authentication_required")
    assert calls(played)[1] == f"POST /v1/payment_intents/{PI}/cancel"
    assert "Idempotency-Key" not in played.headers[1]


@pytest.mark.parametrize(
    "then",
    [
        answered(200, PAID),
        answered(200, WAITS),
        answered(400, an_error(INVALID, "payment_intent_unexpected_state")),
        answered(429, an_error(INVALID, "lock_timeout")),
        answered(500, b""),
    ],
)
async def test_as_long_as_it_is_not_cancelled_it_is_no_no(then):
    async with charging(answered(200, WAITS), then) as (stripe, _):
        assert type(await stripe.charge(CHARGE)) is ServiceUnclear


# Refunds.


async def test_a_refund_gives_all_of_an_intent_back_by_a_key_of_its_own():
    async with charging(answered(200, a_refund())) as (stripe, played):
        said = await stripe.refund(REFUND)

    assert said == Refunded(reference="re_1Nispe2eZvKYlo2Cd31jOCgZ")
    assert calls(played) == ["POST /v1/refunds"]
    assert played.forms == [{"payment_intent": PI, "metadata[reference]": REFERENCE}]
    assert played.headers[0]["Idempotency-Key"] == f"{REFERENCE}:refund"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (
            answered(200, a_refund(status="failed")),
            ServiceRefused,
        ),
        (answered(200, a_refund(status="canceled")), ServiceRefused),
        (answered(200, a_refund(status="percolating")), ServiceUnclear),
        (answered(200, a_refund(amount=1000)), ServiceUnclear),
        (answered(200, a_refund(currency="eur")), ServiceUnclear),
        (answered(200, a_refund(payment_intent="pi_2")), ServiceUnclear),
        (answered(200, PAID), ServiceUnclear),
        (answered(200, b"<html>"), ServiceUnclear),
        (
            answered(400, an_error(INVALID, "charge_disputed")),
            ServiceRefused,
        ),
        (answered(500, an_error("api_error")), ServiceUnclear),
        (answered(409, an_error("idempotency_error")), ServiceUnclear),
        (answered(401, an_error(INVALID)), ServiceNotSent),
    ],
)
async def test_only_a_refund_that_succeeded_is_one(answer, kind):
    async with charging(answer) as (stripe, _):
        assert type(await stripe.refund(REFUND)) is kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [("succeeded", Refunded), ("pending", ServiceUnclear), ("failed", ServiceRefused)],
)
async def test_one_on_its_way_is_looked_at_itself(status, kind):
    """A repeat is answered as the first was, for a day: that says nothing of today."""
    first = answered(200, a_refund(status="pending"), idempotent_replayed="true")
    now = answered(200, a_refund(status=status))
    async with charging(first, now) as (stripe, played):
        assert type(await stripe.refund(REFUND)) is kind

    assert calls(played)[1] == "GET /v1/refunds/re_1Nispe2eZvKYlo2Cd31jOCgZ"


ALREADY = answered(400, an_error(INVALID, "charge_already_refunded"))


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([a_refund()], Refunded),
        ([a_refund(status="pending")], ServiceUnclear),
        ([a_refund(amount=600), a_refund(amount=500, id="re_2")], Refunded),
        ([a_refund(amount=600)], ServiceRefused),
        ([a_refund(status="failed")], ServiceRefused),
        ([a_refund(payment_intent="pi_2")], ServiceUnclear),
        (["x"], ServiceUnclear),
    ],
)
async def test_what_is_refunded_already_is_told_by_the_list(rows, kind):
    async with charging(ALREADY, listed(*rows)) as (stripe, played):
        assert type(await stripe.refund(REFUND)) is kind

    assert played.asked[1] == (
        "GET",
        "/v1/refunds",
        {"payment_intent": PI, "limit": "100"},
    )


async def test_a_refund_without_an_id_finds_its_intent_first():
    refund = replace(REFUND, provider_reference=None)
    answers = listed(PAID), answered(200, PAID), answered(200, a_refund())
    async with charging(*answers) as (stripe, played):
        assert type(await stripe.refund(refund)) is Refunded

    assert calls(played)[-1] == "POST /v1/refunds"


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        ([listed()], ServiceUnclear),
        ([listed(CANCELED), answered(200, CANCELED)], ServiceRefused),
        ([answered(500, b"")], ServiceUnclear),
    ],
)
async def test_what_is_not_found_as_paid_is_not_refunded(found, kind):
    refund = replace(REFUND, provider_reference=None)
    async with charging(*found) as (stripe, played):
        assert type(await stripe.refund(refund)) is kind

    assert not any(call.startswith("POST") for call in calls(played))


# What it says unasked.


@pytest.mark.parametrize(
    ("kind", "about"),
    [
        ("payment_intent.succeeded", PAID),
        ("payment_intent.canceled", CANCELED),
        ("charge.refunded", {"id": "ch_1", "object": "charge", "amount": 1100}),
        ("refund.updated", a_refund()),
    ],
)
def test_an_event_of_a_charge_says_nothing_of_a_payout(kind, about):
    said = read_webhook(
        an_event(kind, about), NOW, provider="stripe", makes="payout", live=False
    )

    assert said is None or said.type is WebhookEventType.UNKNOWN
