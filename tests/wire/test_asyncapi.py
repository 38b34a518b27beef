import re

import pytest
from jsonschema import Draft202012Validator

from payment_service.wire.asyncapi import STREAMS, asyncapi, stream_of

DOCUMENT = asyncapi()
ADDRESSES = {c["address"] for c in DOCUMENT["channels"].values() if c["address"]}


def refs(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for child in node.values():
            yield from refs(child)
    elif isinstance(node, list):
        for child in node:
            yield from refs(child)


def resolved(ref):
    node = DOCUMENT
    for part in ref.removeprefix("#/").split("/"):
        node = node[part]
    return node


def test_every_reference_leads_somewhere():
    found = set(refs(DOCUMENT))
    assert len(found) > 40
    for ref in found:
        assert resolved(ref)


def test_every_subject_of_the_contract_is_there():
    assert {
        "withdrawal.requested",
        "checkout.requested",
        "partner.link.requested",
        "partner.unlink.requested",
        "withdrawal.cancel.requested",
        "shadow.outcome",
        "order.task.recheck.tick",
        "order.task.webhook.timeout",
        "order.task.webhook.received",
        "order.task.status.tick",
        "order.task.status.timeout",
        "order.task.manual.resolved",
        "order.task.cancel.requested",
        "order.queue.cancel.requested",
        "order.queue.notification.due",
        "order.queue.load.due",
        "order.task.dlq",
        "order.event.withdrawal.manual_check",
        "order.event.partner_link.rejected",
        "order.event.checkout.completed",
    } <= ADDRESSES
    assert len([a for a in ADDRESSES if a.startswith("order.event.")]) == 32


@pytest.mark.parametrize("address", sorted(ADDRESSES))
def test_every_subject_has_its_one_stream(address):
    assert stream_of(address) in STREAMS


def test_dead_letters_and_tasks_are_in_different_streams():
    assert stream_of("order.task.dlq") == "ORDER_DLQ"
    assert stream_of("order.task.step.due") == "ORDER_TASKS"
    assert stream_of("order.timer.0195.3") == "ORDER_TASKS"
    with pytest.raises(LookupError):
        stream_of("nobody.knows")


def test_schemas_are_schemas_and_examples_fit_them():
    schemas = DOCUMENT["components"]["schemas"]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    examples = 0
    for message in DOCUMENT["components"]["messages"].values():
        for example in message.get("examples", []):
            schema = {**message["payload"], "components": {"schemas": schemas}}
            Draft202012Validator(schema).validate(example["payload"])
            examples += 1
    assert examples == 6


def test_requests_are_answered_where_they_say():
    reply = DOCUMENT["operations"]["receive-WithdrawalRequested"]["reply"]
    assert reply["address"] == {"location": "$message.header#/X-Reply-To"}


def test_what_only_a_forwarder_may_say_asks_for_its_signature():
    messages = DOCUMENT["components"]["messages"]
    for name in ("WithdrawalCancelRequested", "OrderTaskWebhookReceived"):
        assert "X-Forwarder-Signature" in messages[name]["headers"]["properties"]


def test_a_prefix_names_subjects_and_streams():
    document = asyncapi("P")
    assert set(document["x-jetstream-streams"]) == {f"P_{name}" for name in STREAMS}
    for channel in document["channels"].values():
        assert channel["address"] is None or channel["address"].startswith("P.")


def test_keys_are_what_the_specification_allows():
    for part in ("channels", "operations"):
        assert all(re.fullmatch(r"[A-Za-z0-9_-]+", key) for key in DOCUMENT[part])
