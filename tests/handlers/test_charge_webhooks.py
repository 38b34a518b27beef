"""Webhooks about charges: stored, acknowledged, and without any effect.

A provider may collect for checkouts and pay withdrawals out; what it says of the one
settles none of the other, whatever type it says it by.
"""

from typing import Any

import pytest

from fsm.domain.webhook_events import (
    WebhookEvent,
    WebhookEventState,
    WebhookEventType,
)
from fsm.engine.words import State
from fsm.flows import CHECKOUT
from handlers.checkout import CheckoutHandlers
from payment_service.playground.memory.providers import stated
from tests.handlers.test_charges import BOTH, HANDLED, KEY, hasten
from tests.handlers.test_checkouts import house
from tests.world.checkouts import a_checkout, collect, wrongs

__all__ = ["house"]


@pytest.fixture(autouse=True)
def charged(monkeypatch):
    """Have two payment providers collect for new checkouts."""
    handlers = CheckoutHandlers(CHECKOUT, {"payment": BOTH})
    monkeypatch.setitem(HANDLED, KEY, handlers)


@pytest.fixture
def shop(house):
    collect(house, *BOTH)
    hasten(house)
    return house


async def tell(world, kind, task_id, **said: Any):
    """Have the payment provider north send a webhook about one of our tasks."""
    webhook = stated(
        WebhookEvent(
            provider="north",
            event_id=f"north-{kind}",
            type=kind,
            reference=task_id,
            received_at=world.clock.now(),
        ),
        **said,
    )
    assert await world.webhook(webhook)
    return webhook


async def heard(world, webhook):
    stored = await world.rows.store.find_webhook(webhook.provider, webhook.event_id)
    return stored.state


@pytest.mark.parametrize("kind", WebhookEventType)
async def test_of_a_charge_that_is_over_it_changes_nothing(shop, kind):
    await shop.request(a_checkout())
    await shop.rest()
    before = await shop.states()
    charge = await shop.task(1)

    webhook = await tell(shop, kind, charge.task_id, amount=1, currency="USD")
    await shop.rest()

    assert await shop.states() == before
    assert await heard(shop, webhook) is WebhookEventState.IGNORED
    assert await wrongs(shop) == []


@pytest.mark.parametrize("refuses", [False, True])
@pytest.mark.parametrize("kind", [WebhookEventType.SUCCEEDED, WebhookEventType.FAILED])
async def test_of_a_charge_that_is_asked_about_the_answer_counts(shop, kind, refuses):
    """A timeout is no answer, and a webhook is none either: the provider is asked."""
    north = shop.payments["north"]
    north.refuses, north.silent["charge"] = refuses, 1
    await shop.submit(a_checkout())
    await shop.work_off()
    charge = await shop.task(1)
    assert charge.state is State.EXECUTING

    webhook = await tell(shop, kind, charge.task_id, amount=12550, currency="EUR")
    await shop.work_off()
    assert (await shop.task(1)).state is State.EXECUTING
    await shop.rest()

    assert await heard(shop, webhook) is WebhookEventState.IGNORED
    assert (await shop.task(1)).state is (State.SKIPPED if refuses else State.SUCCEEDED)
    assert (await shop.states())[-1] == "COMPLETED"
    assert await wrongs(shop) == []


async def test_of_another_provider_it_is_about_none_of_its_tasks(shop):
    await shop.request(a_checkout())
    await shop.rest()
    charge = await shop.task(1)
    before = await shop.states()

    south = await tell(
        shop, WebhookEventType.SUCCEEDED, charge.task_id, provider="south"
    )
    await shop.rest()

    assert await shop.states() == before
    assert await heard(shop, south) is not WebhookEventState.APPLIED


async def test_it_is_about_no_order_before_its_order_is_there(shop):
    reference = "018f0000-0000-7000-8000-00000000dead"

    early = await tell(shop, WebhookEventType.SUCCEEDED, reference)
    await shop.request(a_checkout())
    await shop.rest()

    assert (await shop.states())[-1] == "COMPLETED"
    assert await heard(shop, early) is not WebhookEventState.APPLIED
