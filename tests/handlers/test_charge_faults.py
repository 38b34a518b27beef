"""Every effect of a checkout that is charged goes wrong once: nobody is charged twice.

What is charged of an order that has failed is refunded, or a person knows of it. In
every way it does so in ``make every-case``, in one way or another in ``make test``.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import pytest

from fsm.charge.policy import ChargePolicy
from fsm.engine.words import State
from fsm.flows import CHECKOUT
from handlers.checkout import CheckoutHandlers
from handlers.resolve import Ruling
from payment_service.playground.memory.clock import VirtualClock, run
from payment_service.playground.memory.effects import Effects, FailureForm, Strike
from payment_service.playground.memory.payments import ChargeFate, MemoryPayment
from tests.handlers.test_charges import BOTH, HANDLED, HASTY, KEY, RETRY
from tests.sampling import in_turn
from tests.world.checkouts import a_checkout, collect, serve, side_of, wrongs
from tests.world.judged import World

ABSENT: Final = ChargePolicy(
    retry=RETRY,
    attempts=9,
    key_lifetime=timedelta(0),
    absent_after=timedelta(seconds=10),
)


@dataclass(frozen=True, slots=True)
class Day:
    """What payment providers and services do, and whether it is given up."""

    north: dict[str, Any] = field(default_factory=dict)
    south: dict[str, Any] = field(default_factory=dict)
    refuses: str | None = None
    policy: ChargePolicy = HASTY
    cancelled: bool = False


SILENT: Final = {"silent": {"charge": 1}}
DUMB: Final = {"silent": {"charge": 99, "charge_status": 99}}
DAYS: Final = {
    "the first collects": Day(),
    "the first refuses": Day({"refuses": True}),
    "both refuse": Day({"refuses": True}, {"refuses": True}),
    "the first is away": Day({"away": {"charge": 99}}),
    "the first does not say": Day(SILENT),
    "the first never says": Day(DUMB),
    "the first never says, and has not": Day({"refuses": True, **DUMB}),
    "the first lands late": Day({"late": 1}),
    "the first is lost": Day({"lost": 1}),
    "the first is lost, and absence proves": Day({"lost": 1}, policy=ABSENT),
    "all is well, and absence would prove": Day(policy=ABSENT),
    "the merchant refuses": Day(refuses="merchant"),
    "the merchant refuses, the second is paid": Day(
        {"refuses": True}, refuses="merchant"
    ),
    "the merchant refuses, the refund is silent": Day(
        {"silent": {"refund": 1}}, refuses="merchant"
    ),
    "the merchant refuses, the refund is refused": Day(
        {"keeps": True}, refuses="merchant"
    ),
    "delivery refuses, the charge is silent": Day(SILENT, refuses="delivery"),
    "delivery refuses, the charge lands late": Day({"late": 1}, refuses="delivery"),
    "given up": Day(cancelled=True),
    "given up while it is asked about": Day(SILENT, cancelled=True),
    "given up while it floats": Day({"late": 1}, cancelled=True),
}


def behave(provider: MemoryPayment, conduct: dict[str, Any]) -> None:
    for what, how in conduct.items():
        if isinstance(how, dict):
            getattr(provider, what).update(how)
        else:
            setattr(provider, what, how)


async def persons_decide(world: World) -> None:
    """Have persons find out what is so, and bring about by hand what they say."""
    for task in await world.tasks():
        if task.state is not State.MANUAL_CHECK:
            continue
        side = side_of(task, world)
        if isinstance(side, MemoryPayment):
            # Whoever looks has the provider refuse what has not come yet.
            side.books.setdefault(task.task_id, ChargeFate.REFUSED)
        ruling = Ruling.POSITIVE if side.stands(task.task_id) else Ruling.NEGATIVE
        await world.decide_task(task.task_id, ruling, insist=True)


async def played(day: Day, world: World) -> list[str]:
    await world.submit(a_checkout())
    await world.work_off()
    if day.cancelled:
        await world.cancel_order(insist=True)
    await world.rest()
    wrong = await wrongs(world)
    for _ in range(2):
        await persons_decide(world)
        await world.rest()
    order = await world.order()
    if not order.queue.final:
        wrong.append(f"persons have decided, and it is {await world.states()}")
    for provider in world.payments.every():
        provider.lands()
    return [*wrong, *await wrongs(world)]


def play(day: Day, *strikes: Strike) -> tuple[list[str], World]:
    clock, effects = VirtualClock(), Effects(*strikes)
    world = World(clock=clock, effects=effects)
    serve(world)
    collect(world, *BOTH, north=day.policy, south=day.policy)
    behave(world.payments["north"], day.north)
    behave(world.payments["south"], day.south)
    if day.refuses is not None:
        world.services[day.refuses].refuses = True
    return run(played(day, world), clock=clock, seed=1), world


@pytest.mark.sampled
@pytest.mark.parametrize("name", DAYS)
def test_whatever_goes_wrong_nobody_is_charged_twice_or_for_nothing(name, monkeypatch):
    handlers = CheckoutHandlers(CHECKOUT, {"payment": BOTH})
    monkeypatch.setitem(HANDLED, KEY, handlers)
    wrong, clean = play(DAYS[name])
    assert wrong == []

    offences = {}
    for at in range(1, len(clean.effects.log) + 1):
        for form in in_turn(FailureForm, at + [*DAYS].index(name)):
            wrong, world = play(DAYS[name], Strike(at, form))
            if wrong:
                offences[f"{at}. {world.effects.struck}, {form.name}"] = wrong

    assert len(clean.effects.log) >= 9
    assert offences == {}
