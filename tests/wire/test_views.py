import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.domain.masking import MASK, masked
from fsm.engine.words import State
from payment_service.wire.checkout import EXAMPLE as CHECKOUT
from payment_service.wire.views import (
    case_view,
    dead_letter_view,
    dead_letter_whole,
    event_view,
    events_view,
    masked_body,
    order_view,
)
from tests.api.fakes import AT, a_case, a_letter, a_line, a_task, an_order, finished

CANARY = "tok_canary"


def test_a_dead_checkout_shows_neither_what_pays_nor_where_it_goes():
    body = CHECKOUT | {"delivery": {"name": "Ann", "street": {"no": 7}}}
    shown = masked_body(orjson.dumps(body))

    assert shown == body | {
        "payment_method": {"type": "card", "token": MASK},
        "delivery": {"name": MASK, "street": MASK},
    }


def test_an_order_has_exactly_the_contracts_fields():
    view = order_view(an_order())
    assert list(view) == [
        *["order_id", "queue_id", "kind", "merchant_id", "customer_id", "state"],
        *["amount", "currency", "created_at", "finished_at", "customer_message"],
        "tasks",
    ]
    assert view["finished_at"] is None
    assert view["created_at"] == "2026-01-31T12:00:00.000Z"
    assert CANARY not in str(view)


def test_a_task_leaves_out_what_it_has_not():
    task = order_view(finished(an_order()))["tasks"][0]
    assert set(task) == {
        *["task_id", "position", "name", "provider", "state", "version"],
        *["created_at", "updated_at"],
    }
    assert task["position"] == 0


def test_a_task_shows_what_it_has():
    order = an_order()
    task = a_task(
        order.queue_id, terminal_id="t-1", provider_reference="po_1", code="late"
    )
    order = order.with_queue(order.queue.with_tasks({}))
    order = order.with_queue(type(order.queue)(queue_id=order.queue_id, tasks=(task,)))
    shown = order_view(order)["tasks"][0]
    assert shown["waiting_for"] == "freeze"
    assert shown["wake_at"] == "2026-01-31T12:00:00.000Z"
    assert (shown["terminal_id"], shown["provider_reference"]) == ("t-1", "po_1")
    assert shown["code"] == "late"


def test_an_audit_line_says_from_and_to_and_masks_tokens():
    view = event_view(a_line(an_order(), source=State.PENDING, target=State.CREATING))
    assert (view["from"], view["to"], view["seq"]) == ("PENDING", "CREATING", 7)
    assert view["detail"]["deep"] == [{"token": "***"}]


def test_a_case_says_when_it_was_closed_only_if_it_was():
    assert "closed_at" not in case_view(a_case(), AT)
    closed = case_view(a_case(closed_at=AT, reason="paid back"), AT)
    assert (closed["closed_at"], closed["reason"]) == (
        "2026-01-31T12:00:00.000Z",
        "paid back",
    )
    assert CANARY not in str(closed)


def test_a_dead_letter_is_listed_without_its_body_and_shown_with_a_masked_one():
    assert "body" not in dead_letter_view(a_letter())
    whole = dead_letter_whole(a_letter(headers={"X-Reply-To": "inbox.1"}))
    assert whole["body"] == {"destination": {"token": "***"}}
    assert whole["headers"] == {"X-Reply-To": "inbox.1"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"token": "tok_canary"',
        b"tok_canary",
        b'"tok_canary"',
        b"\xfftok_canary",
        b"[" * 40 + b'{"token": "tok_canary"}' + b"]" * 40,
        b'{"token": "tok_canary"}' + b" " * 300_000,
    ],
)
def test_a_body_that_cannot_be_read_is_hidden(body):
    assert CANARY not in str(masked_body(body))


@pytest.mark.parametrize(
    "body",
    [
        b'{"token": "tok_canary", "token": "tok_canary"}',
        b'{"card": {"Token": ["tok_canary"]}}',
        b'{"card_token": {"deep": "tok_canary"}}',
        b'[{"a": [{"token": "tok_canary"}]}]',
        b'{"note": "4111 1111 1111 1111", "n": 4111111111111111}',
    ],
)
def test_a_readable_body_is_masked(body):
    shown = str(masked_body(body))
    assert CANARY not in shown
    assert "4111" not in shown


@given(st.binary(max_size=60))
def test_any_body_can_be_shown(body):
    orjson.dumps(masked_body(body))


def test_masking_ends_at_any_depth():
    deep: object = {"token": CANARY}
    for _ in range(500):
        deep = {"a": [deep]}
    assert CANARY not in str(masked(deep))


def test_the_trace_that_an_order_names_first_is_beside_each_of_its_lines():
    order = an_order()
    trail = [a_line(order, trace_id="ab" * 16), a_line(order, version=2)]

    assert [view["trace_id"] for view in events_view(trail)] == ["ab" * 16] * 2


def test_lines_of_an_order_without_a_trace_have_none():
    assert [view["trace_id"] for view in events_view([a_line(an_order())])] == [None]
