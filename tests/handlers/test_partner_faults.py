"""Every effect of every day of links goes wrong once, in every way; core's book agrees.

Core's own book of members is held against the rows: a card is a member for good where
the last order about it has linked it, and no member elsewhere.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import pytest

from fsm.engine.words import State
from fsm.partner.policy import LinkPolicy
from handlers.ports.core import MembershipVerb
from handlers.ports.partners import (
    CheckAnswer,
    Eligible,
    MultiMatch,
    NotEligible,
    PartnerPending,
)
from handlers.resolve import Ruling
from payment_service.playground.memory.clock import VirtualClock, run
from payment_service.playground.memory.core import CoreTrouble
from payment_service.playground.memory.effects import Effects, FailureForm, Strike
from tests.world.judged import World
from tests.world.links import (
    HOLDS,
    NORTHBANK,
    PROVISIONAL,
    a_link,
    an_unlink,
    card_of,
    partnered,
    wrongs,
)

YES: Final = Eligible()
NO: Final = NotEligible(code="not_a_member")
SOME: Final = MultiMatch()
DAY: Final = timedelta(days=1)


async def nothing_else(world: World) -> None:
    pass


async def is_given_up(world: World) -> None:
    await world.cancel_order(insist=True)


async def is_given_up_later(world: World) -> None:
    await world.rest(within=DAY)
    await is_given_up(world)


async def is_asked_for_again(world: World) -> None:
    await world.rest()
    await world.pass_time(timedelta(seconds=1))
    await world.submit(a_link("l-1002"))


async def is_removed(world: World) -> None:
    await world.rest()
    await world.pass_time(timedelta(seconds=1))
    await world.submit(an_unlink(await world.order()))


async def is_removed_and_linked(world: World) -> None:
    await is_removed(world)
    await is_asked_for_again(world)


async def the_partner_is_away(world: World) -> None:
    world.partners[NORTHBANK].away["check_again"] = 5
    await is_given_up_later(world)


async def the_bus_is_lost(world: World) -> None:
    await world.rest(within=DAY)
    world.bus.wipe()


async def core_is_away(world: World) -> None:
    world.core.goes_down()
    await world.rest(within=timedelta(minutes=5))
    world.core.comes_back()


@dataclass(frozen=True, slots=True)
class Day:
    """What the partner answers check by check, and what happens beside it."""

    script: tuple[CheckAnswer, ...] = ()
    says: CheckAnswer = YES
    policy: LinkPolicy = HOLDS
    then: Callable[[World], Awaitable[None]] = nothing_else
    refuses: MembershipVerb | None = None
    silent: str | None = None
    core_slow: bool = False


DAYS: Final = {
    "linked at once": Day(),
    "not eligible": Day(says=NO),
    "linked twice": Day(then=is_asked_for_again),
    "held, then linked": Day((SOME, PartnerPending())),
    "held, then not eligible": Day((SOME,), NO),
    "held until the deadline": Day(says=SOME),
    "a member for now, then for good": Day((SOME,), policy=PROVISIONAL),
    "a member for now, then not": Day((SOME, SOME), NO, PROVISIONAL),
    "a member for now, until the deadline": Day(says=SOME, policy=PROVISIONAL),
    "given up at once": Day((SOME,), policy=PROVISIONAL, then=is_given_up),
    "given up later": Day(says=SOME, policy=PROVISIONAL, then=is_given_up_later),
    "held, and given up": Day(says=SOME, then=is_given_up_later),
    "given up, its partner away": Day(
        (SOME,), policy=PROVISIONAL, then=the_partner_is_away
    ),
    "given up while core does not say": Day(
        policy=PROVISIONAL, then=is_given_up, core_slow=True
    ),
    "silent at first": Day((SOME,), policy=PROVISIONAL, silent="check_eligibility"),
    "silent later": Day((SOME,), policy=PROVISIONAL, silent="check_again"),
    "deaf to a revoke": Day((SOME,), NO, PROVISIONAL, silent="notify_revoked"),
    "removed": Day(then=is_removed),
    "removed and linked again": Day(then=is_removed_and_linked),
    "a grant is refused": Day(refuses=MembershipVerb.GRANT),
    "a confirmation is refused": Day(
        (SOME,), policy=PROVISIONAL, refuses=MembershipVerb.CONFIRM
    ),
    "a revoke is refused": Day((SOME,), NO, PROVISIONAL, refuses=MembershipVerb.REVOKE),
    "a removal is refused": Day(then=is_removed, refuses=MembershipVerb.REVOKE),
    "the bus is lost": Day((SOME, SOME), policy=PROVISIONAL, then=the_bus_is_lost),
    "core is away": Day((SOME,), policy=PROVISIONAL, then=core_is_away),
}


async def persons_decide(world: World) -> None:
    """Have persons put core's book right, and say how it is."""
    for order in await world.rows.orders():
        (task,) = order.queue.tasks
        if task.state is State.MANUAL_CHECK:
            world.core.members.mended(
                card_of(order), stands=False, task_id=task.task_id
            )
            gone = task.lifecycle == "unlink"
            ruling = Ruling.POSITIVE if gone else Ruling.NEGATIVE
            await world.decide_task(task.task_id, ruling, insist=True)


async def played(day: Day, world: World) -> list[str]:
    """Play a day to its end, whatever goes wrong; return what is wrong then."""
    if day.core_slow:
        world.core.fails("membership.grant", CoreTrouble.APPLIED, times=40)
    await world.submit(a_link())
    await world.work_off()
    await day.then(world)
    await world.rest()
    wrong = await wrongs(world)
    await persons_decide(world)
    await world.rest()
    for order in await world.rows.orders():
        if not order.queue.final:
            wrong.append(f"persons have decided, and it is {order.queue.state}")
    return [*wrong, *await wrongs(world)]


def play(day: Day, *strikes: Strike) -> tuple[list[str], World]:
    clock, effects = VirtualClock(), Effects(*strikes)
    world = World(clock=clock, effects=effects)
    partner = partnered(world, policy=day.policy)
    partner.script, partner.says = [*day.script], day.says
    if day.silent is not None:
        partner.silent[day.silent] = 2
    if day.refuses is not None:
        world.core.members.refuses(day.refuses, "locked")
    return run(played(day, world), clock=clock, seed=1), world


@pytest.mark.parametrize("name", DAYS)
def test_whatever_goes_wrong_core_and_the_rows_agree(name):
    day = DAYS[name]
    wrong, clean = play(day)
    assert wrong == []

    offences = {}
    for at in range(1, len(clean.effects.log) + 1):
        for form in FailureForm:
            wrong, world = play(day, Strike(at, form))
            if wrong:
                offences[f"{at}. {world.effects.struck}"] = wrong

    assert len(clean.effects.log) >= 8
    assert offences == {}
