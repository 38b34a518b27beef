"""Loads what an order's steps need: fetched once, kept with the order in one write."""

from datetime import datetime

from fsm.domain.binding import LOADED, hash_of_loaded
from fsm.domain.canonical import written
from fsm.domain.orders import Order
from fsm.engine.loading import (
    load_postponed,
    loaded,
    not_loaded,
)
from fsm.engine.rows import Queue
from fsm.engine.steps import Known, Step
from handlers.commit import Applied, Ports, commit
from handlers.flow import LoadLater, NotLoaded
from handlers.sound import NOT_AS_REQUESTED, halted
from handlers.work import Wakeups


async def load(order: Order, *, ports: Ports, wakeups: Wakeups) -> Applied:
    """Fetch what the order's steps need, and let the first of them begin.

    Of two that fetch at once one is kept; the other finds that it was done. Where
    somebody was away the row says until when it is left alone.

    :raises Fault: nobody could be asked: nothing is kept.
    :raises Tampered: the order is not what was requested.
    """
    if not order.sound:
        raise await halted(order, order.queue.tasks[0], NOT_AS_REQUESTED, ports)
    found = await ports.flow_of(order).load(order, ports=ports)
    rules = ports.rules

    tries = order.queue.tries

    def judge(queue: Queue, now: datetime) -> Step | Known:
        if isinstance(found, LoadLater):
            at = now + found.after
            return load_postponed(
                queue, tries, found.because, wake_at=at, counts=found.counts
            )
        if isinstance(found, NotLoaded):
            said = (found.code, found.message, found.customer)
            return not_loaded(queue, *said, rules=rules, now=now)
        content = written(found.content)
        key_id = order.signature.key_id
        detail = {LOADED: hash_of_loaded(queue.queue_id, content, key_id, ports.keys)}
        return loaded(queue, content, detail, rules=rules, now=now)

    return await commit(order, judge, ports=ports, wakeups=wakeups)
