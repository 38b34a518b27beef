"""Some crash points on the real servers; ``make crash-points`` visits them all."""

import pytest

from tests.crashes.campaign import LANES, Visit, campaign, ends_on_twins, places
from tests.crashes.door import ACK, FORMS, Crash, Point

# One of each kind of effect, where the most is at stake.
SCENARIO = "accepted, webhook failed"
POINTS = (
    Point("store.submit", 1),
    Point("bus.publish", 1),
    Point("core.freeze", 1),
    Point("store.record", 2),
    Point("acme.create", 1),
    Point("zeta.create", 1),
    Point("core.rollback", 1),
    Point("store.store_webhooks", 1),
    Point("core.commit", 1),
    Point("core.notify", 1),
    Point(ACK, 1),
)
VISITS = [Visit(SCENARIO, Crash(at, form)) for at in POINTS for form in FORMS]


async def visited(ends):
    """Visit them all, many at the same time: nearly all of it is waiting."""
    async with places(LANES) as homes:
        wanted = [Visit(SCENARIO), *VISITS]
        return await campaign(homes, wanted, ends, lambda _: None)


@pytest.fixture
def ends():
    """Tell how it may end; no loop runs yet, for the twins have one of their own."""
    return {SCENARIO: ends_on_twins(SCENARIO)}


@pytest.mark.waits
async def test_whatever_dies_on_real_servers_the_money_adds_up(ends):
    seen = {each.visit.crash: each for each in await visited(ends)}
    dry = seen.pop(None)

    assert dry.offences == []
    assert {*POINTS} <= {*dry.points}
    assert {s.visit.replay: s.offences for s in seen.values() if s.offences} == {}
    assert [s.visit.replay for s in seen.values() if not s.struck] == []
    survivors = [s.visit.crash for s in seen.values() if not s.deaths]
    assert {crash.form.name for crash in survivors} == {"DONE_LOST"}
