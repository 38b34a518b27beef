"""Two real providers of ops/examples, played after their pages: Wise and PayPal.

Each is killed between any two calls of a create, or answers too late; whatever was
lost, the create is made again, and the book never shows two payouts.
"""

import base64
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs

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
    Returned,
    Succeeded,
    Unclear,
)
from providers.config import parse_config
from providers.http.outbound import Outbound
from providers.registry import build_providers
from tests.providers.rest.test_declared_whole import Played

EXAMPLES = Path(__file__).parents[3] / "ops" / "examples"
ENVIRONMENT = {
    "WISE_TOKEN": "wise-token-8f2a41c09be6",
    "PAYPAL_CLIENT_ID": "paypal-client",
    "PAYPAL_CLIENT_SECRET": "paypal-secret-8f2a41c09be6",
}
HOSTS = {"wise": "https://api.wise.com", "paypal": "https://api-m.paypal.com"}


class Breaking(Played):
    """Breaks off once at the call it is told to, before or after it was carried out."""

    def __init__(self):
        super().__init__()
        self.breaks_at = None
        self.called = []

    def breaks(self, request, call, moment):
        if self.breaks_at != (call, moment):
            return False
        self.breaks_at = None
        request.transport.abort()
        return True

    async def done(self, request, call, carry_out, status=200):
        self.called.append(call)
        body = orjson.loads(await request.read() or b"{}")
        if self.breaks(request, call, "before"):
            return web.Response()
        answer = carry_out(body)
        if isinstance(answer, web.Response):
            return answer
        gone = self.breaks(request, call, "after")
        return web.Response() if gone else web.json_response(answer, status=status)


class Wise(Breaking):
    """After the pages that ops/examples/wise/README.md names."""

    balance = 10**9
    state = "processing"

    def routes(self):
        profile = "/v3/profiles/10000001"
        return [
            web.post(f"{profile}/quotes", self.quote),
            web.post("/v1/accounts", self.account),
            web.post("/v1/transfers", self.transfer),
            web.post(f"{profile}/transfers/{{id}}/payments", self.payment),
            web.get("/v1/transfers/{id}", self.show),
        ]

    async def quote(self, request):
        assert request.headers["Authorization"] == "Bearer wise-token-8f2a41c09be6"
        return await self.done(request, "quote", self._quote)

    def _quote(self, asked):
        self.asked.append(asked)
        made = {"id": f"quote-{next(self.numbers)}", **asked, "status": "PENDING"}
        self.book[made["id"]] = made
        return made

    async def account(self, request):
        return await self.done(request, "recipient", self._account)

    def _account(self, asked):
        self.asked.append(asked)
        return {"id": next(self.numbers), **asked}

    async def transfer(self, request):
        return await self.done(request, "transfer", self._transfer)

    def _transfer(self, asked):
        self.asked.append(asked)
        assert isinstance(asked["targetAccount"], int)
        ours, quote = asked["customerTransactionId"], self.book[asked["quoteUuid"]]
        if ours not in self.book:
            self.book[ours] = {
                "id": next(self.numbers),
                "customerTransactionId": ours,
                "status": "incoming_payment_waiting",
                "targetValue": quote["targetAmount"],
                "targetCurrency": quote["targetCurrency"],
            }
        return self.book[ours]

    async def payment(self, request):
        made = self._found(request)
        return await self.done(
            request, "payment", lambda _: self._payment(made), status=201
        )

    def _payment(self, made):
        if made["status"] != "incoming_payment_waiting":
            body = {"errors": [{"code": "transfer.not-payable"}]}
            return web.json_response(body, status=409)
        if made["targetValue"] > self.balance:
            code = "balance.payment-option-unavailable"
            return {"type": "BALANCE", "status": "REJECTED", "errorCode": code}
        made["status"] = self.state
        self.paid[made["customerTransactionId"]] += 1
        return {"type": "BALANCE", "status": "COMPLETED", "errorCode": None}

    async def show(self, request):
        return web.json_response(self._found(request))

    def _found(self, request):
        number = int(request.match_info["id"])
        made = [each for each in self.book.values() if each["id"] == number]
        return made[0]


