"""Gives up a task or a whole order, where and when that is safe."""

from fsm.decisions import Event, Step
from fsm.states import Source, Trigger
from handlers.calls import View
from handlers.drive import Doorbell, drive, next_due, ring
from handlers.engine import Engine, settle, settle_cancel_of_order
from payment_service.domain.errors import NotNow, UnknownOrder
from payment_service.domain.messages import Message, cancel_doorbell
from payment_service.domain.orders import Order
from payment_service.ports.outcomes import Outcome


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


async def cancel_requested(
    bell: Doorbell, reason: str | None, *, engine: Engine
) -> Outcome:
    """Answer a message that asks for cancellation, our own or a trusted service's.

    Our own finds the wish in the row already and goes on with what is due. One from
    outside has to carry the present version to be the wish.
    """
    taken_at = engine.clock.elapsed()
    order = await engine.store.load(bell.queue_id)
    if order is None or _is_wished(order, bell):
        return await ring(bell, engine=engine)
    wish = _wish(reason or "requested by message", "system")
    if bell.task_id is None:
        if order.queue.version != bell.version:
            return await ring(bell, engine=engine)
        settled = await settle_cancel_of_order(
            order, wish, engine=engine, bells=lambda *_: []
        )
    else:
        if order.task(bell.task_id).version != bell.version:
            return await ring(bell, engine=engine)
        settled = await settle(order, bell.task_id, wish, engine=engine)
    if next_due(settled.order, engine) is None:
        return await ring(bell, engine=engine)
    return await drive(settled.order, engine=engine, view=View(taken_at=taken_at))


def _is_wished(order: Order, bell: Doorbell) -> bool:
    if bell.task_id is None:
        return order.queue.cancel_requested or order.queue.final
    tasks = {task.task_id: task for task in order.queue.tasks}
    task = tasks.get(bell.task_id)
    return task is None or task.cancel_requested or task.final


def _wish(reason: str, actor: str) -> Event:
    return Event(
        trigger=Trigger.CANCEL_REQUESTED,
        source=Source.PERSON,
        actor=actor,
        detail={"reason": reason},
    )


async def order_of_task(task_id: str, *, engine: Engine) -> Order:
    """Return the order of a task.

    :raises UnknownOrder: no such task.
    """
    queue_id = await engine.store.queue_of(task_id)
    order = None if queue_id is None else await engine.store.load(queue_id)
    if order is None:
        raise UnknownOrder(task_id)
    return order
