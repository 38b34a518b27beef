from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.domain.errors import InvalidRequest
from fsm.domain.webhook_events import WebhookEventType
from payment_service.wire.webhook_message import EXAMPLE, read_webhook_message

BODY = EXAMPLE["body"]
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def read(**changes):
    return read_webhook_message(orjson.dumps({**EXAMPLE, **changes}), by="svc", now=NOW)


def test_the_example_becomes_webhook():
    webhook = read()
    assert webhook.type is WebhookEventType.SUCCEEDED
    assert (webhook.provider, webhook.event_id) == ("acme", " forwarded:svc:evt_71")
    assert webhook.detail == {"forwarded_by": "svc"}
    assert (webhook.amount, webhook.currency) == (12550, "EUR")
    assert webhook.received_at == datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
    assert len(webhook.body_hash) == 32


def test_a_word_that_nobody_knows_is_kept_as_unknown():
    webhook = read(body={**BODY, "type": "payout.sneezed"})
    assert webhook.type is WebhookEventType.UNKNOWN
    assert webhook.detail == {"type": "payout.sneezed", "forwarded_by": "svc"}


@pytest.mark.parametrize("amount", [0, -5])
def test_an_impossible_amount_is_for_the_core_to_judge(amount):
    assert read(body={**BODY, "amount": amount}).amount == amount


@pytest.mark.parametrize(
    "at", ["2026-01-31", "yesterday", "2026-01-31T23:59:59", "2026-13-01T00:00:00Z", 5]
)
def test_a_time_is_rfc_3339_with_its_zone(at):
    with pytest.raises(InvalidRequest, match="received_at: must be a time"):
        read(received_at=at)


def test_no_webhook_is_from_the_future():
    assert read(received_at="2126-01-31T23:59:59Z").received_at == NOW


@pytest.mark.parametrize("field", ["amount", "currency"])
def test_how_much_it_is_about_is_never_left_out(field):
    body = {name: value for name, value in BODY.items() if name != field}
    with pytest.raises(InvalidRequest, match=f"body.{field}: is missing"):
        read(body=body)


def test_an_offset_is_turned_into_utc():
    webhook = read(received_at="2026-02-01T01:59:59+02:00")
    assert webhook.received_at == datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"provider": None}, "provider: "),
        ({"event_id": ""}, "event_id: "),
        ({"body": "x"}, "body: must be an object"),
        ({"body": {}}, "body.reference: is missing"),
        ({"body": {**BODY, "amount": 1.0}}, "body.amount: "),
        ({"body": {**BODY, "amount": True}}, "body.amount: "),
        ({"body": {**BODY, "reference": "x" * 129}}, "body.reference: "),
        ({"body": {**BODY, "message": "x" * 2001}}, "body.message: "),
    ],
)
def test_what_cannot_be_read_is_named(changes, path):
    with pytest.raises(InvalidRequest) as refused:
        read(**changes)
    assert path in refused.value.problem


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(data):
    with pytest.raises(InvalidRequest):
        read_webhook_message(data, by="svc", now=NOW)
