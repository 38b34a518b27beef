"""What Stripe's events mean."""

from datetime import UTC, datetime

import pytest

from fsm.domain.errors import InvalidRequest
from fsm.domain.odd import Odd
from fsm.domain.webhook_events import WebhookEventType
from providers.stripe.webhooks import read_webhook
from tests.providers.stripe.recorded import (
    PAYOUT,
    REFERENCE,
    a_payout,
    an_event,
    an_intent,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ARRIVAL = PAYOUT["arrival_date"]
REFUSED = {"code": "card_declined", "decline_code": "lost_card", "message": "No."}


def read(event, makes="payout", *, live=False):
    return read_webhook(event, NOW, provider="stripe", makes=makes, live=live)


@pytest.mark.parametrize(
    ("kind", "status", "means"),
    [
        ("payout.created", "pending", WebhookEventType.ACCEPTED),
        ("payout.updated", "in_transit", WebhookEventType.ACCEPTED),
        ("payout.updated", "paid", WebhookEventType.SUCCEEDED),
        ("payout.paid", "paid", WebhookEventType.SUCCEEDED),
        ("payout.failed", "failed", WebhookEventType.FAILED),
        ("payout.canceled", "canceled", WebhookEventType.FAILED),
        ("payout.reconciliation_completed", "paid", WebhookEventType.SUCCEEDED),
        ("payout.paid", "failed", WebhookEventType.UNKNOWN),
        ("payout.failed", "paid", WebhookEventType.UNKNOWN),
        ("payout.canceled", "pending", WebhookEventType.UNKNOWN),
        ("payout.updated", "mislaid", WebhookEventType.UNKNOWN),
    ],
)
def test_an_event_means_what_its_payout_says(kind, status, means):
    assert read(an_event(kind, a_payout(status=status))).type is means


@pytest.mark.parametrize(
    ("kind", "changes", "means"),
    [
        ("created", {"status": "requires_confirmation"}, WebhookEventType.ACCEPTED),
        ("processing", {"status": "processing"}, WebhookEventType.ACCEPTED),
        (
            "succeeded",
            {"status": "succeeded", "amount_received": 1100},
            WebhookEventType.SUCCEEDED,
        ),
        (
            "payment_failed",
            {"status": "requires_payment_method", "last_payment_error": REFUSED},
            WebhookEventType.FAILED,
        ),
        ("canceled", {"status": "canceled"}, WebhookEventType.FAILED),
        ("succeeded", {"status": "processing"}, WebhookEventType.UNKNOWN),
        ("payment_failed", {"status": "succeeded"}, WebhookEventType.UNKNOWN),
    ],
)
def test_an_event_means_what_its_payment_intent_says(kind, changes, means):
    event = an_event(f"payment_intent.{kind}", an_intent(**changes))

    assert read(event, "payment_intent").type is means


def test_all_that_matters_is_read():
    body = a_payout(
        status="failed", failure_code="no_account", failure_message="No such account."
    )

    webhook = read(an_event("payout.failed", body))

    assert (webhook.event_id, webhook.provider) == (
        "evt_1MqqbKLt4dXK03v5qaIbiNCC",
        "stripe",
    )
    assert (webhook.reference, webhook.provider_reference) == (REFERENCE, PAYOUT["id"])
    assert (webhook.amount, webhook.currency) == (1100, "USD")
    assert (webhook.code, webhook.message) == ("no_account", "No such account.")
    assert webhook.detail == {"type": "payout.failed", "status": "failed"}


@pytest.mark.parametrize(
    ("previous", "created", "means"),
    [
        ({"status": "paid"}, ARRIVAL - 1, WebhookEventType.RETURNED),
        ({"status": "in_transit"}, ARRIVAL + 1, WebhookEventType.FAILED),
        ({"metadata": {}}, ARRIVAL, WebhookEventType.RETURNED),
        (None, ARRIVAL, WebhookEventType.RETURNED),
        (None, ARRIVAL - 1, WebhookEventType.FAILED),
        (None, None, WebhookEventType.FAILED),
    ],
)
def test_what_failed_after_it_was_paid_is_a_return(previous, created, means):
    failed = a_payout(status="failed")
    event = an_event("payout.failed", failed, previous=previous, created=created)

    assert read(event).type is means


def test_what_was_taken_back_is_a_return():
    reversed_ = a_payout(status="paid", reversed_by="po_2")

    assert read(an_event("payout.updated", reversed_)).type is WebhookEventType.RETURNED


@pytest.mark.parametrize(
    ("event", "key", "means"),
    [(False, True, WebhookEventType.UNKNOWN), (True, False, WebhookEventType.UNKNOWN)]
    + [(mode, None, WebhookEventType.SUCCEEDED) for mode in (True, False)]
    + [(mode, mode, WebhookEventType.SUCCEEDED) for mode in (True, False)],
)
def test_a_test_event_settles_nothing_live(event, key, means):
    paid = an_event("payout.paid", a_payout(status="paid"), livemode=event)

    assert read(paid, live=key).type is means


@pytest.mark.parametrize(
    ("about", "reference"),
    [
        (a_payout(metadata={}, automatic=True), PAYOUT["id"]),
        ({"object": "customer", "id": "cus_1"}, "cus_1"),
        (a_payout(amount=None, metadata={}), PAYOUT["id"]),
    ],
)
def test_what_is_not_ours_is_kept_under_its_own_id(about, reference):
    assert read(an_event("payout.created", about)).reference == reference


def test_an_event_about_another_kind_of_object_settles_nothing():
    webhook = read(an_event("payout.paid", an_intent() | {"status": "paid"}))

    assert (webhook.type, webhook.reference) == (WebhookEventType.UNKNOWN, REFERENCE)


ODD = Odd("is there twice", content=[1, 2])


@pytest.mark.parametrize(
    "money",
    [
        {"amount": "1100"},
        {"amount": None},
        {"amount": 2**70},
        {"amount": ODD},
        {"currency": 7},
        {"currency": ODD},
    ],
)
@pytest.mark.parametrize(
    ("status", "kind"),
    [("paid", WebhookEventType.SUCCEEDED), ("failed", WebhookEventType.FAILED)],
)
def test_money_that_cannot_be_read_is_told_of_a_definite_event(status, kind, money):
    about = a_payout(status=status, **money)

    webhook = read(an_event(f"payout.{status}", about))

    assert (webhook.type, webhook.reference) == (kind, REFERENCE)
    assert (webhook.amount, webhook.currency) == (None, None)
    assert set(webhook.detail["unreadable"]) == set(money)


@pytest.mark.parametrize("name", ["id", "type"])
def test_what_is_odd_and_must_be_read_is_named(name):
    with pytest.raises(InvalidRequest, match=f"^/{name} is there twice$"):
        read(an_event("payout.paid", a_payout(status="paid")) | {name: ODD})


def test_a_status_that_is_odd_is_named_by_its_place():
    with pytest.raises(InvalidRequest, match=r"^/data/object/status is there twice$"):
        read(an_event("payout.paid", a_payout(status=ODD)))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"id": "evt_1", "type": "payout.paid"},
        {"id": "evt_1", "type": "payout.paid", "data": {"object": "po_1"}},
        an_event("payout.paid", {}),
        an_event("payout.paid", PAYOUT, id=None),
    ],
)
def test_what_is_no_event_is_not_read(body):
    assert read(body) is None
