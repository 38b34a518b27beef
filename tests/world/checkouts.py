"""Checkouts of the in-memory world, and the oracle of what must be so at rest.

The services' own books are the truth: an order is COMPLETED with every step done once,
or FAILED or CANCELLED with every effect undone, or with a person.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

import orjson

from fsm.domain.audit_keys import UNKEYED
from fsm.domain.money import Money
from fsm.domain.orders import Order, Request
from fsm.engine.flow import Flow
from fsm.engine.rows import Task
from fsm.engine.words import Kind, OrderState, State
from fsm.flows import CHECKOUT
from fsm.invariants import Line, order_offences, trail_of
from fsm.service.policy import ServicePolicy
from fsm.service.words import DEFAULTED, STANDS
from payment_service.playground.memory.services import (
    MemoryService,
    MemoryServices,
    StepFate,
)
from tests.world.as_rows import line_of, order_row, task_row
from tests.world.judged import World

STEPS: Final = tuple(step.name for step in CHECKOUT.steps)
DETAILS: Final = {
    "payment_method": {"type": "card", "token": "tok_8f2a"},
    "items": [{"sku": "sku-1", "quantity": 2, "unit_amount": 6000}],
    "delivery": {"type": "courier"},
    "fees": [{"code": "delivery", "amount": 550}],
}


def a_checkout(order_id: str = "c-1001", amount: int = 12550) -> Request:
    """Return a request for a checkout."""
    return Request(
        kind=Kind.CHECKOUT,
        order_id=order_id,
        merchant_id="m-1",
        customer_id="c-9",
        money=Money(amount, "EUR"),
        destination={},
        cascade=(),
        metadata={"channel": "web"},
        details=DETAILS,
        content=orjson.dumps([order_id, amount, DETAILS]),
    )


def serve(world: World, *names: str, **policies: ServicePolicy) -> MemoryServices:
    """Give a world the services of a checkout's steps, or others; return them."""
    for name in names or STEPS:
        policy = policies.get(name)
        world.services.add(MemoryService(name, policy=policy, effects=world.effects))
    return world.services


def offences_at_rest(
    order: Order, services: MemoryServices, flow: Flow = CHECKOUT
) -> Iterator[str]:
    """Say what is wrong with an order that nothing is due for: rows against books."""
    state, tasks = order.queue.state, order.queue.tasks
    with_a_person = any(task.state is State.MANUAL_CHECK for task in tasks)
    if not order.queue.final:
        if not with_a_person:
            yield f"it is {state}, and nobody goes on with it"
        return
    for task in tasks:
        yield from _contradicts(task, services)
        stands = services[task.name or ""].stands(task.task_id)
        spec = flow.steps[task.step]
        if state is OrderState.COMPLETED:
            if not (stands or task.code in {DEFAULTED, STANDS}):
                yield f"COMPLETED, and {task.name} is not done"
        elif spec.undo and stands and task.code != STANDS:
            yield f"{state}, and {task.name} is not undone"
        elif spec.point_of_no_return and stands:
            yield f"{state}, and {task.name} is done: there is no return"
    done = Counter(what for each in services.every() for what in each.did)
    if twice := [what for what, times in done.items() if times > _orders(services)]:
        yield f"done twice: {twice}"


def _orders(services: MemoryServices) -> int:
    return max(len(each.books) for each in services.every())


def _contradicts(task: Task, services: MemoryServices) -> Iterator[str]:
    fate = services[task.name or ""].books.get(task.task_id)
    if task.state is State.REVERSED and fate not in {StepFate.UNDONE, StepFate.BARRED}:
        yield f"{task.name} is REVERSED, and its service says {fate}"
    won = task.state is State.SUCCEEDED and task.code is None
    if won and fate not in {StepFate.DONE, StepFate.KEPT}:
        yield f"{task.name} is SUCCEEDED, and its service says {fate}"


async def offences_as_verified(order: Order, world: World) -> list[str]:
    """Judge the rows and trails of an order as ``verify`` does."""
    lines: dict[str, list[Line]] = {}
    own = {order.queue_id, *(task.task_id for task in order.queue.tasks)}
    for line in await world.rows.trail():
        if line.entity_id in own:
            lines.setdefault(line.entity_id, []).append(line_of(line))
    trails: Any = {entity: trail_of(its, UNKEYED) for entity, its in lines.items()}
    tasks: Sequence[Any] = [task_row(task) for task in order.queue.tasks]
    found = order_offences(order_row(order), tasks, trails)
    return [f"{each.invariant}: {each.what}" for each in found]


async def wrongs(world: World, flow: Flow = CHECKOUT) -> list[str]:
    """Say all that is wrong with a world at rest, whose orders are checkouts."""
    wrong: list[str] = []
    for order in await world.rows.orders():
        wrong += offences_at_rest(order, world.services, flow)
        wrong += await offences_as_verified(order, world)
    told = Counter(
        (str(notice.body["order_id"]), str(notice.body["type"]))
        for notice in world.core.notices
    )
    for order in await world.rows.orders():
        kind = order.queue.kind.value
        final = f"{kind}.{order.queue.state.lower()}"
        heard = {type_ for order_id, type_ in told if order_id == order.order_id}
        if heard != ({final} if order.queue.final else set()):
            wrong.append(f"core was told {heard} of an order {order.queue.state}")
    return wrong