class Paypal(Breaking):
    """After the pages that ops/examples/paypal/README.md names."""

    words = ("SUCCESS", "SUCCESS")

    def routes(self):
        return [
            web.post("/v1/oauth2/token", self.token),
            web.post("/v1/payments/payouts", self.create),
            web.get("/v1/payments/payouts/{id}", self.show),
        ]

    async def token(self, request):
        pair = base64.b64encode(b"paypal-client:paypal-secret-8f2a41c09be6").decode()
        assert request.headers["Authorization"] == f"Basic {pair}"
        assert parse_qs(await request.text()) == {"grant_type": ["client_credentials"]}
        self.seen["token"] += 1
        held = f"A21-{self.seen['token']}"
        answer = {"access_token": held, "token_type": "Bearer", "expires_in": 32400}
        return web.json_response(answer)

    def refused(self, request):
        known = f"Bearer A21-{self.seen['token']}"
        if request.headers["Authorization"] == known:
            return None
        return web.json_response({"error": "invalid_token"}, status=401)

    async def create(self, request):
        if (no := self.refused(request)) is not None:
            return no
        key = request.headers["PayPal-Request-Id"]
        return await self.done(
            request, "create", lambda asked: self._create(asked, key), status=201
        )

    def _create(self, asked, key):
        self.asked.append(asked)
        if key not in self.book:
            self.book[key] = {"header": self._header(asked), "item": asked["items"][0]}
            self.paid[asked["sender_batch_header"]["sender_batch_id"]] += 1
        return {"batch_header": self.book[key]["header"]}

    def _header(self, asked):
        return {
            "payout_batch_id": f"B{next(self.numbers)}",
            "batch_status": "PENDING",
            "sender_batch_header": asked["sender_batch_header"],
        }

    async def show(self, request):
        if (no := self.refused(request)) is not None:
            return no
        number = request.match_info["id"]
        made = [
            m for m in self.book.values() if m["header"]["payout_batch_id"] == number
        ]
        batch, item = self.words
        header = made[0]["header"] | {"batch_status": batch}
        listed = {"payout_item": made[0]["item"], "transaction_status": item}
        items = [{"payout_item_id": "I1", **listed}] if item else []
        return web.json_response({"batch_header": header, "items": items})


def table(name, url):
    """Return the table as it stands, but for where it leads."""
    text = (EXAMPLES / name / "payment.toml").read_text()
    changed = text.replace(HOSTS[name], url)
    assert changed != text
    return changed


@asynccontextmanager
async def connected(name, played):
    async with played.served() as url, Outbound() as out:
        text, limit = table(name, url), timedelta(seconds=30)
        config = parse_config(text, ack_wait=limit, environment=ENVIRONMENT)
        yield build_providers(config, out, public_url=None).get(name)


def payout(theirs=None, amount=12550):
    return Payout(
        reference="018f0000-0000-7000-8000-000000000001",
        money=Money(amount, "EUR"),
        destination={
            "type": "iban",
            "holder": "Ann Other",
            "iban": "DE89370400440532013000",
            "email": "ann@other.example",
        },
        terminal_id=None,
        provider_reference=theirs,
    )


async def test_wise_hears_what_its_pages_say():
    wise = Wise()
    async with connected("wise", wise) as provider:
        answer = await provider.create(payout())

    assert isinstance(answer, Accepted)
    assert wise.called == ["quote", "recipient", "transfer", "payment"]
    transfer = wise.book[payout().reference]
    assert answer.reference == str(transfer["id"])
    assert wise.asked == [
        {
            "sourceCurrency": "EUR",
            "targetCurrency": "EUR",
            "targetAmount": 125.5,
            "payOut": "BANK_TRANSFER",
        },
        {
            "profile": 10000001,
            "currency": "EUR",
            "type": "iban",
            "accountHolderName": "Ann Other",
            "details": {"legalType": "PRIVATE", "IBAN": "DE89370400440532013000"},
        },
        {
            "targetAccount": 2,
            "quoteUuid": "quote-1",
            "customerTransactionId": payout().reference,
        },
    ]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("call", ["quote", "recipient", "transfer", "payment"])
