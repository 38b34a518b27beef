"""What asks for something needs somebody's word; what only rings needs nobody's."""

import pytest

from fsm.domain.audit_keys import parse_audit_keys
from fsm.domain.vouched import VOUCHER, asks, is_vouched, voucher

OLD = parse_audit_keys("old:" + "5a" * 32)
ROTATED = parse_audit_keys("new:" + "a5" * 32 + ",old:" + "5a" * 32)
NEW = parse_audit_keys("new:" + "a5" * 32)
SUBJECT = "withdrawal.requested"


@pytest.mark.parametrize(
    ("subject", "body", "needs_a_word"),
    [
        (SUBJECT, b"{}", True),
        ("withdrawal.cancel.requested", b"{}", True),
        ("checkout.requested", b"{}", True),
        ("$JS.API.STREAM.DELETE.ORDER_TASKS", b"", True),
        ("order.task.webhook.received", b'{"provider": "a", "body": {}}', True),
        ("order.task.webhook.received", b"no json", True),
        ("order.task.webhook.received", b'{"event_id": "body"}', False),
        ("order.task.step.due", b"{}", False),
        ("order.event.withdrawal.completed", b"{}", False),
    ],
)
def test_what_asks_for_something(subject, body, needs_a_word):
    assert asks(subject, body) is needs_a_word


def test_a_word_is_for_one_message_and_outlives_a_rotation():
    headers = {VOUCHER: voucher(SUBJECT, b"{}", OLD)}

    assert is_vouched(headers, SUBJECT, b"{}", ROTATED)
    assert not is_vouched(headers, SUBJECT, b"[]", ROTATED)
    assert not is_vouched(headers, "checkout.requested", b"{}", ROTATED)
    assert not is_vouched(headers, SUBJECT, b"{}", NEW)


@pytest.mark.parametrize("word", ["", "old", "old:", "old:zz", ":" + "0" * 64, "é:00"])
def test_what_is_no_word_vouches_for_nothing(word):
    assert not is_vouched({VOUCHER: word}, SUBJECT, b"{}", OLD)
    assert not is_vouched({}, SUBJECT, b"{}", OLD)
