"""Gives up a task or a whole order, where and when that is safe."""

from fsm.domain.errors import NotNow, Tampered, UnknownOrder
from fsm.domain.messages import Message, cancel_doorbell
from fsm.domain.news import FORWARDER
from fsm.domain.orders import Order
from fsm.engine.steps import Event, Step
from fsm.engine.words import EngineTrigger, Source
from handlers.engine import Books, Engine, settle, settle_cancel_of_order


async def request_cancel_of_task(
    task_id: str, reason: str, *, actor: str, engine: Engine
) -> None:
    """Put the wish to give up one attempt into its row; it is not lost after that.

    :raises UnknownOrder: no such task.
    :raises NotNow: it is final.
    """
    order = await order_of_task(task_id, engine=engine)
    if order.task(task_id).final:
        raise NotNow(f"task {task_id} is {order.task(task_id).state}: it is final")
    settled = await settle(
        order,
        task_id,
        _wish(reason, actor),
        engine=engine,
        bells=lambda o, _: [cancel_doorbell(o.task(task_id))],
    )
    if not isinstance(settled.decision, Step) and settled.order.task(task_id).final:
        raise NotNow(f"task {task_id} has just become final")


async def request_cancel_of_order(
    order: Order, reason: str, *, actor: str, engine: Engine
) -> None:
    """Put the wish to give up the whole order into its rows.

    :raises NotNow: it is final.
    """

    def bells(moved: Order, _now: object) -> list[Message]:
        return [cancel_doorbell(moved.queue)]

    settled = await settle_cancel_of_order(
        order, _wish(reason, actor), engine=engine, bells=bells
    )
    if not isinstance(settled.decision, Step) and settled.order.queue.final:
        raise NotNow(f"order {order.order_id} is {settled.order.queue.state}")


async def cancel_known(
    order: Order, reason: str, *, by: str, task_id: str | None, engine: Engine
) -> str:
    """Put the wish of a forwarder into the row of a task, or of the whole order.

    The wake-up that follows is a message like any other. Returns ``accepted``,
    ``duplicate`` where it was wished before, ``too_late`` where it is final, or
    ``tampered`` where its rows are not as the service has left them.
    """
    row = order.queue if task_id is None else order.task(task_id)
    if row.cancel_requested:
        return "duplicate"
    actor = f"{FORWARDER}{by}"
    try:
        if task_id is None:
            await request_cancel_of_order(order, reason, actor=actor, engine=engine)
        else:
            await request_cancel_of_task(task_id, reason, actor=actor, engine=engine)
    except Tampered:
        return "tampered"
    except NotNow:
        return "too_late"
    return "accepted"


def _wish(reason: str, actor: str) -> Event:
    return Event(
        trigger=EngineTrigger.CANCEL_REQUESTED,
        source=Source.PERSON,
        actor=actor,
        detail={
            "reason": reason,
            **({"forwarded": True} if actor.startswith(FORWARDER) else {}),
        },
    )


async def order_of_task(task_id: str, *, engine: Books) -> Order:
    """Return the order of a task.

    :raises UnknownOrder: no such task.
    """
    queue_id = await engine.store.queue_of(task_id)
    order = None if queue_id is None else await engine.store.load(queue_id)
    if order is None:
        raise UnknownOrder(task_id)
    return order
