"""Accepts a request: an order, its tasks and the first wake-up, in one transaction."""

from collections.abc import Mapping
from datetime import datetime

from fsm.domain.audit import GENESIS, AuditLine, signed_line
from fsm.domain.audit_keys import AuditKeys
from fsm.domain.binding import REQUEST, request_of, sign
from fsm.domain.events import order_event
from fsm.domain.ids import new_id
from fsm.domain.masking import masked_text
from fsm.domain.messages import trace_id_of
from fsm.domain.orders import Order, Request, Submission
from fsm.domain.seals import sealed_queue, sealed_task
from fsm.engine.flow import Flow
from fsm.engine.records import replace
from fsm.engine.rows import Queue, Task
from fsm.engine.steps import Announced, Announcement
from fsm.engine.words import EngineWait
from handlers.commit import Ports
from handlers.flow import FlowHandlers
from handlers.ports.store import NewOrder
from handlers.work import Wakeups, all_wakeups, traced

REQUESTED = "order.requested"


async def submit(
    request: Request, *, ports: Ports, actor: str, trace_parent: str | None
) -> Submission:
    """Store the order unless it is known; after it returns the order is not lost.

    A repeat with the same content is ``duplicate``, with another one ``conflict``. So
    is, as ``duplicate``, one whose exclusive key an order that runs has already; as
    ``conflict`` where that one is of another kind.

    :raises InvalidRequest: it does not say what makes its exclusive key.
    """
    new = open_order(
        request,
        ports=ports,
        actor=actor,
        trace_parent=trace_parent,
        wakeups=all_wakeups(ports.rules),
    )
    return await ports.store.submit(new)


def open_order(
    request: Request,
    *,
    ports: Ports,
    actor: str,
    trace_parent: str | None,
    wakeups: Wakeups,
) -> NewOrder:
    """Return the order that a request asks for, ready to be stored."""
    now = ports.clock.now()
    order, lines = _opened(
        request,
        now,
        flow=ports.newest_of(request.kind),
        actor=actor,
        trace_parent=trace_parent,
        keys=ports.keys,
    )
    accepted = order_event(order, Announcement(type=Announced.ACCEPTED), now)
    woken = (traced(wakeup, trace_parent) for wakeup in wakeups(order, now))
    return NewOrder(
        request=request, order=order, lines=tuple(lines), messages=(accepted, *woken)
    )


def _opened(
    request: Request,
    now: datetime,
    *,
    flow: FlowHandlers[Ports],
    actor: str,
    trace_parent: str | None,
    keys: AuditKeys,
) -> tuple[Order, list[AuditLine]]:
    queue_id = new_id(now)
    tasks = flow.open(request, queue_id, now)
    order = Order(
        queue=_queue_of(request, flow.flow, tasks, queue_id, now),
        order_id=request.order_id,
        merchant_id=request.merchant_id,
        customer_id=request.customer_id,
        money=request.money,
        destination=request.destination,
        metadata=request.metadata,
        details=request.details,
        content_hash=request.content_hash(keys.signer, keys),
        created_at=now,
        trace_parent=trace_parent,
    )
    bound = order.bound
    signature = sign(bound, keys)
    said = request_of(bound, signature, keys)

    def line(task: Task | None, detail: Mapping[str, object]) -> AuditLine:
        return signed_line(
            GENESIS,
            keys,
            entity_id=queue_id if task is None else task.task_id,
            queue_id=queue_id,
            version=1,
            source=None,
            target=order.queue.state if task is None else task.state,
            trigger=REQUESTED,
            actor=actor,
            at=now,
            # Said once: all that follows is of the same trace.
            trace_id=trace_id_of(trace_parent) if task is None else None,
            detail=detail,
        )

    why = {} if request.reason is None else {"reason": masked_text(request.reason)}
    asked = {REQUEST: said, **why}
    lines = [line(None, asked), *(line(t, _named(t)) for t in tasks)]
    sealed = tuple(
        sealed_task(task, its.hash, signature.key_id, keys)
        for task, its in zip(tasks, lines[1:], strict=True)
    )
    queue = sealed_queue(order.queue, lines[0].hash, signature.key_id, keys)
    queue = replace(queue, tasks=sealed)
    return replace(order, queue=queue, signature=signature, sound=True), lines


def _queue_of(
    request: Request, flow: Flow, tasks: tuple[Task, ...], queue_id: str, now: datetime
) -> Queue:
    """Return the order's own row; what its steps need is due where the flow loads."""
    return Queue(
        queue_id=queue_id,
        kind=request.kind,
        flow_version=flow.version,
        exclusive_key=request.exclusive_key(flow.exclusive),
        waiting_for=EngineWait.LOAD if flow.loads else None,
        wake_at=now if flow.loads else None,
        tasks=tasks,
    )


def _named(task: Task) -> dict[str, object]:
    """Return what a task is an attempt at, for its first audit line."""
    if task.provider:
        return {"provider": task.provider}
    return {"name": task.name}
