"""What the real providers of ops/examples say, each in the shape of its own pages."""

import base64
import hashlib
import hmac
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from fsm.domain.money import Money
from fsm.domain.webhook_events import WebhookEventType
from handlers.ports.provider import (
    Accepted,
    Cancelled,
    Declined,
    NotFound,
    Payout,
    Returned,
    Succeeded,
    TooLate,
    Unclear,
)
from providers.config import parse_config
from providers.events import events_of
from providers.http.outbound import Outbound
from providers.port import Rejected, Verified
from providers.registry import build_providers

EXAMPLES = Path(__file__).parents[3] / "ops" / "examples"
REFERENCE = "018f0000-0000-7000-8000-000000000001"
HEX = "8f2a41c09be6d3570f1e2d3c4b5a69788f2a41c09be6d3570f1e2d3c4b5a6978"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = (
    *("XENDIT_BASIC", "XENDIT_CALLBACK_TOKEN"),
    *("FLUTTERWAVE_SECRET_KEY", "FLUTTERWAVE_SECRET_HASH"),
    *("CHECKOUT_SECRET_KEY", "CHECKOUT_WEBHOOK_KEY"),
    *("RAZORPAY_KEY_ID", "RAZORPAY_KEY_SECRET", "RAZORPAY_WEBHOOK_SECRET"),
    *("ADYEN_API_KEY", "ADYEN_HMAC_KEY", "PAYSTACK_SECRET_KEY"),
)
HOSTS = {
    "xendit": "https://api.xendit.co",
    "flutterwave": "https://api.flutterwave.com",
    "checkout": "https://api.checkout.com",
    "razorpay": "https://api.razorpay.com",
    "adyen": "https://balanceplatform-api-live.adyen.com/btl/v4",
    "paystack": "https://api.paystack.co",
}


def xendit(status):
    return {
        "id": "disb-1",
        "reference_id": REFERENCE,
        "status": status,
        "amount": 125.5,
        "currency": "EUR",
    }


def flutterwave(status):
    return {
        "id": 570,
        "reference": REFERENCE,
        "status": status,
        "amount": 125.5,
        "currency": "EUR",
    }


def flutterwave_envelope(data):
    return {"status": "success", "message": "as asked", "data": data}


def checkout(status):
    return {
        "id": "pay_1",
        "reference": REFERENCE,
        "status": status,
        "amount": 12550,
        "currency": "EUR",
    }


def razorpay(status, reason="a_reason"):
    return {
        "id": "pout_1",
        "entity": "payout",
        "reference_id": REFERENCE,
        "status": status,
        "status_details": {"reason": reason, "description": "told", "source": "bank"},
        "amount": 12550,
        "currency": "EUR",
    }


def adyen(status, reason="approved"):
    return {
        "id": "3JNC1",
        "reference": REFERENCE,
        "status": status,
        "reason": reason,
        "amount": {"value": 12550, "currency": "EUR"},
        "category": "bank",
    }


def paystack(status):
    return {
        "status": True,
        "message": "as asked",
        "data": {
            "reference": REFERENCE,
            "transfer_code": "TRF_1",
            "status": status,
            "amount": 12550,
            "currency": "EUR",
        },
    }


def listed(name, *items):
    return {name: list(items), "has_more": False}


CASES = [
    ("xendit", "create", 200, xendit("ACCEPTED"), Accepted),
    ("xendit", "create", 400, {"error_code": "API_VALIDATION_ERROR"}, Unclear),
    ("xendit", "create", 409, {"error_code": "DUPLICATE_ERROR"}, Unclear),
    ("xendit", "status", 200, listed("data", xendit("SUCCEEDED")), Succeeded),
    ("xendit", "status", 200, listed("data", xendit("FAILED")), Declined),
    ("xendit", "status", 200, listed("data", xendit("REVERSED")), Returned),
    ("xendit", "status", 200, listed("data"), NotFound),
    ("xendit", "cancel", 200, xendit("CANCELLED"), Cancelled),
    ("xendit", "cancel", 400, {"error_code": "NOT_CANCELLABLE"}, TooLate),
    (
        "flutterwave",
        "create",
        200,
        flutterwave_envelope(flutterwave("NEW")),
        Accepted,
    ),
    (
        "flutterwave",
        "create",
        400,
        {"status": "error", "message": "no", "data": None},
        Unclear,
    ),
    (
        "flutterwave",
        "status",
        200,
        flutterwave_envelope([flutterwave("SUCCESSFUL")]),
        Succeeded,
    ),
    (
        "flutterwave",
        "status",
        200,
        flutterwave_envelope([flutterwave("FAILED")]),
        Declined,
    ),
    ("flutterwave", "status", 200, flutterwave_envelope([]), NotFound),
    ("checkout", "create", 201, checkout("Pending"), Accepted),
    ("checkout", "create", 202, checkout("Pending"), Accepted),
    ("checkout", "create", 201, checkout("Declined"), Declined),
    (
        "checkout",
        "create",
        422,
        {"error_type": "request_invalid", "error_codes": ["amount_invalid"]},
        Unclear,
    ),
    ("checkout", "status", 200, listed("data", checkout("Paid")), Succeeded),
    ("checkout", "status", 200, listed("data"), NotFound),
    ("checkout", "status", 404, None, Unclear),
    ("razorpay", "create", 200, razorpay("processing"), Accepted),
    (
        "razorpay",
        "create",
        400,
        {"error": {"code": "BAD_REQUEST_ERROR", "reason": "invalid_input"}},
        Unclear,
    ),
    ("razorpay", "status", 200, listed("items", razorpay("processed")), Succeeded),
    ("razorpay", "status", 200, listed("items", razorpay("rejected")), Declined),
    ("razorpay", "status", 200, listed("items", razorpay("reversed")), Returned),
    ("razorpay", "status", 200, listed("items"), NotFound),
    ("adyen", "create", 200, adyen("authorised"), Accepted),
    ("adyen", "create", 202, adyen("received"), Accepted),
    ("adyen", "create", 200, adyen("refused", "notEnoughBalance"), Declined),
    ("adyen", "create", 422, {"errorCode": "30_081", "title": "no"}, Unclear),
    ("adyen", "status", 200, adyen("booked"), Succeeded),
    ("adyen", "status", 200, adyen("returned"), Returned),
    ("paystack", "status", 200, paystack("success"), Succeeded),
    ("paystack", "status", 200, paystack("otp"), Accepted),
    ("paystack", "status", 200, paystack("reversed"), Returned),
    (
        "paystack",
        "status",
        404,
        {"status": False, "message": "Transfer not found"},
        NotFound,
    ),
]


