"""Turns (a picture of an order, an event, the time) into a step, or says why not."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

from fsm.engine.flow import Rules
from fsm.engine.graph import Followed, begun, finished, follow, spared
from fsm.engine.lifecycle import Lifecycle
from fsm.engine.moves import change_of, moved, moved_at, newest
from fsm.engine.outcome import Ending
from fsm.engine.records import replace
from fsm.engine.rows import Queue, Task
from fsm.engine.steps import (
    Announcement,
    Case,
    Change,
    Decision,
    Event,
    Known,
    QueueChange,
    Step,
    Wait,
)
from fsm.engine.table import Facts, Otherwise
from fsm.engine.words import (
    NOT_NEEDED,
    RUNNING,
    EngineTrigger,
    EngineWait,
    OrderState,
)

STEP_ENDED: Final = "step.ended"
ORDER_LOADED: Final = "order.loaded"
ORDER_NOT_LOADED: Final = "order.not_loaded"
LOAD_POSTPONED: Final = "order.load_postponed"
TermsOf: TypeAlias = Callable[[Task], Any]
"""task -> what holds for its other side, as its lifecycle's guards ask for it."""


class OrderMove(NamedTuple):
    """What moves an order's own row beside its tasks: the row before, what, and who."""

    before: Queue
    trigger: str
    actor: str
    detail: Mapping[str, object]


def decide(
    queue: Queue,
    task_id: str,
    event: Event,
    *,
    rules: Rules,
    terms_of: TermsOf,
    now: datetime,
) -> Decision:
    """Say what ``event`` means for one task of ``queue`` at ``now``."""
    task = queue.task(task_id)
    lifecycle = rules.of(task)
    hearing = lifecycle.hearing
    terms = terms_of(task)
    if event.version not in {None, task.version}:
        return Known()
    if hearing.is_early(task, event):
        return Wait()
    if event.trigger is EngineTrigger.CANCEL_REQUESTED and task.cancel_requested:
        return Known()
    event = hearing.understood(task, event)
    row = None
    if not event.disputed and not _is_overtaken(task, event):
        facts = Facts(task, terms, now, event.asked_at, event.lacking)
        row = lifecycle.advance(facts, event.trigger)
    if row is None:
        return _at_rest(queue, task, event, rules, now)
    after = moved(lifecycle, task, row, event, terms, now)
    cases = hearing.cases(task, row, event)
    step = step_of(queue, [change_of(task, after, event)], cases, rules, now)
    case_moves = hearing.case_moves(task, row, event)
    return replace(step, case_moves=case_moves) if case_moves else step


def cancel_order(
    queue: Queue, event: Event, *, rules: Rules, terms_of: TermsOf, now: datetime
) -> Decision:
    """Give up a whole order: every task that is not final is asked to stop."""
    if queue.state is not OrderState.ACTIVE or queue.cancel_requested:
        return Known()
    changes = []
    for task in queue.tasks:
        lifecycle, terms = rules.of(task), terms_of(task)
        row = lifecycle.advance(Facts(task, terms, now), event.trigger)
        if row is not None and not task.cancel_requested:
            after = moved(lifecycle, task, row, event, terms, now)
            changes.append(change_of(task, after, event))
    wished = replace(queue, cancel_requested=True)
    asked = OrderMove(queue, event.trigger.value, event.actor, event.detail)
    return step_of(wished, changes, (), rules, now, asked=asked)


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
    queue: Queue, code: str, message: str | None, *, rules: Rules, now: datetime
) -> Step | Known:
    """End an order whose steps will never have what they need; the first says why."""
    if queue.waiting_for is not EngineWait.LOAD:
        return Known()
    after = replace(queue, waiting_for=None, wake_at=None, tries=0)
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


def notified(queue: Queue) -> Step | Known:
    """Core knows the outcome: nothing is due for this order any more."""
    if queue.waiting_for is not EngineWait.NOTIFICATION:
        return Known()
    after = replace(
        queue, version=queue.version + 1, waiting_for=None, wake_at=None, tries=0
    )
    change = QueueChange(
        before=queue, after=after, trigger="core.notified", actor="core", detail={}
    )
    return Step(changes=(), queue=change, announcements=(), cases=(), after=after)


