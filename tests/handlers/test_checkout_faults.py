"""Every effect of a checkout goes wrong once: nothing is in limbo.

In every way it does so in ``make every-case``, in one way or another in ``make test``.
Another saga, of a shape that no flow of ours has, is held to the same: it is declared
as data, and its steps are done by services of their names.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import pytest

from fsm.engine.flow import Flow, StepSpec
from fsm.engine.words import Kind, State
from fsm.flows import CHECKOUT, RULES
from fsm.service.outcome import by_saga
from fsm.service.policy import Default, ServicePolicy
from handlers.checkout import CheckoutHandlers
from handlers.flows import FLOWS
from handlers.resolve import Ruling
from payment_service.playground.memory.clock import VirtualClock, run
from payment_service.playground.memory.effects import Effects, FailureForm, Strike
from payment_service.playground.memory.services import StepFate
from tests.handlers.test_checkouts import HASTY, UNASKABLE
from tests.sampling import in_turn
from tests.world.checkouts import a_checkout, serve, wrongs
from tests.world.judged import World

HOUSE: Any = RULES
HANDLED: Any = FLOWS
KEY: Final = (Kind.CHECKOUT, 1)


async def nothing_else(world: World) -> None:
    pass


async def is_given_up(world: World) -> None:
    await world.cancel_order(insist=True)


async def loses_a_step(world: World) -> None:
    await world.cancel_task(1, insist=True)


async def loses_the_bus(world: World) -> None:
    world.bus.wipe()


@dataclass(frozen=True, slots=True)
class Day:
    """What the services do, and what happens after the first calls."""

    conduct: dict[str, Any] = field(default_factory=dict)
    policies: dict[str, ServicePolicy] = field(default_factory=dict)
    then: Callable[[World], Awaitable[None]] = nothing_else
    flow: Flow = CHECKOUT


AWAY: Final = {"away": {"do": 99}}
DUMB: Final = {"silent": {"do": 99, "ask": 99}}
DEFAULT: Final = ServicePolicy(default=Default(after=timedelta(seconds=2)))
PARCEL: Final = Flow(
    kind=Kind.CHECKOUT,
    version=1,
    steps=(
        StepSpec(name="stock", lifecycle="service", undo=True),
        StepSpec(name="address", lifecycle="check"),
        StepSpec(name="label", lifecycle="service", after=("address",), undo=True),
        StepSpec(
            name="parcel", lifecycle="service", after=("stock", "label"), undo=True
        ),
        StepSpec(name="mail", lifecycle="check", after=("label",)),
    ),
    loads=True,
    outcome=by_saga,
)
"""A saga of another shape: two first steps, a chain beside, no point of no return."""
DAYS: Final = {
    "all is done": Day(),
    "payment is refused": Day({"payment": {"refuses": True}}),
    "the merchant refuses": Day({"merchant": {"refuses": True}}),
    "what was paid is kept": Day(
        {"merchant": {"refuses": True}, "payment": {"keeps": True}}
    ),
    "the merchant never answers": Day({"merchant": DUMB}, {"merchant": HASTY}),
    "payment never answers": Day({"payment": DUMB}, {"payment": HASTY}),
    "payment cannot be asked": Day(
        {"payment": {"silent": {"do": 1}}}, {"payment": UNASKABLE}
    ),
    "payment is away": Day({"payment": AWAY}, {"payment": HASTY}),
    "a default holds": Day({"fraud": AWAY}, {"fraud": DEFAULT}),
    "payment lands after it was asked about": Day(
        {"payment": {"late": 1}, "delivery": {"refuses": True}}
    ),
    "payment lands after it was undone": Day(
        {"payment": {"late": 1, "lands_after": "undo"}, "delivery": {"refuses": True}}
    ),
    "given up": Day(then=is_given_up),
    "given up while payment is asked about": Day(
        {"payment": {"silent": {"do": 1}}}, then=is_given_up
    ),
    "given up while the merchant is asked about": Day(
        {"merchant": {"silent": {"do": 1}}}, then=is_given_up
    ),
    "one step is given up": Day({"payment": {"late": 1}}, then=loses_a_step),
    "the bus is lost": Day({"payment": {"silent": {"do": 1}}}, then=loses_the_bus),
    "another saga": Day(flow=PARCEL),
    "another saga, its parcel refused": Day({"parcel": {"refuses": True}}, flow=PARCEL),
    "another saga, its mail fails": Day({"mail": DUMB}, {"mail": HASTY}, flow=PARCEL),
    "another saga, its label is late": Day(
        {"label": {"late": 1}, "stock": {"refuses": True}}, flow=PARCEL
    ),
}


async def persons_decide(world: World) -> None:
    """Have persons find out what is so, and put right by hand what they say is so."""
    for task in await world.tasks():
        if task.state is not State.MANUAL_CHECK:
            continue
        service = world.services[task.name or ""]
        stands = service.stands(task.task_id)
        if not stands or service.books[task.task_id] is StepFate.DONE:
            if task.lifecycle == "service":
                service.books[task.task_id], stands = StepFate.UNDONE, False
            elif not stands:
                service.books[task.task_id] = StepFate.REFUSED
        ruling = Ruling.POSITIVE if stands else Ruling.NEGATIVE
        await world.decide_task(task.task_id, ruling, insist=True)


async def played(day: Day, world: World) -> list[str]:
    """Play a day to its end, whatever goes wrong; return what is wrong then."""
    await world.submit(a_checkout())
    await world.work_off()
    await day.then(world)
    await world.rest()
    wrong = await wrongs(world, day.flow)
    await persons_decide(world)
    await world.rest()
    order = await world.order()
    if not order.queue.final:
        wrong.append(f"persons have decided, and it is {await world.states()}")
    for service in world.services.every():
        service.lands()
    return [*wrong, *await wrongs(world, day.flow)]


def behave(world: World, day: Day) -> None:
    """Have the services do what they do on such a day."""
    for name, conduct in day.conduct.items():
        for what, how in conduct.items():
            if isinstance(how, dict):
                getattr(world.services[name], what).update(how)
            else:
                setattr(world.services[name], what, how)


def play(day: Day, *strikes: Strike) -> tuple[list[str], World]:
    clock, effects = VirtualClock(), Effects(*strikes)
    world = World(clock=clock, effects=effects)
    serve(world, *(step.name for step in day.flow.steps), **day.policies)
    behave(world, day)
    return run(played(day, world), clock=clock, seed=1), world


@pytest.fixture
def declared(monkeypatch):
    """Have the flow of a day handled as checkouts are: it is data, and no more."""

    def flow(flow):
        monkeypatch.setitem(HOUSE.flows, KEY, flow)
        monkeypatch.setitem(HANDLED, KEY, CheckoutHandlers(flow))

    return flow


@pytest.mark.sampled
@pytest.mark.parametrize("name", DAYS)
def test_whatever_goes_wrong_each_step_is_done_once_or_undone(name, declared):
    day = DAYS[name]
    declared(day.flow)
    wrong, clean = play(day)
    assert wrong == []

    offences = {}
    for at in range(1, len(clean.effects.log) + 1):
        for form in in_turn(FailureForm, at + [*DAYS].index(name)):
            wrong, world = play(day, Strike(at, form))
            if wrong:
                offences[f"{at}. {world.effects.struck}, {form.name}"] = wrong

    assert len(clean.effects.log) >= 9
    assert offences == {}


def test_a_saga_of_another_shape_goes_by_what_it_declares(declared):
    declared(PARCEL)

    _, world = play(DAYS["another saga, its parcel refused"])

    did = [what for each in world.services.every() for what in each.did]
    assert sorted(did) == [
        "do address",
        "do label",
        "do mail",
        "do stock",
        "undo label",
        "undo stock",
    ]
