"""The one rule of all flows: alternatives in order, steps after steps, undo in reverse.

A step is won by its first task that succeeds, and lost when all of them are over
without one. It starts once those it comes after are won, and has one task at work.
Where a step is lost, or an order of several is given up, nothing new starts: what is
under way comes to its end, and what was won and can be undone is undone, last first.
But past a point of no return that is won an order has won, whoever gives it up; and it
has not turned back as long as nobody knows whether that point is passed.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from fsm.engine.flow import Flow, Rules, StepSpec
from fsm.engine.moves import change_of, moved
from fsm.engine.records import replace
from fsm.engine.rows import Queue, Task
from fsm.engine.steps import Change, Event
from fsm.engine.table import Facts, Row
from fsm.engine.words import (
    NOT_NEEDED,
    EngineTrigger,
    EngineWait,
    OrderState,
    Source,
    State,
)

Steps = list[tuple[StepSpec, list[Task]]]
"""(a step of the flow, its tasks by position) for each, in the order they stand in."""


class Followed(NamedTuple):
    """All that an event moves, with what the rule moves after it.

    ``state`` is the order's new one, None where it stays. ``joins`` says that a task
    has ended in an order of several steps: its row has to move too. Two steps that end
    at once would else each be decided on a picture in which the other still runs, and
    nothing would start what waits for both.
    """

    changes: tuple[Change, ...]
    state: OrderState | None = None
    joins: bool = False


def follow(
    queue: Queue, changes: tuple[Change, ...], rules: Rules, now: datetime
) -> Followed:
    """Return what the rule makes of the changes of ``queue``, which has them already.

    Nothing follows but where a task has come to its end: most steps end none. Then the
    very same ``changes`` come back.
    """
    ends = any(finished(c) for c in changes)
    if queue.final or not (ends or queue.cancel_requested):
        return Followed(changes)
    flow = rules.flow_of(queue)
    steps = _by_step(queue, flow)
    several = len(steps) > 1
    if several and _turns_back(queue, steps) and not _has_passed(steps):
        return _turned_back(queue, steps, changes, rules, now, joins=ends)
    if not ends:
        return Followed(changes)
    follows, state = _gone_on(queue, steps, rules, now)
    return Followed((*changes, *follows), state, joins=several)


def finished(change: Change) -> bool:
    """Tell whether this is the change that ended its task."""
    return change.after.final and not change.before.final


def begins(change: Change) -> bool:
    """Tell whether the turn of its task has come by this change."""
    return change.before.waiting_for is EngineWait.TURN and not (
        change.after.final or change.after.waiting_for is EngineWait.TURN
    )


def begun(queue: Queue, rules: Rules, now: datetime) -> list[Change]:
    """Return the first changes of an order that had to wait before its first steps."""
    return _starts(_by_step(queue, rules.flow_of(queue)), set(), rules, now)


def spared(task: Task, rules: Rules, now: datetime, code: str = NOT_NEEDED) -> Change:
    """Return how a task that has had no turn is left out, and why."""
    event = Event(trigger=EngineTrigger.NOT_NEEDED, code=code)
    return ruled(task, event, rules, now)


def _by_step(queue: Queue, flow: Flow) -> Steps:
    if len(flow.steps) == 1:
        return [(flow.steps[0], [*queue.tasks])]
    steps: Steps = [(spec, []) for spec in flow.steps]
    for task in queue.tasks:
        steps[task.step][1].append(task)
    return steps


def _is_won(tasks: Sequence[Task]) -> bool:
    return any(t.state is State.SUCCEEDED for t in tasks)


def _is_lost(tasks: Sequence[Task]) -> bool:
    return all(t.final for t in tasks) and not _is_won(tasks)


def _turns_back(queue: Queue, steps: Steps) -> bool:
    given_up = queue.cancel_requested or queue.state is OrderState.REVERSING
    return given_up or any(_is_lost(tasks) for _, tasks in steps)


def _has_passed(steps: Steps) -> bool:
    """Tell whether the point of no return is won: it comes after all other steps."""
    return any(spec.point_of_no_return and _is_won(tasks) for spec, tasks in steps)


def _may_pass(steps: Steps) -> bool:
    """Tell whether the point of no return may be passed by what is at work."""
    return any(
        spec.point_of_no_return and any(_at_work(t) for t in tasks)
        for spec, tasks in steps
    )


def _gone_on(
    queue: Queue, steps: Steps, rules: Rules, now: datetime
) -> tuple[list[Change], OrderState | None]:
    """Spare the alternatives of what is won, and start what may start now."""
    won = {spec.name for spec, tasks in steps if _is_won(tasks)}
    follows = [
        spared(t, rules, now)
        for spec, tasks in steps
        if spec.name in won
        for t in tasks
        if _has_no_turn(t)
    ]
    if len(won) == len(steps):
        return follows, OrderState.COMPLETED
    if queue.waiting_for is EngineWait.LOAD and any(map(_has_no_turn, queue.tasks)):
        return follows, None
    starts = _starts(steps, won, rules, now)
    if starts or any(_at_work(t) for t in queue.tasks):
        return [*follows, *starts], None
    gone = OrderState.CANCELLED if queue.cancel_requested else OrderState.FAILED
    return follows, gone


def _starts(steps: Steps, won: set[str], rules: Rules, now: datetime) -> list[Change]:
    """Start the next alternative of each step that nothing keeps waiting."""
    return [
        ruled(task, Event(trigger=EngineTrigger.TURN_CAME), rules, now)
        for spec, tasks in steps
        if spec.name not in won and won.issuperset(spec.after)
        for task in _next_of(tasks)
    ]


def _turned_back(
    queue: Queue,
    steps: Steps,
    changes: Sequence[Change],
    rules: Rules,
    now: datetime,
    *,
    joins: bool,
) -> Followed:
    """Start nothing more, let what is under way end, and undo what was won."""
    left_out = [spared(t, rules, now) for t in queue.tasks if _has_no_turn(t)]
    first = queue.state is OrderState.ACTIVE
    told = [*_tell(queue, changes, rules, now)] if first else []
    every = [*changes, *left_out, *told]
    turned = OrderState.REVERSING if first and not _may_pass(steps) else None
    # What was told may have come to its end by that: nothing else would end the order.
    queue = queue.with_tasks({c.after.task_id: c.after for c in told})
    if any(_at_work(t) for t in queue.tasks):
        return Followed((*every,), turned, joins)
    undone = _last_won(steps, rules, now)
    if undone is not None:
        return Followed((*_with_undo(every, undone, rules, now),), turned, joins)
    gone = OrderState.CANCELLED if queue.cancel_requested else OrderState.FAILED
    return Followed((*every,), gone, joins)


def _tell(
    queue: Queue, changes: Sequence[Change], rules: Rules, now: datetime
) -> Iterator[Change]:
    """Tell what is at work that the order has turned back, where it listens to that."""
    moved_now = {c.after.task_id for c in changes}
    event = Event(trigger=EngineTrigger.TURNED_BACK, source=Source.TIMER)
    for task in queue.tasks:
        listens = _fires(task, EngineTrigger.TURNED_BACK, rules, now)
        if listens and _at_work(task) and task.task_id not in moved_now:
            yield ruled(task, event, rules, now)


def _last_won(steps: Steps, rules: Rules, now: datetime) -> Task | None:
    """Return what is to be undone next: of what stands, what was won last.

    Not what its own table lets nobody undo: a person has found that it stands.
    """
    for spec, tasks in reversed(steps):
        for task in tasks:
            won = spec.undo and task.state is State.SUCCEEDED
            if won and _fires(task, EngineTrigger.UNDO_DUE, rules, now):
                return task
    return None


def _with_undo(
    changes: Sequence[Change], task: Task, rules: Rules, now: datetime
) -> list[Change]:
    """Return the changes with the start of an undo; no task moves twice in a step.

    What has just succeeded, late, is undone by the very step that says so.
    """
    undo = ruled(task, Event(trigger=EngineTrigger.UNDO_DUE), rules, now)
    for n, change in enumerate(changes):
        if change.after.task_id == task.task_id:
            late = replace(undo.after, version=change.after.version)
            merged = replace(change, after=late)
            return [*changes[:n], merged, *changes[n + 1 :]]
    return [*changes, undo]


def _fires(
    task: Task, trigger: EngineTrigger, rules: Rules, now: datetime
) -> Row | None:
    return rules.of(task).advance(Facts(task, None, now), trigger)


def _next_of(tasks: Sequence[Task]) -> list[Task]:
    """Return the next alternative of a step, once no task of it is at work."""
    waiting = [t for t in tasks if _has_no_turn(t)]
    if not waiting or any(_at_work(t) for t in tasks):
        return []
    return [min(waiting, key=lambda t: t.position)]


def _has_no_turn(task: Task) -> bool:
    return task.waiting_for is EngineWait.TURN


def _at_work(task: Task) -> bool:
    return not task.final and not _has_no_turn(task)


def ruled(task: Task, event: Event, rules: Rules, now: datetime) -> Change:
    """Move a task as the rule says; its own side has no say in it.

    :raises LookupError: its table has no such move.
    """
    lifecycle = rules.of(task)
    row = lifecycle.advance(Facts(task, None, now), event.trigger)
    if row is None:
        raise LookupError(event.trigger, task.state)
    event = replace(event, source=Source.TIMER)
    return change_of(task, moved(lifecycle, task, row, event, None, now), event)
