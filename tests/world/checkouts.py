"""Checkouts of the in-memory world, and the oracle of what must be so at rest.

The services' own books are the truth: an order is COMPLETED with every step done once,
or FAILED or CANCELLED with every effect undone, or with a person.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import orjson

from fsm.charge.lifecycle import CHARGE
from fsm.charge.policy import ChargePolicy
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
from payment_service.playground.memory.payments import (
    PAID,
    ChargeFate,
    MemoryPayment,
    MemoryPayments,
)
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


def collect(world: World, *names: str, **policies: ChargePolicy) -> MemoryPayments:
    """Give a world payment providers; return them."""
    for name in names:
        policy = policies.get(name)
        world.payments.add(MemoryPayment(name, policy=policy, effects=world.effects))
    return world.payments


class Sides(NamedTuple):
    """All that can do a step: services, and payment providers where there are any."""

    services: MemoryServices
    payments: MemoryPayments


def side_of(task: Task, sides: Sides | World) -> MemoryService | MemoryPayment:
    """Return who does the step of a task: its service, or its payment provider."""
    if task.lifecycle == CHARGE.name:
        return sides.payments[task.provider]
    return sides.services[task.name or ""]


def offences_at_rest(
    order: Order,
    services: MemoryServices,
    flow: Flow = CHECKOUT,
    payments: MemoryPayments | None = None,
) -> Iterator[str]:
    """Say what is wrong with an order that nothing is due for: rows against books."""
    state, tasks = order.queue.state, order.queue.tasks
    world = Sides(services, payments or MemoryPayments())
    yield from _charged_twice(order, world)
    with_a_person = any(task.state is State.MANUAL_CHECK for task in tasks)
    if not order.queue.final:
        if not with_a_person:
            yield f"it is {state}, and nobody goes on with it"
        return
    for task in tasks:
        yield from _contradicts(task, world)
        stands = side_of(task, world).stands(task.task_id)
        spec = flow.steps[task.step]
        if state is OrderState.COMPLETED:
            held = stands or task.code in {DEFAULTED, STANDS}
            if not held and task.lifecycle != CHARGE.name:
                yield f"COMPLETED, and {task.name} is not done"
        elif spec.undo and stands and task.code != STANDS:
            yield f"{state}, and {task.name} is not undone"
        elif spec.point_of_no_return and stands:
            yield f"{state}, and {task.name} is done: there is no return"
    done = Counter(what for each in services.every() for what in each.did)
    if twice := [what for what, times in done.items() if times > _orders(services)]:
        yield f"done twice: {twice}"


def _charged_twice(order: Order, world: Sides) -> Iterator[str]:
    """Hold a charge's books: one stands at most, and of what is done just one."""
    charges = [t for t in order.queue.tasks if t.lifecycle == CHARGE.name]
    standing = [t for t in charges if side_of(t, world).stands(t.task_id)]
    if len(standing) > 1:
        yield f"charged by {[t.provider for t in standing]}"
    if charges and order.queue.state is OrderState.COMPLETED and not standing:
        yield "COMPLETED, and nobody has charged"
    for task in charges:
        provider = world.payments[task.provider]
        refunded = provider.books.get(task.task_id) is ChargeFate.REFUNDED
        if refunded and order.queue.state is OrderState.COMPLETED:
            yield f"COMPLETED, and {task.provider} has refunded {task.task_id}"
        amount, collected = order.require_money().amount, provider.collected
        if collected.get(task.task_id, amount) != amount:
            yield f"{task.provider} has charged {collected[task.task_id]} of {amount}"


def balances(payments: MemoryPayments) -> Iterator[str]:
    """Hold what payment providers hold against what of their books stands."""
    for provider in payments.every():
        collected = provider.collected.items()
        stands = sum(amount for name, amount in collected if provider.stands(name))
        if provider.balance != stands:
            what = f"{provider.name} holds {provider.balance}"
            yield f"{what}, and {stands} of it is charged"
        yield from provider.wrong


def _orders(services: MemoryServices) -> int:
    return max(len(each.books) for each in services.every())


UNDONE: Final = frozenset({StepFate.UNDONE, StepFate.BARRED, ChargeFate.REFUNDED})
DONE: Final = frozenset({StepFate.DONE, StepFate.KEPT, *PAID})


def _contradicts(task: Task, world: Sides) -> Iterator[str]:
    fate = side_of(task, world).books.get(task.task_id)
    if task.state is State.REVERSED and fate not in UNDONE:
        yield f"{task.name} is REVERSED, and its service says {fate}"
    won = task.state is State.SUCCEEDED and task.code is None
    if won and fate not in DONE:
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
        wrong += offences_at_rest(order, world.services, flow, world.payments)
        wrong += await offences_as_verified(order, world)
    wrong += balances(world.payments)
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