def _is_overtaken(task: Task, event: Event) -> bool:
    """True for news that the other side made before some that was heard already."""
    known = task.webhook_sequence
    return None not in {known, event.sequence} and newest(task, event) != event.sequence


def _at_rest(
    queue: Queue, task: Task, event: Event, rules: Rules, now: datetime
) -> Decision:
    """Say what an event means that no row of the table fires for."""
    lifecycle = rules.of(task)
    hearing = lifecycle.hearing
    answer = _otherwise(lifecycle, task, event)
    if answer is Otherwise.WAIT:
        return Wait()
    if answer is Otherwise.KNOWN:
        disagreement = hearing.disagrees(task, event)
        if disagreement is None:
            return Known()
        event = disagreement
    kind = hearing.contradiction(task, event)
    after = replace(
        task,
        version=task.version + 1,
        updated_at=moved_at(task, now),
        webhook_sequence=newest(task, event),
    )
    case = hearing.case(kind, task, event)
    return step_of(queue, [change_of(task, after, event)], (case,), rules, now)


def _otherwise(lifecycle: Lifecycle[Any], task: Task, event: Event) -> Otherwise:
    answer = lifecycle.otherwise[event.trigger, task.state]
    if answer is not Otherwise.BY_PROOF:
        return answer
    agrees = lifecycle.hearing.agrees(task, event)
    return Otherwise.KNOWN if agrees else Otherwise.CONTRADICTION


def step_of(
    queue: Queue,
    changes: list[Change],
    cases: tuple[Case, ...],
    rules: Rules,
    now: datetime,
    *,
    asked: OrderMove | None = None,
) -> Step:
    """Let the order follow the changes of its tasks; ``asked`` moves its own row."""
    first = (*changes,)
    after = queue.with_tasks({c.after.task_id: c.after for c in first})
    followed = follow(after, first, rules, now)
    every = followed.changes
    if every is not first:
        after = after.with_tasks({c.after.task_id: c.after for c in every})
    outcome = _outcome(followed, after, rules)
    change = None
    if followed.state is not None or followed.joins or asked:
        state = followed.state if outcome is None else outcome.state
        change = _order_change(queue, after, state, asked, now)
        after = change.after
    told = _announced(every, rules)
    return Step(
        changes=every,
        queue=change,
        announcements=(*told, outcome.announcement) if outcome else (*told,),
        cases=cases,
        after=after,
    )


def _order_change(
    queue: Queue,
    after: Queue,
    state: OrderState | None,
    asked: OrderMove | None,
    now: datetime,
) -> QueueChange:
    """Return how the order's own row moves: on, to its end, or since somebody asked."""
    trigger = STEP_ENDED if state is None else f"order.{state.lower()}"
    asked = asked or OrderMove(queue, trigger, "system", {})
    before = asked.before
    after = replace(after, version=before.version + 1)
    if state is not None:
        after = replace(after, state=state)
    if after.final and not before.final:
        after = replace(after, waiting_for=EngineWait.NOTIFICATION, wake_at=now)
    return QueueChange(
        before=before,
        after=after,
        trigger=asked.trigger,
        actor=asked.actor,
        detail=dict(asked.detail),
    )


def _announced(changes: tuple[Change, ...], rules: Rules) -> list[Announcement]:
    told = []
    for change in changes:
        kind = rules.of(change.after).announced(change)
        if kind is not None:
            message = change.detail.get("message")
            told.append(
                Announcement(
                    type=kind,
                    task=change.after,
                    code=change.after.code,
                    message=message if isinstance(message, str) else None,
                )
            )
    return told


def _outcome(followed: Followed, after: Queue, rules: Rules) -> Ending | None:
    """Return how the order ends, as its flow has it; None where this is not the end."""
    state = followed.state
    if state is None or state in RUNNING:
        return None
    last = next((c.after for c in followed.changes if finished(c)), None)
    return rules.flow_of(after).outcome(after, state, last)
