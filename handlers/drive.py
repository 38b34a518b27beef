"""Drives an order from wherever its rows stand until it has to wait."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from fsm.domain.errors import Fault, Tampered
from fsm.domain.events import outcome_of
from fsm.domain.letters import Reason
from fsm.domain.orders import Order
from fsm.engine.decide import notified
from fsm.engine.records import replace
from fsm.engine.rows import Queue, Task
from fsm.engine.steps import Event, Step, Wait
from fsm.engine.words import Source
from fsm.payout.words import Trigger
from handlers.calls import (
    TAMPERED,
    InFlight,
    View,
    call_for,
    given_up,
    not_as_requested,
)
from handlers.engine import Bells, Engine, Settled, all_bells, commit, no_bells, settle
from handlers.news import apply_waiting
from handlers.ports.outcomes import Done, Outcome, Park, Retry
from handlers.sound import looked_over

STEPS_MAX: Final = 1000
EARLY_MAX: Final = timedelta(seconds=60)

# The step that commits the intent of a create is followed by the create in the same
# chain: whoever only found that intent would not know whether it had been sent.
UNBROKEN: Final = frozenset(
    {
        Trigger.FREEZE_CONFIRMED,
        Trigger.RETRY_DUE,
        Trigger.TAKEN_OVER,
        Trigger.REPEAT_DUE,
    }
)
WEIGHED: Final = Event(trigger=Trigger.WEIGHED, source=Source.TIMER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doorbell:
    """A message about a row: a task's, or (without ``task_id``) the order's own.

    ``again`` says that it was delivered before, to a worker that did not finish.
    """

    queue_id: str
    task_id: str | None
    version: int
    again: bool = False


async def ring(bell: Doorbell, *, engine: Engine) -> Outcome:
    """Answer a doorbell: go on with the order if its row still is what it rang for.

    A bell for an older version is stale. One that is delivered again may be what is
    left of a worker that died further on: it goes on with whatever is due.
    """
    taken_at = engine.clock.elapsed()
    order = await engine.store.load(bell.queue_id)
    row = None if order is None else _row(order, bell)
    if order is None or row is None:
        return Park(
            because=f"no order queue {bell.queue_id} with this task",
            reason=Reason.UNKNOWN_TASK,
        )
    now = engine.clock.now()
    if row.version != bell.version and not bell.again and not _acted_on(row, now):
        return Done(what="stale", order_id=order.order_id)
    if row.version == bell.version and row.wake_at is not None and row.wake_at > now:
        return _early(row.wake_at - now)
    if next_due(order, engine) is None:
        return Done(what="stale", order_id=order.order_id)
    if row.version == bell.version and row.wake_at is not None:
        engine.watch.woke((now - row.wake_at).total_seconds())
    return await drive(order, engine=engine, view=View(taken_at=taken_at))


def _row(order: Order, bell: Doorbell) -> Task | Queue | None:
    if bell.task_id is None:
        return order.queue
    return next((t for t in order.queue.tasks if t.task_id == bell.task_id), None)


def _acted_on(row: Task | Queue, now: datetime) -> bool:
    """Tell whether a bell for an older version may be all that rings for the row.

    What people do about an order is a version of its own row, and leaves due what was.
    """
    return isinstance(row, Queue) and row.due(now)


def _early(wait: timedelta) -> Outcome:
    """Come back in time; what is far away the sweeper rings for."""
    if wait > EARLY_MAX:
        return Done(what="early")
    return Retry(because="the timer rang early", delay=wait, in_vain=False)


def next_due(order: Order, engine: Engine) -> Task | Queue | None:
    """Return the row whose call is due now, by position; None where the order waits."""
    now = engine.clock.now()
    for task in order.queue.tasks:
        if task.due(now):
            return task
    return order.queue if order.queue.due(now) else None


async def drive(order: Order, *, engine: Engine, view: View) -> Outcome:
    """Make call after call until nothing is due, each step committed by itself.

    What is left after ``limits.chain`` is handed on to a message in the outbox. What
    another hand has changed is left alone: the sweeper comes back to it.
    """
    try:
        outcome = await _drive(order, engine, view)
    except Tampered:
        outcome = Done(what=TAMPERED)
    finally:
        view.admissions.give_all_back()
    return replace(outcome, order_id=order.order_id)


async def _drive(order: Order, engine: Engine, view: View) -> Done | Retry:
    began = engine.clock.elapsed()
    try:
        order = await looked_over(order, engine)
    except Fault as fault:
        return Retry(because=str(fault))
    for _ in range(STEPS_MAX):
        row = next_due(order, engine)
        if row is None:
            return Done()
        spent = engine.clock.elapsed() - began
        hand_on = spent > engine.limits.chain.total_seconds()
        try:
            settled = await _step(order, row, engine, view, hand_on=hand_on)
        except InFlight as claimed:
            return Retry(because=str(claimed), delay=claimed.left, in_vain=False)
        except Fault as fault:
            return Retry(because=str(fault))
        if not isinstance(settled.decision, Step):
            # Somebody else moved the row: they go on with it.
            return Done(what="overtaken")
        order, view = settled.order, _view(settled, view)
        order = await apply_waiting(order, settled.news_waiting, engine=engine)
        if order is not settled.order:
            view = replace(view, entered=frozenset())
        if order is settled.order and settled.rung:
            return Done(what="handed_on")
    return Retry(because=f"more than {STEPS_MAX} steps at once")


def _view(settled: Settled, before: View) -> View:
    entered: frozenset[tuple[str, int]] = frozenset()
    if settled.claimed and isinstance(settled.decision, Step):
        changes = settled.decision.changes
        entered = frozenset((c.after.task_id, c.after.version) for c in changes)
    return replace(before, taken_at=settled.taken_at, entered=entered)


async def _step(
    order: Order, row: Task | Queue, engine: Engine, view: View, *, hand_on: bool
) -> Settled:
    if isinstance(row, Queue):
        return await _notify(order, engine)
    if order.sound:
        event = await call_for(order, row, engine=engine, view=view)
    else:
        event = await given_up(order, row, engine)
    bells = _bells(event, hand_on=hand_on)
    settled = await settle(order, row.task_id, event, engine=engine, bells=bells)
    if not isinstance(settled.decision, Wait):
        return settled
    # Another worker took the call for lost and weighs that; an answer cannot wait in
    # the inbox as a webhook can, so the weighing ends here.
    weighed = await settle(settled.order, row.task_id, WEIGHED, engine=engine)
    return await settle(weighed.order, row.task_id, event, engine=engine, bells=bells)


def _bells(event: Event, *, hand_on: bool) -> Bells:
    return all_bells if hand_on and event.trigger not in UNBROKEN else no_bells


async def _notify(order: Order, engine: Engine) -> Settled:
    if not order.sound:
        raise await not_as_requested(order, order.queue.tasks[0], engine)
    at = order.finished_at or engine.clock.now()
    await engine.core.notify(outcome_of(order, at))
    return await commit(order, lambda queue, _: notified(queue), engine=engine)
