"""Crash points of a checkout on the real servers: done once, undone, or a person."""

import asyncio
from datetime import timedelta
from typing import Final

import pytest

from fsm.engine.backoff import Backoff
from fsm.service.policy import ServicePolicy
from payment_service.playground.memory.world import NeverRests
from tests.crashes.campaign import LANES, VISIT_SECONDS_MAX, cleared, places
from tests.crashes.door import ACK, FORMS, Crash, Door, Point
from tests.crashes.life import Place
from tests.crashes.world import RealWorld
from tests.handlers.test_checkout_faults import DAYS, behave, played
from tests.world.checkouts import STEPS, serve

QUICK: Final = ServicePolicy(
    retry=Backoff(
        first=timedelta(milliseconds=100),
        factor=1.5,
        longest=timedelta(milliseconds=250),
    ),
    attempts=30,
)
DAY: Final = DAYS["the merchant refuses"]
POINTS: Final = (
    *(Point(f"{name}.do", 1) for name in STEPS),
    Point("payment.undo", 1),
    Point("delivery.undo", 1),
    *(Point("store.record", at) for at in range(1, 9)),
    Point("core.notify", 1),
    Point(ACK, 1),
)
VISITS: Final = [Crash(at, form) for at in POINTS for form in FORMS]


async def visit(place: Place, crash: Crash) -> tuple[bool, list[str]]:
    """Play the day in an empty place; say whether it was struck, and what is wrong."""
    await cleared(place)
    door = Door(crash)
    world = RealWorld(place, door)
    serve(world, **dict.fromkeys(STEPS, QUICK))
    behave(world, DAY)
    async with world.at_work():
        try:
            async with asyncio.timeout(VISIT_SECONDS_MAX):
                wrong = await played(DAY, world)
        except (NeverRests, TimeoutError) as never:
            wrong = [f"it does not end: {never!r}"]
    return door.has_struck, wrong


@pytest.mark.waits
async def test_whatever_dies_on_real_servers_a_checkout_is_undone_as_a_whole():
    waiting = iter(VISITS)
    struck, offences = list[bool](), {}

    async def lane(place: Place) -> None:
        for crash in waiting:
            met, wrong = await visit(place, crash)
            struck.append(met)
            if wrong:
                offences[str(crash)] = wrong

    async with places(LANES) as homes, asyncio.TaskGroup() as lanes:
        for place in homes:
            lanes.create_task(lane(place))

    assert offences == {}
    assert sum(struck) >= len(VISITS) * 0.8
