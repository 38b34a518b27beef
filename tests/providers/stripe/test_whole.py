"""Withdrawals through the whole service, with Stripe played by localstripe.

It knows neither idempotency keys nor filters of lists, and calls no payout paid of
itself: the tests say what the bank did, and a lost answer is told in ``test_calls``.
"""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from providers.config import parse_config
from tests.providers.rest.test_declared_whole import _running
from tests.providers.stripe.conftest import KEY
from tests.providers.stripe.recorded import VERSION
from tests.service.stage import a_withdrawal

SECRET = "whsec_0123456789abcdef"
TABLE = """
[providers.{name}]
adapter = "stripe"
base_url = "{url}"
auth.bearer = {{ token = "{key}" }}
timeout = "10s"
not_found_grace = "10s"
sla = "{sla}"
poll = {{ first = "100ms", max = "300ms", deadline = "10s" }}
recheck = {{ first = "50ms", max = "50ms", attempts = 2 }}
webhook = {{ scheme = "stripe", secrets = ["{secret}"] }}
stripe = {{ version = "{version}", makes = "{makes}" }}
"""


def table(name, url, makes, sla):
    return TABLE.format(
        name=name,
        url=url,
        makes=makes,
        sla=sla,
        key=KEY,
        secret=SECRET,
        version=VERSION,
    )


@asynccontextmanager
async def staged(localstripe, database_url, nats_url, prefix, *, sla="1h"):
    url = localstripe.url
    text = table("stripe", url, "payout", sla)
    text += table("collect", url, "payment_intent", sla)
    config = parse_config(text, ack_wait=timedelta(seconds=30), environment={})
    async with _running(database_url, nats_url, prefix, config) as stage:
        yield stage


@pytest.fixture
async def stage(localstripe, database_url, nats_server, subject_prefix):
    async with staged(
        localstripe, database_url, nats_server.url, subject_prefix
    ) as running:
        yield running


def asked_for(token, *names, **changes):
    cascade = [{"provider": name} for name in names or ("stripe",)]
    destination = {"type": "bank", "token": token}
    return a_withdrawal(destination=destination, cascade=cascade, **changes)


async def in_transit(stage, localstripe):
    """Return the one payout that Stripe has for the order that is under way."""
    task = await stage.task_in("w-1", "EXECUTING")
    (made,) = await ask(localstripe.made, "payouts", task["task_id"])
    assert made["id"] == task["provider_reference"]
    return made


async def ask(call, *values):
    return await asyncio.to_thread(call, *values)


async def changed(localstripe, payout, **what):
    await ask(localstripe.call, "POST", f"/v1/payouts/{payout['id']}", what)


async def test_a_payout_that_stripe_calls_paid_completes_the_order(stage, localstripe):
    localstripe.send_webhooks_to(f"{stage.url}/webhooks/stripe", SECRET)

    await stage.ask(asked_for("ba_1MtIhL2eZvKYlo2CAElKwKu2"))
    payout = await in_transit(stage, localstripe)
    assert (payout["amount"], payout["currency"]) == (12550, "eur")
    await changed(localstripe, payout, status="paid")

    assert (await stage.final("w-1"))["state"] == "COMPLETED"
    assert stage.core.holds() == {}
    assert stage.core.check() == []


async def test_one_that_comes_back_after_it_was_paid_is_a_case(stage, localstripe):
    localstripe.send_webhooks_to(f"{stage.url}/webhooks/stripe", SECRET)
    await stage.ask(asked_for("ba_1MtIhL2eZvKYlo2CAElKwKu2"))
    payout = await in_transit(stage, localstripe)
    await changed(localstripe, payout, status="paid")
    await stage.final("w-1")

    # The day of its arrival has come, and the bank has sent it back.
    failed = {"status": "failed", "failure_code": "account_closed"}
    await changed(localstripe, payout, arrival_date=payout["created"] - 1, **failed)

    (case,) = await stage.until(lambda: cases(stage))
    assert case["kind"] == "return_after_success"
    assert (await stage.order("w-1"))["state"] == "COMPLETED"


async def cases(stage):
    _, found = await stage.call("GET", "/v1/cases?state=open", role="viewer")
    return found["cases"]