async def test_wherever_wise_breaks_off_it_is_paid_once(call, moment):
    wise = Wise()
    async with connected("wise", wise) as provider:
        wise.breaks_at = (call, moment)
        lost = await provider.create(payout())
        again = await provider.create(payout())
        theirs = str(wise.book[payout().reference]["id"])
        found = await provider.status(payout(theirs))

    # Until the call that pays nothing can have been paid; from it on all is unclear.
    assert isinstance(lost, Unclear if call == "payment" else NotSent)
    assert not isinstance(again, Declined | NotSent)
    assert isinstance(found, Accepted)
    assert wise.paid == {payout().reference: 1}


async def test_a_transfer_that_was_not_funded_is_funded_by_the_repeat():
    wise = Wise()
    wise.balance = 0
    async with connected("wise", wise) as provider:
        poor = await provider.create(payout())
        waits = await provider.status(payout(poor.reference))
        wise.balance = 10**9
        again = await provider.create(payout(poor.reference))

    assert isinstance(poor, Unclear)
    assert isinstance(waits, NotFound)
    assert isinstance(again, Accepted)
    assert wise.paid == {payout().reference: 1}


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("processing", Accepted),
        ("outgoing_payment_sent", Succeeded),
        ("cancelled", Declined),
        ("funds_refunded", Returned),
        ("a word of tomorrow", Unclear),
    ],
)
async def test_what_wise_says_of_a_transfer(word, kind):
    wise = Wise()
    wise.state = word
    async with connected("wise", wise) as provider:
        made = await provider.create(payout())
        found = await provider.status(payout(made.reference))

    assert type(found) is kind


async def test_paypal_hears_what_its_pages_say():
    paypal = Paypal()
    async with connected("paypal", paypal) as provider:
        answer = await provider.create(payout())
        await provider.status(payout(answer.reference))

    reference = payout().reference
    assert isinstance(answer, Accepted)
    assert paypal.seen["token"] == 1
    assert paypal.asked == [
        {
            "sender_batch_header": {"sender_batch_id": reference},
            "items": [
                {
                    "recipient_type": "EMAIL",
                    "receiver": "ann@other.example",
                    "sender_item_id": reference,
                    "amount": {"value": "125.50", "currency": "EUR"},
                }
            ],
        }
    ]


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_wherever_paypal_breaks_off_it_is_paid_once(moment):
    paypal = Paypal()
    async with connected("paypal", paypal) as provider:
        paypal.breaks_at = ("create", moment)
        lost = await provider.create(payout())
        again = await provider.create(payout())

    assert isinstance(lost, Unclear)
    assert isinstance(again, Accepted)
    assert paypal.paid == {payout().reference: 1}


async def test_a_token_of_paypal_that_ended_early_is_fetched_anew():
    paypal = Paypal()
    async with connected("paypal", paypal) as provider:
        made = await provider.create(payout())
        paypal.seen["token"] += 1  # What we hold counts no longer.
        found = await provider.status(payout(made.reference))

    assert isinstance(found, Succeeded)
    assert (found.amount, found.currency) == (12550, "EUR")


@pytest.mark.parametrize(
    ("batch", "item", "kind"),
    [
        ("PENDING", None, Unclear),
        ("PROCESSING", "PENDING", Accepted),
        ("SUCCESS", "UNCLAIMED", Accepted),
        ("SUCCESS", "SUCCESS", Succeeded),
        ("SUCCESS", "FAILED", Declined),
        ("SUCCESS", "RETURNED", Declined),
        ("SUCCESS", "REVERSED", Returned),
        ("SUCCESS", "BLOCKED", Unclear),
        ("DENIED", None, Unclear),
    ],
)
async def test_what_paypal_says_of_a_batch_and_its_item(batch, item, kind):
    paypal = Paypal()
    paypal.words = (batch, item)
    async with connected("paypal", paypal) as provider:
        made = await provider.create(payout())
        found = await provider.status(payout(made.reference))

    assert type(found) is kind
