"""Handles a request that came as a message: accepted first, then driven at once."""

from collections.abc import Awaitable, Callable

from fsm.domain.orders import Order, Request, Submission
from handlers.claims import View
from handlers.drive import drive, next_due
from handlers.engine import Engine
from handlers.ports.outcomes import Done, Outcome, Retry
from handlers.submit import open_order
from handlers.work import all_bells, no_bells, traced

Answer = Callable[[Submission], Awaitable[None]]


async def requested(
    request: Request,
    *,
    engine: Engine,
    trace_parent: str | None,
    again: bool,
    answer: Answer,
) -> Outcome:
    """Store the order, answer, and go on with it until it waits.

    The request itself is the order's first doorbell: it is acknowledged when the
    order waits or is handed on, so a worker that dies leaves it to another one, which
    goes on where the rows stand (``again``). A repeat by its sender rings for nothing.
    """
    taken_at = engine.clock.elapsed()
    new = open_order(
        request,
        engine=engine,
        actor="system",
        trace_parent=trace_parent,
        bells=no_bells,
    )
    done = await engine.store.submit(new)
    await answer(done)
    order: Order | None = new.order
    if done.status != "accepted":
        resumes = again and done.queue_id is not None
        order = await engine.store.load(done.queue_id or "") if resumes else None
    if order is not None and next_due(order, engine) is not None:
        outcome = await drive(order, engine=engine, view=View(taken_at=taken_at))
        if isinstance(outcome, Retry):
            await _hand_on(order.queue_id, engine)
    return Done(what=done.status, order_id=done.order_id)


async def _hand_on(queue_id: str, engine: Engine) -> None:
    """Leave what is due to a doorbell: whoever is away must not hold up requests."""
    order = await engine.store.load(queue_id)
    if order is not None:
        for bell in all_bells(order, engine.clock.now()):
            await engine.store.post(traced(bell, order.trace_parent))
