"""What goes over the wire to Stripe, against a server that plays its answers."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest
from aiohttp import web

from fsm.domain.money import Money
from fsm.reconciliation import StatementEntry
from handlers.ports.provider import (
    Accepted,
    Cancelled,
    NotFound,
    NotSent,
    Rejected,
    Succeeded,
    TooLate,
    Unclear,
)
from payment_service.cli.statements import fetch
from payment_service.settings import Settings
from providers.config import parse_config
from providers.http.outbound import Outbound
from providers.registry import build_providers, payment_provider
from providers.statements import NoStatement, NotOffered, Oddity
from providers.stripe.statement import StripeStatement
from tests.providers.stripe.recorded import (
    INTENT,
    PAYOUT,
    REFERENCE,
    VERSION,
    a_payout,
    an_error,
    an_intent,
    answered,
    asked,
)

KEY = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PO, PI = PAYOUT["id"], INTENT["id"]


class Played:
    """Answers in turn with what it is given, and remembers what it was asked."""

    def __init__(self, *answers):
        self.tables = {}
        self.statement = None
        self.answers = list(answers)
        self.asked = []
        self.forms = []
        self.headers = []

    async def hear(self, request):
        self.asked.append((request.method, request.path, dict(request.query)))
        self.forms.append(dict(parse_qsl((await request.read()).decode())))
        self.headers.append(request.headers)
        answer = self.answers.pop(0)
        return web.Response(
            status=answer.status, body=answer.body, headers=answer.headers
        )


def table(url, stripe="", more=""):
    options = f", {stripe}" if stripe else ""
    return f"""
        [providers.stripe]
        adapter = "stripe"
        base_url = "{url}"
        auth.bearer = {{ token = "{KEY}" }}
        stripe = {{ version = "{VERSION}"{options} }}
        {more}
    """


def listed(*rows, has_more=False):
    return answered(200, {"object": "list", "data": list(rows), "has_more": has_more})


@asynccontextmanager
async def connected(*answers, stripe="", more="", charges=False):
    played = Played(*answers)
    app = web.Application()
    app.router.add_route("*", "/{all:.*}", played.hear)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    text = table(url, stripe, f"{more}\n{'charge = {}' if charges else ''}")
    try:
        config = parse_config(text, ack_wait=timedelta(seconds=30), environment={})
        async with Outbound() as out:
            played.tables = dict(config.providers)
            played.statement = StripeStatement(config.providers["stripe"], out)
            if charges:
                yield payment_provider(config.providers["stripe"], out), played
            else:
                yield build_providers(config, out).get("stripe"), played
    finally:
        await runner.cleanup()
    assert played.answers == []


INTENTS = 'makes = "payment_intent"'


async def test_a_payout_is_a_form_under_our_key():
    async with connected(answered(200, PAYOUT)) as (stripe, played):
        said = await stripe.create(asked(terminal_id="t-1"))

    assert isinstance(said, Accepted)
    assert played.asked == [("POST", "/v1/payouts", {})]
    assert played.forms == [
        {
            "amount": "1100",
            "currency": "usd",
            "metadata[reference]": REFERENCE,
            "metadata[terminal_id]": "t-1",
            "destination": PAYOUT["destination"],
        }
    ]
    headers = played.headers[0]
    assert headers.getall("Content-Type") == ["application/x-www-form-urlencoded"]
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert headers["Idempotency-Key"] == REFERENCE
    assert headers["Stripe-Version"] == VERSION
    assert "Stripe-Account" not in headers


async def test_a_payout_says_what_its_table_says():
    options = (
        'method = "instant", source_type = "card", statement_descriptor = "ACME & Co"'
    )

    async with connected(answered(200, PAYOUT), stripe=options) as (stripe, played):
        await stripe.create(asked())

    said = {"method": "instant", "source_type": "card"}
    assert said.items() <= played.forms[0].items()
    assert played.forms[0]["statement_descriptor"] == "ACME & Co"


async def test_a_connected_accounts_payout_is_its_own_in_every_call():
    token, po = f"acct_9/{PAYOUT['destination']}", {"provider_reference": PO}
    answers = [answered(200, PAYOUT), answered(200, PAYOUT), listed(PAYOUT)]
    cancelled = answered(200, a_payout(status="canceled"))

    async with connected(*answers, cancelled, stripe="connect = true") as (
        stripe,
        played,
    ):
        await stripe.create(asked(token=token))
        await stripe.status(asked(token=token, **po))
        await stripe.status(asked(token=token))
        await stripe.cancel(asked(token=token, **po))

    assert [h["Stripe-Account"] for h in played.headers] == ["acct_9"] * 4
    assert played.forms[0]["destination"] == PAYOUT["destination"]


async def test_a_payment_intent_is_confirmed_with_nobody_there():
    token = f"cus_9/{INTENT['payment_method']}"

    async with connected(answered(200, INTENT), stripe=INTENTS) as (stripe, played):
        await stripe.create(asked("payment_intent", token=token))

    assert played.asked == [("POST", "/v1/payment_intents", {})]
    assert played.forms == [
        {
            "amount": "1100",
            "currency": "usd",
            "metadata[reference]": REFERENCE,
            "payment_method": INTENT["payment_method"],
            "customer": "cus_9",
            "confirm": "true",
            "off_session": "true",
            "payment_method_types[0]": "card",
        }
    ]


@pytest.mark.parametrize(
    ("stripe", "payout"),
    [
        ("", asked(token="")),
        ("", asked(token="tok_1")),
        ("", asked(token="pm_1")),
        ("", asked(token="ba_1/cancel")),
        ("", asked(token="ba_1\r\nX: 1")),
        ("", asked(token="acct_9/ba_1")),
        ("connect = true", asked(token="ba_1")),
        ("", asked(money=Money(1045, "HUF"))),
        ("", asked(money=Money(1000, "LYD"))),
        (INTENTS, asked(token="ba_1")),
        (INTENTS, asked(token="acct_1/pm_1")),
    ],
)
async def test_what_cannot_be_said_rightly_is_not_said(stripe, payout):
    async with connected(stripe=stripe) as (provider, played):
        assert isinstance(await provider.create(payout), NotSent)

    assert played.asked == []


async def test_the_same_payout_makes_the_same_form():
    answers = [answered(200, PAYOUT)] * 2

    async with connected(*answers) as (stripe, played):
        await stripe.create(asked())
        await stripe.create(asked(provider_reference=PO))

    assert played.forms[0] == played.forms[1]
    assert played.headers[0]["Idempotency-Key"] == played.headers[1]["Idempotency-Key"]


# What became of it.


@pytest.mark.parametrize(
    ("makes", "stripe", "found", "path"),
    [
        ("payout", "", a_payout(status="paid"), f"/v1/payouts/{PO}"),
        (
            "payment_intent",
            INTENTS,
            an_intent(status="succeeded", amount_received=1100),
            f"/v1/payment_intents/{PI}",
        ),
    ],
)
async def test_it_is_asked_by_stripes_id_where_that_is_known(
    makes, stripe, found, path
):
    async with connected(answered(200, found), stripe=stripe) as (provider, played):
        said = await provider.status(asked(makes, provider_reference=found["id"]))

    assert isinstance(said, Succeeded)
    assert played.asked == [("GET", path, {})]


async def test_a_payout_without_id_is_looked_for_among_those_to_its_destination():
    other = a_payout(id="po_other", metadata={"reference": "another"})
    mine = a_payout(status="paid")

    async with connected(listed(other, mine)) as (stripe, played):
        said = await stripe.status(asked())

    assert (type(said), said.reference) == (Succeeded, PO)
    query = {"destination": PAYOUT["destination"], "limit": "100"}
    assert played.asked == [("GET", "/v1/payouts", query)]


def others(page):
    return [a_payout(id=f"po_{page}_{n}", metadata={}) for n in range(100)]


async def test_it_is_looked_for_page_by_page():
    async with connected(listed(*others(1)), listed(PAYOUT)) as (stripe, played):
        said = await stripe.status(asked())

    assert isinstance(said, Accepted)
    assert [query.get("starting_after") for *_, query in played.asked] == [
        None,
        "po_1_99",
    ]


async def test_the_search_ends_and_proves_nothing():
    async with connected(*[listed(*others(n)) for n in range(3)]) as (stripe, _):
        assert isinstance(await stripe.status(asked()), NotFound)

    assert stripe.policy.not_found_definite is False


async def test_two_of_one_reference_are_for_a_person():
    twice = listed(a_payout(status="failed"), a_payout(id="po_2", status="paid"))

    async with connected(twice) as (stripe, _):
        assert isinstance(await stripe.status(asked()), Unclear)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (answered(500, an_error("api_error")), Unclear),
        (answered(404, an_error("invalid_request_error")), Unclear),
        (answered(429, an_error("rate_limit_error")), NotSent),
        (answered(200, {"object": "list"}), Unclear),
        (answered(200, {"data": ["po_1"]}), Unclear),
        (answered(200, PAYOUT), Unclear),
        (answered(200, b"<html>"), Unclear),
    ],
)
async def test_a_list_that_does_not_come_is_no_absence(answer, kind):
    async with connected(answer) as (stripe, _):
        assert type(await stripe.status(asked())) is kind


async def test_a_payment_intent_is_searched_for_and_then_looked_at_itself():
    stale = listed(INTENT)
    now = answered(200, an_intent(status="succeeded", amount_received=1100))

    async with connected(stale, now, stripe=INTENTS) as (stripe, played):
        said = await stripe.status(asked("payment_intent"))

    assert isinstance(said, Succeeded)
    wanted = {"query": f'metadata["reference"]:"{REFERENCE}"', "limit": "2"}
    assert played.asked == [
        ("GET", "/v1/payment_intents/search", wanted),
        ("GET", f"/v1/payment_intents/{PI}", {}),
    ]


async def test_where_the_index_has_none_nothing_is_proven():
    async with connected(listed(), stripe=INTENTS) as (stripe, _):
        assert isinstance(await stripe.status(asked("payment_intent")), NotFound)


async def test_a_status_that_is_not_to_be_asked_is_not():
    more = 'status = false\nidempotent_create = true\nkey_lifetime = "23h"'

    async with connected(more=more) as (stripe, _):
        assert isinstance(await stripe.status(asked()), Unclear)


@pytest.mark.parametrize("known", [None, PO])
async def test_the_time_to_come_back_is_told(known):
    busy = answered(429, an_error("rate_limit_error"), retry_after="7")
    answers = [busy] * (3 if known else 2)

    async with connected(*answers) as (stripe, _):
        said = [await stripe.create(asked())]
        said += [await stripe.status(asked(provider_reference=known))]
        said += [await stripe.cancel(asked(provider_reference=known))] if known else []

    assert {each.after for each in said} == {timedelta(seconds=7)}


# Not to pay it.


async def test_a_pending_payout_is_cancelled_without_a_key():
    canceled = answered(200, a_payout(status="canceled"))

    async with connected(canceled) as (stripe, played):
        said = await stripe.cancel(asked(provider_reference=PO))

    assert isinstance(said, Cancelled)
    assert said.evidence["status"] == "canceled"
    assert played.asked == [("POST", f"/v1/payouts/{PO}/cancel", {})]
    assert "Idempotency-Key" not in played.headers[0]


async def test_one_that_has_no_id_goes_on():
    async with connected() as (stripe, played):
        assert await stripe.cancel(asked()) == TooLate()

    assert played.asked == []


# Its list.


async def test_a_statement_has_what_is_ours_in_our_words():
    first = listed(
        a_payout(status="paid", id="po_1"),
        a_payout(status="paid", id="po_2", metadata={}),
        a_payout(status="paid", reversed_by="po_9", metadata={"reference": another(2)}),
        a_payout(status="canceled", id="po_3", metadata={"reference": another(3)}),
        has_more=True,
    )
    second = listed(
        a_payout(status="failed", id="po_4", metadata={"reference": another(4)}),
        a_payout(
            status="in_transit",
            id="po_5",
            currency="isk",
            amount=500,
            metadata={"reference": another(5)},
        ),
    )

    async with connected(first, second) as (_, played):
        pages = [p async for p in played.statement.pages(NOW, NOW)]

    at, usd = "2023-04-04T22:51:31.000Z", {"amount": 1100, "currency": "USD"}
    assert [row for page in pages for row in page.rows] == [
        {"reference": REFERENCE, "status": "succeeded", **usd, "at": at},
        {"reference": another(2), "status": "returned", **usd, "at": at},
        {"reference": another(3), "status": "cancelled", **usd, "at": at},
        {"reference": another(4), "status": "failed", **usd, "at": at},
        {
            "reference": another(5),
            "status": "accepted",
            "amount": 5,
            "currency": "ISK",
            "at": at,
        },
    ]
    created = str(int(NOW.timestamp()))
    window = {"created[gte]": created, "created[lte]": created, "limit": "100"}
    assert [query for *_, query in played.asked] == [
        window,
        window | {"starting_after": "po_3"},
    ]


async def test_what_is_verified_is_held_against_it():
    async with connected(listed(a_payout(status="paid"))) as (_, played):
        alone = Settings(_env_file=None, core_url=None)
        books = await fetch(alone, played.tables, since=NOW, until=NOW)

    assert books.stated == {"stripe"}
    paid = StatementEntry("stripe", REFERENCE, "succeeded", 1100, "USD")
    assert books.payouts_of([REFERENCE]) == {REFERENCE: [paid]}


async def test_what_others_made_there_is_named_and_stops_nothing():
    lines = (
        a_payout(id="po_1", metadata={}),
        a_payout(id="po_2", metadata={"reference": "payroll"}),
        a_payout(id="po_3", amount=None),
        a_payout(id="po_4", status="paid"),
    )
    async with connected(listed(*lines)) as (_, played):
        (page,) = [p async for p in played.statement.pages(NOW, NOW)]

    assert [row["status"] for row in page.rows] == ["succeeded"]
    assert [(odd.row, odd.oddity, odd.reference) for odd in page.odd] == [
        (1, Oddity.FOREIGN, None),
        (2, Oddity.FOREIGN, None),
        (3, Oddity.UNREADABLE, REFERENCE),
    ]


def another(number):
    return REFERENCE[:-1] + str(number)


@pytest.mark.parametrize(
    "answer",
    [
        answered(401, an_error("invalid_request_error")),
        answered(200, {"data": None}),
        answered(200, {"data": [1]}),
        answered(200, b"<html>"),
    ],
)
async def test_half_a_statement_is_none(answer):
    async with connected(answer) as (_, played):
        with pytest.raises(NoStatement):
            _ = [p async for p in played.statement.pages(NOW, NOW)]


async def test_connected_accounts_have_no_list_together():
    async with connected(stripe="connect = true") as (_, played):
        with pytest.raises(NotOffered):
            _ = [p async for p in played.statement.pages(NOW, NOW)]


async def test_without_a_webhook_table_none_is_believed():
    async with connected() as (stripe, _):
        assert isinstance(stripe.verify({}, b"{}", NOW), Rejected)
        assert not stripe.takes_webhooks
