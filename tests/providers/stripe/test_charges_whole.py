"""Charges and refunds with Stripe played by localstripe, a process of its own.

It knows no idempotency keys and no search: those are told in ``test_charges``.
"""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from fsm.domain.money import Money
from handlers.ports.payments import Charge, Charged, Refunded
from handlers.ports.services import ServiceRefused
from providers.config import parse_config
from providers.http.outbound import Outbound
from providers.registry import payment_provider
from tests.providers.stripe.test_whole import table

TASK = "018f0000-0000-7000-8000-{:012d}"
NUMBERS = iter(range(1, 1_000_000))
GOOD, DECLINED, ASKS = "4242424242424242", "4000000000000341", "4000002760003184"


@asynccontextmanager
async def charging(localstripe):
    text = table("collect", localstripe.url, "payment_intent", "1h")
    text += "charge = {}\n"
    config = parse_config(text, ack_wait=timedelta(seconds=30), environment={})
    async with Outbound() as outbound:
        yield payment_provider(config.providers["collect"], outbound)


async def a_charge(localstripe, card):
    """Return a charge of a customer's card that Stripe knows."""
    method = await asyncio.to_thread(
        localstripe.call,
        "POST",
        "/v1/payment_methods",
        {
            "type": "card",
            "card": {"number": card, "exp_month": 12, "exp_year": 2030, "cvc": "123"},
        },
    )
    task_id = TASK.format(next(NUMBERS))
    return Charge(
        reference=task_id,
        key=task_id,
        money=Money(12550, "EUR"),
        order_id="c-1",
        merchant_id="m-1",
        customer_id="c-9",
        payment_method={"type": "card", "token": method["id"]},
    )


async def made(localstripe, charge):
    return await asyncio.to_thread(
        localstripe.made, "payment_intents", charge.reference
    )


async def test_it_collects_tells_and_gives_back(localstripe):
    charge = await a_charge(localstripe, GOOD)
    async with charging(localstripe) as provider:
        said = await provider.charge(charge)
        (intent,) = await made(localstripe, charge)
        known = replace(charge, provider_reference=intent["id"])
        asked = await provider.charge_status(known)
        back = await provider.refund(replace(known, key=f"{charge.key}:refund"))

    assert (
        said == asked == Charged(reference=intent["id"], amount=12550, currency="EUR")
    )
    assert isinstance(back, Refunded)
    refunds = await asyncio.to_thread(localstripe.call, "GET", "/v1/refunds?limit=1000")
    found = [row for row in refunds["data"] if row["id"] == back.reference]
    assert [(row["amount"], row["payment_intent"]) for row in found] == [
        (12550, intent["id"])
    ]


async def test_a_card_that_is_declined_is_a_definite_no(localstripe):
    charge = await a_charge(localstripe, DECLINED)
    async with charging(localstripe) as provider:
        said = await provider.charge(charge)

    assert isinstance(said, ServiceRefused)
    assert said.code == "card_declined"


async def test_a_card_that_wants_its_owner_is_a_no_once_its_intent_is_cancelled(
    localstripe,
):
    charge = await a_charge(localstripe, ASKS)
    async with charging(localstripe) as provider:
        said = await provider.charge(charge)

    assert isinstance(said, ServiceRefused)
    assert [row["status"] for row in await made(localstripe, charge)] != ["succeeded"]
