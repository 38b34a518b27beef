"""Every effect of every scenario goes wrong once; the money adds up.

In every way it does so in ``make every-case``, in one way or another in ``make test``.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from fsm.domain.four_eyes import FourEyes
from fsm.domain.webhook_events import WebhookEventType
from fsm.payout.policy import AskedBy, ProviderPolicy
from handlers.ports.core import Operation
from handlers.ports.provider import TooLate, Unclear
from handlers.resolve import Ruling
from payment_service.playground.memory.bus import MemoryBus
from payment_service.playground.memory.clock import VirtualClock, run
from payment_service.playground.memory.effects import Effects, FailureForm, Strike
from payment_service.playground.memory.providers import (
    ACCEPTS,
    ACCEPTS_SILENTLY,
    DECLINES,
    DECLINES_SILENTLY,
    LOSES_REQUEST,
    PAYS,
    PAYS_SILENTLY,
    UNREACHABLE,
    Conduct,
)
from payment_service.playground.memory.world import a_request
from tests.sampling import every_nth, in_turn
from tests.world.judged import World

PLAN = ProviderPolicy()
IDEMPOTENT = ProviderPolicy(idempotent_create=True)
DEFINITE = ProviderPolicy(not_found_definite=True)
MANUAL = ProviderPolicy(polls=False)
FEW = ProviderPolicy(recheck_attempts=2)
UNASKED = ProviderPolicy(idempotent_create=True, asked_by=AskedBy.NOTHING)
THEIRS = replace(UNASKED, asked_by=AskedBy.THEIRS)
TWO = a_request("acme", "zeta")


async def nothing_else(world: World) -> None:
    pass


async def succeeds(world: World) -> None:
    await world.settle_pending("acme", paid=True)


async def fails(world: World) -> None:
    await world.settle_pending("acme", paid=False)


async def rests_then_fails(world: World) -> None:
    await world.rest()
    await fails(world)


async def is_decided(world: World) -> None:
    await world.rest()
    for actor in ("key:anna", "key:bert"):
        await world.decide(Ruling.NEGATIVE, actor=actor, insist=True)


async def is_denied(world: World) -> None:
    """Have a person say no to what the provider did not tell of while it was asked."""
    acme = world.providers["acme"]
    acme.statuses.extend([Unclear(because="503")] * acme.policy.recheck_attempts)
    await world.rest()
    acme.statuses.clear()
    await world.decide(Ruling.NEGATIVE, insist=True)


async def is_denied_too_early(world: World) -> None:
    await is_denied(world)
    await world.rest()
    await succeeds(world)


async def is_cancelled(world: World) -> None:
    await world.cancel_order(insist=True)


async def is_cancelled_too_late(world: World) -> None:
    world.providers["acme"].cancels.append(TooLate())
    await world.cancel_order(insist=True)
    await world.work_off()
    await succeeds(world)


async def loses_its_task(world: World) -> None:
    await world.cancel_task(0, insist=True)


async def is_contradicted(world: World) -> None:
    await world.rest()
    for task in await world.tasks():
        provider = world.providers[task.provider]
        if task.state == "SUCCEEDED":
            await world.tell(task.provider, WebhookEventType.RETURNED, task.task_id)
        elif task.verdict == "not_paid":
            money = (await world.order()).require_money()
            provider.pays_after_all(task.task_id, money)
            await world.tell(task.provider, WebhookEventType.SUCCEEDED, task.task_id)


async def is_told_another_amount(world: World) -> None:
    task = await world.task()
    await world.tell("acme", WebhookEventType.SUCCEEDED, task.task_id, amount=1)
    await is_decided(world)


async def core_comes_back(world: World) -> None:
    world.core.goes_down()
    await world.rest(within=timedelta(minutes=5))
    world.core.comes_back()


async def loses_the_bus(world: World) -> None:
    world.bus.wipe()


@dataclass(frozen=True, slots=True)
class Scenario:
    """How acme behaves, and what happens after it was asked for the first time."""

    acme: tuple[Conduct, ...]
    plan: ProviderPolicy = PLAN
    then: Callable[[World], Awaitable[None]] = nothing_else
    zeta: Conduct = PAYS
    refuses: Operation | None = None
    overtaken: bool = False
    four_eyes: bool = False
    by_message: bool = False


SCENARIOS = {
    "paid at once": Scenario((PAYS,)),
    "paid at once, idempotent": Scenario((PAYS,), IDEMPOTENT),
    "declined, then paid": Scenario((DECLINES,)),
    "declined by all": Scenario((DECLINES,), zeta=DECLINES),
    "accepted, webhook paid": Scenario((ACCEPTS,), then=succeeds),
    "accepted, webhook failed": Scenario((ACCEPTS,), then=fails),
    "accepted, decided": Scenario((ACCEPTS,), MANUAL, then=rests_then_fails),
    "polled, then failed": Scenario((ACCEPTS,), then=rests_then_fails),
    "overtaken by its webhook": Scenario((ACCEPTS,), overtaken=True),
    "overtaken, idempotent": Scenario((ACCEPTS,), IDEMPOTENT, overtaken=True),
    "paid behind a timeout": Scenario((PAYS_SILENTLY,)),
    "paid behind a timeout, idempotent": Scenario((PAYS_SILENTLY,), IDEMPOTENT),
    "accepted behind a timeout": Scenario((ACCEPTS_SILENTLY,), then=succeeds),
    "lost, repeated": Scenario((LOSES_REQUEST, PAYS), IDEMPOTENT),
    "paid behind a timeout, the repeat asks": Scenario((PAYS_SILENTLY,), UNASKED),
    "lost, the repeat asks": Scenario((LOSES_REQUEST, PAYS), UNASKED),
    "declined behind a timeout, the repeat asks": Scenario(
        (DECLINES_SILENTLY,), UNASKED
    ),
    "the repeat asks, failed by webhook": Scenario(
        (ACCEPTS_SILENTLY,), UNASKED, then=fails
    ),
    "the repeat asks, decided": Scenario(
        (LOSES_REQUEST,), UNASKED, then=is_decided, four_eyes=True
    ),
    "the repeat asks, cancelled": Scenario(
        (ACCEPTS_SILENTLY,), UNASKED, then=is_cancelled
    ),
    "asked by the provider's own id": Scenario(
        (ACCEPTS_SILENTLY,), THEIRS, then=succeeds
    ),
    "lost, not found is no": Scenario((LOSES_REQUEST,), DEFINITE),
    "lost, decided by two": Scenario((LOSES_REQUEST,), then=is_decided, four_eyes=True),
    "paid behind a timeout, denied": Scenario((PAYS_SILENTLY,), FEW, then=is_denied),
    "under way, denied": Scenario((ACCEPTS_SILENTLY,), FEW, then=is_denied_too_early),
    "not sent, then paid": Scenario((UNREACHABLE, PAYS)),
    "never sent": Scenario((UNREACHABLE,), ProviderPolicy(recheck_attempts=3)),
    "freeze refused": Scenario((PAYS,), refuses=Operation.FREEZE),
    "commit refused": Scenario((PAYS,), refuses=Operation.COMMIT),
    "rollback refused": Scenario((DECLINES,), refuses=Operation.ROLLBACK),
    "another amount": Scenario((ACCEPTS,), then=is_told_another_amount),
    "another amount at once": Scenario((replace(PAYS, says=1),)),
    "cancelled": Scenario((ACCEPTS,), then=is_cancelled),
    "cancelled too late": Scenario((ACCEPTS,), then=is_cancelled_too_late),
    "cancelled unsent": Scenario((UNREACHABLE,), then=is_cancelled),
    "one attempt cancelled": Scenario((ACCEPTS,), then=loses_its_task),
    "contradicted after a yes": Scenario((PAYS,), then=is_contradicted),
    "contradicted after a no": Scenario((DECLINES,), then=is_contradicted),
    "core down": Scenario((ACCEPTS,), then=core_comes_back),
    "bus lost": Scenario((ACCEPTS,), then=loses_the_bus),
    "requested, declined, then paid": Scenario((DECLINES,), by_message=True),
    "requested, declined by all": Scenario((DECLINES,), zeta=DECLINES, by_message=True),
    "requested, accepted": Scenario((ACCEPTS,), then=succeeds, by_message=True),
    "requested, paid behind a timeout": Scenario((PAYS_SILENTLY,), by_message=True),
    "requested, lost, repeated": Scenario(
        (LOSES_REQUEST, PAYS), IDEMPOTENT, by_message=True
    ),
    "requested, core down": Scenario((ACCEPTS,), then=core_comes_back, by_message=True),
    "requested, bus lost": Scenario((ACCEPTS,), then=loses_the_bus, by_message=True),
}


async def played(scenario: Scenario, world: World) -> World:
    """Play a scenario to its end, whatever goes wrong."""
    acme = world.provider("acme", *scenario.acme, plan=scenario.plan)
    world.provider("zeta", scenario.zeta, plan=scenario.plan)
    if scenario.refuses is not None:
        world.core.refuses(scenario.refuses, "account_closed")
    world.four_eyes = FourEyes(1 if scenario.four_eyes else None)

    async def the_webhook_comes() -> None:
        task = await world.task()
        if acme.fate(task.task_id) is not None:
            acme.pays(task.task_id)
            await world.tell("acme", WebhookEventType.SUCCEEDED, task.task_id)
            await world.work_off()

    if scenario.overtaken:
        world.effects.meanwhile("acme.create", the_webhook_comes)
    if scenario.by_message:
        await world.request(TWO)
    else:
        await world.submit(TWO)
    await world.work_off()
    await scenario.then(world)
    await world.rest()
    return world


def play(scenario: Scenario, *strikes: Strike, schedules: bool = True) -> World:
    clock, effects = VirtualClock(), Effects(*strikes)
    world = World(
        clock=clock,
        effects=effects,
        bus=MemoryBus(clock, effects, schedules=schedules),
    )
    return run(played(scenario, world), clock=clock, seed=1)


def verdict(world: World) -> list[str]:
    return run(world.offences(), clock=world.clock)


@pytest.mark.parametrize("name", SCENARIOS)
def test_without_a_fault_the_money_adds_up(name):
    assert verdict(play(SCENARIOS[name])) == []


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_same_seed_gives_the_same_run(name):
    first, second = play(SCENARIOS[name]), play(SCENARIOS[name])

    assert first.effects.log == second.effects.log
    assert first.core.book == second.core.book


@pytest.mark.sampled
@pytest.mark.parametrize("name", SCENARIOS)
def test_whatever_goes_wrong_the_money_adds_up(name):
    points = len(play(SCENARIOS[name]).effects.log)

    offences = {}
    for at in range(1, points + 1):
        # Two scenarios that go alike for a while have another form at each point.
        for form in in_turn(FailureForm, at + [*SCENARIOS].index(name)):
            world = play(SCENARIOS[name], Strike(at, form))
            offences[f"{at}. {world.effects.struck}, {form.name}"] = verdict(world)

    assert points >= 4
    assert {where: what for where, what in offences.items() if what} == {}


@pytest.mark.sampled
@pytest.mark.parametrize("name", SCENARIOS)
def test_whatever_dies_without_schedules_the_money_adds_up(name):
    points = len(play(SCENARIOS[name], schedules=False).effects.log)

    offences = {}
    for at in every_nth(range(1, points + 1), 3, first=[*SCENARIOS].index(name)):
        strike = Strike(at, FailureForm.DONE_DIED)
        world = play(SCENARIOS[name], strike, schedules=False)
        offences[f"{at}. {world.effects.struck}"] = verdict(world)

    assert {where: what for where, what in offences.items() if what} == {}
