"""Handles a request that came as a message: accepted first, then driven at once."""

from collections.abc import Awaitable, Callable

from fsm.domain.orders import Order, Request, Submission
from handlers.claims import Claims
from handlers.commit import Ports
from handlers.drive import drive, next_due
from handlers.ports.outcomes import Done, Outcome, Retry
from handlers.submit import open_order
from handlers.work import all_wakeups, no_wakeups, traced

Answer = Callable[[Submission], Awaitable[None]]


async def requested(
    request: Request,
    *,
    ports: Ports,
    trace_parent: str | None,
    again: bool,
    answer: Answer,
) -> Outcome:
    """Store the order, answer, and go on with it until it waits.

    The request itself is the order's first wake-up: it is acknowledged when the
    order waits or is handed on, so a worker that dies leaves it to another one, which
    goes on where the rows stand (``again``). A repeat by its sender rings for nothing.
    """
    taken_at = ports.clock.elapsed()
    new = open_order(
        request,
        ports=ports,
        actor="system",
        trace_parent=trace_parent,
        wakeups=no_wakeups,
    )
    done = await ports.store.submit(new)
    await answer(done)
    order: Order | None = new.order
    if done.status != "accepted":
        # One that runs with the same exclusive key is its own request's to go on with.
        resumes = again and done.order_id == request.order_id
        order = await ports.store.load(done.queue_id or "") if resumes else None
    if order is not None and next_due(order, ports) is not None:
        outcome = await drive(order, ports=ports, claims=Claims(taken_at=taken_at))
        if isinstance(outcome, Retry):
            await _hand_on(order.queue_id, ports)
    return Done(what=done.status, order_id=done.order_id)


async def _hand_on(queue_id: str, ports: Ports) -> None:
    """Leave what is due to a wake-up: whoever is away must not hold up requests."""
    order = await ports.store.load(queue_id)
    if order is not None:
        for wakeup in all_wakeups(ports.rules)(order, ports.clock.now()):
            await ports.store.post(traced(wakeup, order.trace_parent))
