"""Gives up a task or a whole order, where and when that is safe."""

from fsm.domain.errors import CannotStop, NotNow, Tampered, UnknownOrder
from fsm.domain.messages import Message, cancel_wakeup
from fsm.domain.orders import Order
from fsm.domain.webhook_events import FORWARDER
from fsm.engine.steps import Event, Step
from fsm.engine.words import EngineTrigger, OrderState, Source
from handlers.commit import Ports, TrailPorts, apply, apply_cancel_of_order
from handlers.ports.outcomes import Done


async def request_cancel_of_task(
    task_id: str, reason: str, *, actor: str, ports: Ports
) -> None:
    """Put the wish to give up one attempt into its row; it is not lost after that.

    :raises UnknownOrder: no such task.
    :raises NotNow: it is final; or what is under way cannot be given up there.
    """
    order = await order_of_task(task_id, ports=ports)
    if order.task(task_id).final:
        raise NotNow(f"task {task_id} is {order.task(task_id).state}: it is final")
    applied = await apply(
        order,
        task_id,
        _wish(reason, actor),
        ports=ports,
        wakeups=lambda o, _: [cancel_wakeup(o.task(task_id))],
    )
    task = applied.order.task(task_id)
    if isinstance(applied.decision, Step) or task.cancel_requested:
        return
    if task.final:
        raise NotNow(f"task {task_id} has just become final")
    raise CannotStop(
        f"task {task_id} is {task.state}, and what it does there cannot be given up "
        "alone: cancel its order"
    )


async def request_cancel_of_order(
    order: Order, reason: str, *, actor: str, ports: Ports
) -> None:
    """Put the wish to give up the whole order into its rows.

    :raises NotNow: it is final, or turns back already.
    """

    def wakeups(moved: Order, _now: object) -> list[Message]:
        return [cancel_wakeup(moved.queue)]

    applied = await apply_cancel_of_order(
        order, _wish(reason, actor), ports=ports, wakeups=wakeups
    )
    queue = applied.order.queue
    if isinstance(applied.decision, Step):
        return
    if queue.final:
        raise NotNow(_too_late(applied.order, ports))
    if not queue.cancel_requested:
        raise CannotStop(
            f"order {order.order_id} is {queue.state}: it turns back already, and "
            "what was done is being undone"
        )


def _too_late(order: Order, ports: Ports) -> str:
    """Say why a final order cannot be given up any more."""
    told = f"order {order.order_id} is {order.queue.state}"
    last = ports.rules.flow_of(order.queue).steps[-1]
    if last.point_of_no_return and order.queue.state is OrderState.COMPLETED:
        return f"{told}: there is no return once {last.name!r} is done"
    return told


async def cancel_known(
    order: Order, reason: str, *, by: str, task_id: str | None, ports: Ports
) -> Done:
    """Put the wish of a forwarder into the row of a task, or of the whole order.

    The wake-up that follows is a message like any other. It is done as ``accepted``,
    ``duplicate`` where it was wished before, ``too_late`` where it is final,
    ``refused``, with the reason, where what is under way cannot be given up, or
    ``tampered`` where its rows are not as the service has left them.
    """
    row = order.queue if task_id is None else order.task(task_id)
    if row.cancel_requested:
        return Done(what="duplicate", order_id=order.order_id)
    actor = f"{FORWARDER}{by}"
    try:
        if task_id is None:
            await request_cancel_of_order(order, reason, actor=actor, ports=ports)
        else:
            await request_cancel_of_task(task_id, reason, actor=actor, ports=ports)
    except Tampered:
        return Done(what="tampered", order_id=order.order_id)
    except CannotStop as refused:
        return Done(what="refused", because=str(refused), order_id=order.order_id)
    except NotNow:
        return Done(what="too_late", order_id=order.order_id)
    return Done(what="accepted", order_id=order.order_id)


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


async def order_of_task(task_id: str, *, ports: TrailPorts) -> Order:
    """Return the order of a task.

    :raises UnknownOrder: no such task.
    """
    queue_id = await ports.store.queue_of(task_id)
    order = None if queue_id is None else await ports.store.load(queue_id)
    if order is None:
        raise UnknownOrder(task_id)
    return order
