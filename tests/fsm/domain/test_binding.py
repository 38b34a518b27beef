"""What the first audit line of an order says of its request, and what is missed."""

import pytest

from fsm.domain.audit_keys import UNKEYED
from fsm.domain.binding import Bound, differing, request_of, sign

BOUND = Bound(
    queue_id="0195f1de-0000-7000-8000-000000000001",
    kind="withdrawal",
    flow_version=1,
    exclusive_key=None,
    order_id="w-1",
    merchant_id="m-1",
    customer_id="c-1",
    amount=100,
    currency="EUR",
    content="00",
    destination={"token": "t"},
    cascade=(),
    details={},
    metadata={},
)
BY_ITSELF = ("kind", "flow_version", "order_id", "merchant_id", "amount", "currency")
OPTIONAL = [("exclusive_key", "k"), ("details", {"a": 1})]


def missed(asked, found):
    """Return what is missed of an order that was asked for and is found as another."""
    said = request_of(asked, sign(asked, UNKEYED), UNKEYED)
    return [*differing(said, found, sign(found, UNKEYED), UNKEYED)]


def test_of_what_an_order_does_without_nothing_is_said():
    said = request_of(BOUND, sign(BOUND, UNKEYED), UNKEYED)

    assert {name for name in said if name not in BY_ITSELF} == {
        *("key_id", "signature", "customer", "destination", "cascade", "content"),
        "metadata",
    }
    assert missed(BOUND, BOUND) == []


@pytest.mark.parametrize(("name", "value"), OPTIONAL)
def test_what_an_order_did_without_is_missed_where_it_is_there(name, value):
    told = missed(BOUND, BOUND._replace(**{name: value}))

    assert f"its {name} is not the one that was requested" in told


@pytest.mark.parametrize(("name", "value"), OPTIONAL)
def test_what_an_order_had_is_missed_where_it_is_gone(name, value):
    told = missed(BOUND._replace(**{name: value}), BOUND)

    assert f"its {name} is not the one that was requested" in told