def of_mac(digest):
    return lambda body: hmac.digest(HEX.encode(), body, digest).hex()


def of_adyen(body):
    mac = hmac.digest(bytes.fromhex(HEX), body, hashlib.sha256)
    return base64.b64encode(mac).decode()


def token(_):
    return HEX


def event(provider, told, kind, signature, **headers):
    return pytest.param(provider, told, kind, signature, headers, id=provider)


EVENTS = [
    event(
        "xendit",
        {"event": "payout.failed", "data": xendit("FAILED")},
        WebhookEventType.FAILED,
        ("x-callback-token", token),
    ),
    event(
        "flutterwave",
        {"event": "transfer.completed", "data": flutterwave("SUCCESSFUL")},
        WebhookEventType.SUCCEEDED,
        ("verif-hash", token),
    ),
    event(
        "checkout",
        {"id": "evt_1", "type": "payment_returned", "data": checkout("Returned")},
        WebhookEventType.RETURNED,
        ("cko-signature", of_mac("sha256")),
    ),
    event(
        "razorpay",
        {
            "event": "payout.processed",
            "payload": {"payout": {"entity": razorpay("processed")}},
        },
        WebhookEventType.SUCCEEDED,
        ("x-razorpay-signature", of_mac("sha256")),
        **{"x-razorpay-event-id": "ev-1"},
    ),
    event(
        "adyen",
        {
            "type": "balancePlatform.transfer.updated",
            "data": adyen("booked") | {"sequenceNumber": 3},
        },
        WebhookEventType.SUCCEEDED,
        ("hmacsignature", of_adyen),
    ),
    event(
        "paystack",
        {"event": "transfer.reversed", "data": paystack("reversed")["data"]},
        WebhookEventType.RETURNED,
        ("x-paystack-signature", of_mac("sha512")),
    ),
]


@asynccontextmanager
async def saying(name, status, told):
    """Return the provider, whose every call is answered so."""

    async def answered(request):
        await request.read()
        body = "" if told is None else json.dumps(told)
        return web.Response(status=status, text=body, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answered)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with Outbound() as out:
            yield provider(name, f"http://127.0.0.1:{runner.addresses[0][1]}", out)
    finally:
        await runner.cleanup()


def configured(name, url):
    text = (EXAMPLES / name / "payment.toml").read_text()
    assert HOSTS[name] in text
    return parse_config(
        text.replace(HOSTS[name], url),
        ack_wait=timedelta(seconds=30),
        environment=dict.fromkeys(KEYS, HEX),
    )


def provider(name, url, out):
    return build_providers(configured(name, url), out, public_url=None).get(name)


FIELDS = (
    *("token", "channel_code", "account_number", "holder", "bank", "iban"),
    *("ifsc", "bank_code", "first_name", "last_name"),
)
THEIRS = {"xendit": "disb-1", "adyen": "3JNC1"}


@pytest.mark.parametrize(("name", "call", "status", "told", "kind"), CASES)
async def test_an_answer_means_what_its_page_says(name, call, status, told, kind):
    known = None if call == "create" else THEIRS.get(name)
    asked = Payout(
        reference=REFERENCE,
        money=Money(12550, "EUR"),
        destination=dict.fromkeys(FIELDS, "x1") | {"type": "bank"},
        terminal_id=None,
        provider_reference=known,
    )
    async with saying(name, status, told) as made:
        answer = await getattr(made, call)(asked)

    assert type(answer) is kind
    if kind is Succeeded:
        assert (answer.amount, answer.currency) == (12550, "EUR")


@pytest.mark.parametrize(("name", "told", "kind", "signature", "headers"), EVENTS)
async def test_an_event_is_let_in_and_means_what_its_page_says(
    name, told, kind, signature, headers
):
    body = json.dumps(told).encode()
    header, signed = signature
    async with Outbound() as out:
        made = provider(name, "https://unused.example", out)
        sent = {n: [v] for n, v in headers.items()} | {header: [signed(body)]}
        verified = made.verify(sent, body, NOW)
        forged = made.verify(sent | {header: [signed(b"x") + "0"]}, body, NOW)
    table = configured(name, "https://unused.example").providers[name]
    (found,) = events_of(table).of(verified, sent, told)
    heard = made.read_webhook(found.event_id, told, NOW)

    assert isinstance(verified, Verified)
    assert isinstance(forged, Rejected)
    assert heard.type is kind
    assert heard.reference == REFERENCE
    assert (heard.amount, heard.currency) == (12550, "EUR")
