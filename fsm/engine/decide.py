"""Turns (a picture of an order, an event, the time) into a step, or says why not."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

from fsm.engine.customer import CustomerMessage, told_at_end
from fsm.engine.flow import Rules
from fsm.engine.graph import Followed, finished, follow
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
    RUNNING,
    EngineTrigger,
    EngineWait,
    OrderState,
)

STEP_ENDED: Final = "step.ended"
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
    said = event.customer if event.customer and after.final else None
    changes = [change_of(task, after, event)]
    step = step_of(queue, changes, cases, rules, now, said=said)
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


def step_of(  # noqa: PLR0913 - all that a step is made of
    queue: Queue,
    changes: list[Change],
    cases: tuple[Case, ...],
    rules: Rules,
    now: datetime,
    *,
    asked: OrderMove | None = None,
    said: CustomerMessage | None = None,
) -> Step:
    """Let the order follow the changes of its tasks; ``asked`` moves its own row.

    ``said`` is for the customer, where the order's own row moves; the first of several
    stands.
    """
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
        if said is not None and after.customer_message is None:
            after = replace(after, customer_message=said.written)
        if outcome is not None and (outcome.customer or after.customer_message):
            told = told_at_end(after.customer_message, outcome.customer)
            after = replace(after, customer_message=told)
        change = _order_change(queue, after, state, asked, now)
        after = change.after
    events = _announced(every, rules)
    return Step(
        changes=every,
        queue=change,
        announcements=(*events, outcome.announcement) if outcome else (*events,),
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
