"""What is published in simulated worlds is what AsyncAPI says of each event."""

from collections import Counter

import orjson
import pytest

from payment_service.wire.event_schemas import EVENTS
from tests.simulation.simulation import Simulation
from tests.wire.schemas import misfits

SEEDS = range(24)
UNSEEN = {
    # Refused requests are the tests' of the bus, on a real one; the others are rare.
    *(f"{kind.value}.rejected" for kind, _ in EVENTS),
    "partner_link.manual_check",
    *(f"{kind.value}.case_opened" for kind, _ in EVENTS if kind.value != "withdrawal"),
    *(f"{kind.value}.case_closed" for kind, _ in EVENTS if kind.value != "withdrawal"),
    "partner_unlink.manual_check",
    "partner_unlink.failed",
    "partner_unlink.cancelled",
}


@pytest.fixture(scope="module")
def events():
    """Return each event of some worlds, its headers beside."""
    found = []
    for seed in SEEDS:
        world = Simulation(seed)
        world.run()
        found += [
            (
                m.subject,
                orjson.loads(m.body),
                {**m.headers, "Nats-Msg-Id": m.message_id},
            )
            for m in world.bus.streams.events
        ]
    return found


def test_every_event_fits_its_own_schema(events):
    wrong = Counter(told for event in events for told in misfits(*event))
    assert wrong == {}


def test_every_event_is_published_there(events):
    seen = {body["type"] for _, body, _ in events}
    every = {f"{kind.value}.{announced.value}" for kind, announced in EVENTS}
    assert every - seen <= UNSEEN
    assert seen <= every
