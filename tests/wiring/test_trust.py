"""When NATS vouches for who published something, and when it does not."""

from datetime import UTC, datetime, timedelta

import pytest

from fsm.domain.dead_letters import REPLAY_OF
from fsm.domain.errors import InvalidRequest
from handlers.ports.bus import Delivery
from payment_service.wiring.forwarders import Forwarder, Forwarders
from payment_service.wiring.trust import CLOCKS_APART, NotAsked, Trust

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def a_delivery(at=NOON, **headers):
    return Delivery(
        subject="order.task.webhook.received",
        body=b"{}",
        headers=headers,
        deliveries=1,
        identity=f"ORDER_TASKS.7.{int(at.timestamp() * 1e9)}",
    )


@pytest.fixture
def trust():
    fresh = Trust()
    fresh.heard(holds=True, now=NOON)
    return fresh


def test_where_it_holds_a_message_passes(trust):
    trust.require(a_delivery(), NOON)


def test_where_it_was_lost_what_came_in_between_is_refused_for_ever(trust):
    trust.heard(holds=False, now=NOON + MINUTE)
    with pytest.raises(InvalidRequest, match="anybody"):
        trust.require(a_delivery(NOON - MINUTE), NOON + MINUTE)
    trust.heard(holds=True, now=NOON + 2 * MINUTE)

    # From the last time that it held: nobody knows when it began not to.
    for seconds in (0, 30, 60, 120):
        at = NOON + timedelta(seconds=seconds)
        with pytest.raises(InvalidRequest, match="anybody"):
            trust.require(a_delivery(at), NOON + 10 * MINUTE)
    for at in (NOON - MINUTE, NOON + 2 * MINUTE + CLOCKS_APART + MINUTE):
        trust.require(a_delivery(at), NOON + 10 * MINUTE)


def test_while_it_is_asked_a_message_waits(trust):
    trust.asking = True

    with pytest.raises(NotAsked):
        trust.require(a_delivery(), NOON)


def test_whether_it_holds_is_shown():
    shown: list[bool] = []
    trust = Trust(shown.append)
    for holds in (True, False, True):
        trust.heard(holds=holds, now=NOON)

    assert shown == [True, False, True]


def test_a_replay_is_nobodys_word(trust):
    courier = Forwarder(
        name="courier",
        providers=frozenset({"acme"}),
        may=frozenset({"webhooks"}),
        checks={},
    )
    forwarders = Forwarders({"courier": courier}, trust)
    assert forwarders.sender(a_delivery(), "webhooks", NOON) is courier

    with pytest.raises(InvalidRequest, match="vouches for nobody"):
        forwarders.sender(a_delivery(**{REPLAY_OF: "id"}), "webhooks", NOON)