async def test_one_that_fails_on_its_way_leads_to_the_next(stage, localstripe):
    localstripe.send_webhooks_to(f"{stage.url}/webhooks/stripe", SECRET)
    await stage.ask(asked_for("ba_1MtIhL2eZvKYlo2CAElKwKu2"))
    payout = await in_transit(stage, localstripe)

    failed = {"status": "failed", "failure_code": "account_closed"}
    await changed(localstripe, payout, **failed)

    order = await stage.final("w-1")
    assert order["state"] == "FAILED"
    assert [task["code"] for task in order["tasks"]] == ["account_closed"]
    assert stage.core.holds() == {}


async def test_a_pending_payout_is_cancelled(stage, localstripe):
    await stage.ask(asked_for("ba_1MtIhL2eZvKYlo2CAElKwKu2"))
    payout = await in_transit(stage, localstripe)

    await stage.call(
        "POST", "/v1/orders/w-1/cancel", role="support", body={"reason": "asked to"}
    )

    assert (await stage.final("w-1"))["state"] == "CANCELLED"
    now = await ask(localstripe.call, "GET", f"/v1/payouts/{payout['id']}")
    assert now["status"] == "canceled"


async def test_without_a_webhook_the_status_is_asked(
    localstripe, database_url, nats_server, subject_prefix
):
    where = (database_url, nats_server.url, subject_prefix)
    async with staged(localstripe, *where, sla="100ms") as stage:
        await stage.ask(asked_for("ba_1MtIhL2eZvKYlo2CAElKwKu2"))
        payout = await in_transit(stage, localstripe)
        await changed(localstripe, payout, status="paid")

        assert (await stage.final("w-1"))["state"] == "COMPLETED"


async def test_what_stripe_does_not_take_is_passed_over(stage, localstripe):
    # It plays payouts in euros alone, and answers 400 to all others.
    await stage.ask(asked_for("ba_1MtIhL2eZvKYlo2CAElKwKu2", currency="USD"))

    order = await stage.final("w-1")
    assert [task["state"] for task in order["tasks"]] == ["SKIPPED"]
    assert await ask(localstripe.made, "payouts", order["tasks"][0]["task_id"]) == []


# Payment intents.


def method(localstripe, **what):
    return localstripe.call("POST", "/v1/payment_methods", what)["id"]


def card(number):
    return {"number": number, "exp_month": 12, "exp_year": 2030, "cvc": "123"}


async def test_a_card_pays_at_once(stage, localstripe):
    token = method(localstripe, type="card", card=card("4242424242424242"))

    await stage.ask(asked_for(token, "collect"))

    order = await stage.final("w-1")
    assert order["state"] == "COMPLETED"
    (made,) = await ask(
        localstripe.made, "payment_intents", order["tasks"][0]["task_id"]
    )
    assert (made["status"], made["amount"]) == ("succeeded", 12550)


async def test_a_refused_card_is_a_no(stage, localstripe):
    token = method(localstripe, type="card", card=card("4000000000000341"))

    await stage.ask(asked_for(token, "collect"))

    order = await stage.final("w-1")
    assert [task["code"] for task in order["tasks"]] == ["card_declined"]
    assert stage.core.holds() == {}


async def test_a_debit_that_fails_later_is_told_by_a_webhook(stage, localstripe):
    localstripe.send_webhooks_to(f"{stage.url}/webhooks/collect", SECRET)
    iban = {"iban": "DE62370400440532013001"}
    token = method(localstripe, type="sepa_debit", sepa_debit=iban)

    await stage.ask(asked_for(token, "collect"))

    order = await stage.final("w-1")
    assert [task["state"] for task in order["tasks"]] == ["FAILED"]
    assert stage.core.holds() == {}


async def test_one_that_its_owner_confirms_later_is_told_by_a_webhook(
    stage, localstripe
):
    localstripe.send_webhooks_to(f"{stage.url}/webhooks/collect", SECRET)
    token = method(localstripe, type="card", card=card("4000002500003155"))
    await stage.ask(asked_for(token, "collect"))
    task = await stage.task_in("w-1", "EXECUTING")

    (made,) = await ask(localstripe.made, "payment_intents", task["task_id"])
    path = f"/v1/payment_intents/{made['id']}/_authenticate"
    confirmed = {"client_secret": made["client_secret"], "success": True}
    await ask(localstripe.call, "POST", path, confirmed)

    assert (await stage.final("w-1"))["state"] == "COMPLETED"
