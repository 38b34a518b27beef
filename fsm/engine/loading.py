"""Loading: what becomes of an order whose steps need something before the first."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from fsm.engine.customer import CustomerMessage
from fsm.engine.decide import OrderMove, step_of
from fsm.engine.flow import Rules
from fsm.engine.graph import begun, spared
from fsm.engine.records import replace
from fsm.engine.rows import Queue
from fsm.engine.steps import Known, QueueChange, Step
from fsm.engine.words import NOT_NEEDED, EngineWait

ORDER_LOADED: Final = "order.loaded"
ORDER_NOT_LOADED: Final = "order.not_loaded"
LOAD_POSTPONED: Final = "order.load_postponed"


def loaded(
    queue: Queue,
    given: bytes,
    detail: Mapping[str, object],
    *,
    rules: Rules,
    now: datetime,
) -> Step | Known:
    """Keep what an order's steps need, all of it at once, and let the first begin."""
    if queue.waiting_for is not EngineWait.LOAD:
        return Known()
    after = replace(queue, loaded=given, waiting_for=None, wake_at=None, tries=0)
    starts = begun(after, rules, now)
    asked = OrderMove(queue, ORDER_LOADED, "system", detail)
    return step_of(after, starts, (), rules, now, asked=asked)


def not_loaded(
    queue: Queue,
    code: str,
    message: str | None,
    customer: CustomerMessage | None = None,
    *,
    rules: Rules,
    now: datetime,
) -> Step | Known:
    """End an order whose steps will never have what they need; the first says why."""
    if queue.waiting_for is not EngineWait.LOAD:
        return Known()
    told = None if customer is None else customer.written
    after = replace(
        queue, waiting_for=None, wake_at=None, tries=0, customer_message=told
    )
    waiting = [t for t in queue.tasks if t.waiting_for is EngineWait.TURN]
    changes = [
        spared(t, rules, now, NOT_NEEDED if n else code) for n, t in enumerate(waiting)
    ]
    said = {"code": code} if message is None else {"code": code, "message": message}
    asked = OrderMove(queue, ORDER_NOT_LOADED, "system", said)
    return step_of(after, changes, (), rules, now, asked=asked)


def load_postponed(
    queue: Queue, tries: int, because: str, *, wake_at: datetime, counts: bool
) -> Step | Known:
    """Leave alone until ``wake_at`` what somebody was away for, and count the try.

    ``tries`` is how many there were when it was asked: of two that were away for the
    same try one is counted. What ``counts`` not is nobody's failure.
    """
    if queue.waiting_for is not EngineWait.LOAD or queue.tries != tries:
        return Known()
    after = replace(
        queue, version=queue.version + 1, wake_at=wake_at, tries=tries + counts
    )
    change = QueueChange(
        before=queue,
        after=after,
        trigger=LOAD_POSTPONED,
        actor="system",
        detail={"message": because},
    )
    return Step(changes=(), queue=change, announcements=(), cases=(), after=after)
