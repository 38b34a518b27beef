import re

import pytest
from jsonschema import Draft202012Validator

from payment_service.wire.asyncapi import (
    STREAMS,
    asyncapi,
    internal_asyncapi,
    stream_of,
)
from payment_service.wire.event_schemas import EVENTS, FIELDS, carried
from tests.wire.schemas import fitting, strict

PUBLIC, INTERNAL = asyncapi(), internal_asyncapi()
DOCUMENTS = {"public": PUBLIC, "internal": INTERNAL}


def addresses_of(document):
    return {c["address"] for c in document["channels"].values() if c["address"]}


ADDRESSES = addresses_of(PUBLIC) | addresses_of(INTERNAL)


@pytest.fixture(params=DOCUMENTS)
def document(request):
    return DOCUMENTS[request.param]


def refs(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for child in node.values():
            yield from refs(child)
    elif isinstance(node, list):
        for child in node:
            yield from refs(child)


def test_every_reference_leads_somewhere_and_every_part_is_used(document):
    found = set(refs(document))
    assert len(found) > 20
    for ref in found:
        node = document
        for part in ref.removeprefix("#/").split("/"):
            node = node[part]
    for part in ("messages", "schemas"):
        for name in document["components"][part]:
            assert f"#/components/{part}/{name}" in found


def test_what_others_send_and_hear_is_apart_from_what_is_ours():
    assert {m["payload"]["$ref"].rpartition("/")[2] for m in messages(INTERNAL)} == {
        "TaskWakeup",
        "QueueWakeup",
        "WebhookHere",
    }
    assert addresses_of(PUBLIC) & addresses_of(INTERNAL) == {
        "order.task.cancel.requested",
        "order.queue.cancel.requested",
        "order.task.webhook.received",
    }
    assert "shadow.outcome" not in ADDRESSES


def messages(document):
    return document["components"]["messages"].values()


def test_every_subject_of_the_contract_is_there():
    assert {
        "withdrawal.requested",
        "checkout.requested",
        "partner.link.requested",
        "partner.unlink.requested",
        "withdrawal.cancel.requested",
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
    assert len([a for a in ADDRESSES if a.startswith("order.event.")]) == 41


@pytest.mark.parametrize("address", sorted(ADDRESSES))
def test_every_subject_has_its_one_stream(address):
    assert stream_of(address) in STREAMS


def test_dead_letters_and_tasks_are_in_different_streams():
    assert stream_of("order.task.dlq") == "ORDER_DLQ"
    assert stream_of("order.task.step.due") == "ORDER_TASKS"
    assert stream_of("order.timer.0195.3") == "ORDER_TASKS"
    with pytest.raises(LookupError):
        stream_of("nobody.knows")


def test_every_message_has_an_example_that_fits_it(document):
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    exact = strict(document)
    for message in messages(document):
        (example,) = message["examples"]
        fitting(message["payload"], exact).validate(example["payload"])
        if message["name"] != "Answer":
            head = {**message["headers"], "additionalProperties": False}
            fitting(head, exact).validate(example["headers"])
            assert "traceparent" in example["headers"]


def test_an_event_has_its_id_in_its_header_and_says_what_it_carries():
    for kind, announced in EVENTS:
        told = f"order.event.{kind.value}.{announced.value}"
        (message,) = (m for m in messages(PUBLIC) if m.get("title") == told)
        assert message["headers"]["required"] == ["Nats-Msg-Id"]
        name = message["payload"]["$ref"].rpartition("/")[2]
        schema = PUBLIC["components"]["schemas"][name]
        assert {*schema["properties"]} <= {*FIELDS}
        lacking = {n[:-1] for n in carried(kind, announced) if n.endswith("?")}
        assert {*schema["properties"]} - {*schema["required"]} == lacking
        assert schema["properties"]["type"]["const"] == told.partition("event.")[2]


def test_requests_are_answered_where_they_say():
    reply = PUBLIC["operations"]["receiveWithdrawalRequested"]["reply"]
    assert reply["address"]["location"] == "$message.header#/X-Reply-To"


def test_what_only_a_forwarder_may_say_asks_for_its_signature():
    known = PUBLIC["components"]["messages"]
    for name in ("WithdrawalCancelRequested", "OrderTaskWebhookReceived"):
        assert "X-Forwarder-Signature" in known[name]["headers"]["properties"]


@pytest.mark.parametrize("made", [asyncapi, internal_asyncapi])
def test_a_prefix_names_subjects_and_streams(made):
    document = made("P")
    assert set(document["x-jetstream-streams"]) == {f"P_{name}" for name in STREAMS}
    for channel in document["channels"].values():
        assert channel["address"] is None or channel["address"].startswith("P.")


def test_keys_are_what_the_specification_allows(document):
    for part in ("channels", "operations"):
        assert all(re.fullmatch(r"[A-Za-z0-9_-]+", key) for key in document[part])
