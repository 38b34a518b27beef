"""Crash points of partner links on the real servers: granted once, or revoked.

The days between the checks of a partner are shortened to parts of a second.
"""

import asyncio
from datetime import timedelta
from typing import Final

import pytest

from fsm.engine.backoff import Backoff
from fsm.partner.policy import LinkPolicy, OnMultiMatch
from payment_service.playground.memory.world import NeverRests
from tests.crashes.campaign import LANES, VISIT_SECONDS_MAX, cleared, places
from tests.crashes.door import ACK, FORMS, Crash, Door, Point
from tests.crashes.life import Place
from tests.crashes.world import RealWorld
from tests.handlers.test_partner_faults import DAYS, SOME, YES, Day, played
from tests.handlers.test_partner_faults import the_bus_is_lost as loses_the_bus
from tests.world.links import COVERS, NORTHBANK, partnered

QUICK: Final = LinkPolicy(
    **COVERS,
    multi_match=OnMultiMatch.PROVISIONAL,
    retry=Backoff(
        first=timedelta(milliseconds=100),
        factor=1.5,
        longest=timedelta(milliseconds=250),
    ),
    fallback=Backoff(
        first=timedelta(milliseconds=300),
        factor=2.0,
        longest=timedelta(milliseconds=600),
    ),
    deadline=timedelta(minutes=2),
)
REVOKED: Final = DAYS["a member for now, then not"]
DAYS_LONG: Final = Day((SOME,) * 5, YES, then=loses_the_bus)
"""Five checks, and in the middle of them all messages are lost."""
POINTS: Final = (
    Point(f"{NORTHBANK}.check_eligibility", 1),
    Point(f"{NORTHBANK}.check_again", 2),
    Point("core.membership.grant", 1),
    *(Point("store.record", at) for at in (2, 4, 6)),
    Point("core.notify", 1),
    Point(ACK, 1),
)
OF_A_REVOKE: Final = (
    Point("core.membership.revoke", 1),
    Point(f"{NORTHBANK}.notify_revoked", 1),
)
OF_DAYS: Final = (
    Point(f"{NORTHBANK}.check_again", 4),
    Point("core.membership.confirm", 1),
)
VISITS: Final = [
    *((REVOKED, Crash(at, form)) for at in (*POINTS, *OF_A_REVOKE) for form in FORMS),
    *((DAYS_LONG, Crash(at, form)) for at in OF_DAYS for form in FORMS),
]


async def visit(place: Place, day: Day, crash: Crash) -> tuple[bool, list[str]]:
    """Play the day in an empty place; say whether it was struck, and what is wrong."""
    await cleared(place)
    door = Door(crash)
    world = RealWorld(place, door)
    partner = partnered(world, policy=QUICK)
    partner.script, partner.says = [*day.script], day.says
    async with world.at_work():
        try:
            async with asyncio.timeout(VISIT_SECONDS_MAX):
                wrong = await played(day, world)
                ends = await world.states()
        except (NeverRests, TimeoutError) as never:
            return door.has_struck, [f"it does not end: {never!r}"]
    linked = day is DAYS_LONG
    if ends != (["SUCCEEDED", "COMPLETED"] if linked else ["REVERSED", "COMPLETED"]):
        wrong.append(f"it has ended as {ends}")
    return door.has_struck, wrong


@pytest.mark.waits
async def test_whatever_dies_on_real_servers_core_and_the_rows_agree():
    waiting = iter(VISITS)
    struck, offences = list[bool](), {}

    async def lane(place: Place) -> None:
        for day, crash in waiting:
            met, wrong = await visit(place, day, crash)
            struck.append(met)
            if wrong:
                offences[f"{'days' if day is DAYS_LONG else 'revoked'}: {crash}"] = (
                    wrong
                )

    async with places(LANES) as homes, asyncio.TaskGroup() as lanes:
        for place in homes:
            lanes.create_task(lane(place))

    assert offences == {}
    assert sum(struck) >= len(VISITS) * 0.8
