"""The one rule of all flows: a step tries its alternatives, and steps follow steps.

A step is won by its first task that succeeds, and lost when all of them are over
without one. It starts once those it comes after are won, and has one task at work.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from fsm.engine.flow import Flow, Rules
from fsm.engine.moves import change_of, moved
from fsm.engine.records import replace
from fsm.engine.rows import Queue, Task
from fsm.engine.steps import Change, Event
from fsm.engine.table import Facts
from fsm.engine.words import EngineTrigger, EngineWait, OrderState, Source, State

NOT_NEEDED: Final = "not_needed"


def follow(
    queue: Queue, changes: Sequence[Change], rules: Rules, now: datetime
) -> tuple[list[Change], OrderState | None]:
    """Return what the rule moves after these changes, and the order's end if it is one.

    Nothing follows but where a task has come to its end: most steps end none.
    """
    if queue.final or not any(finished(c) for c in changes):
        return [], None
    flow = rules.flow_of(queue)
    tasks = _by_step(queue, flow)
    won = [any(t.state is State.SUCCEEDED for t in step) for step in tasks]
    lost = any(
        all(t.final for t in s) and not w for s, w in zip(tasks, won, strict=True)
    )
    spared = [t for s, w in zip(tasks, won, strict=True) if w or lost for t in s]
    follows = [_spare(t, rules, now) for t in spared if _has_no_turn(t)]
    if all(won):
        return follows, OrderState.COMPLETED
    starts = [] if lost else [_next_of(step) for step in _open(flow, tasks, won)]
    follows += [_start(task, rules, now) for task in starts if task is not None]
    if any(_at_work(t) for t in queue.tasks) or any(starts):
        return follows, None
    gone = OrderState.CANCELLED if queue.cancel_requested else OrderState.FAILED
    return follows, gone


def finished(change: Change) -> bool:
    """Tell whether this is the change that ended its task."""
    return change.after.final and not change.before.final


def _by_step(queue: Queue, flow: Flow) -> list[list[Task]]:
    if len(flow.steps) == 1:
        return [[*queue.tasks]]
    steps: list[list[Task]] = [[] for _ in flow.steps]
    for task in queue.tasks:
        steps[task.step].append(task)
    return steps


def _open(
    flow: Flow, tasks: Sequence[list[Task]], won: Sequence[bool]
) -> Iterable[list[Task]]:
    """Return the steps that may go on: what they come after is won."""
    done = {spec.name for spec, is_won in zip(flow.steps, won, strict=True) if is_won}
    for spec, step in zip(flow.steps, tasks, strict=True):
        if spec.name not in done and done.issuperset(spec.after):
            yield step


def _next_of(step: Sequence[Task]) -> Task | None:
    """Return the next alternative of a step, once no task of it is at work."""
    waiting = [t for t in step if _has_no_turn(t)]
    if not waiting or any(_at_work(t) for t in step):
        return None
    return min(waiting, key=lambda t: t.position)


def _has_no_turn(task: Task) -> bool:
    return task.waiting_for is EngineWait.TURN


def _at_work(task: Task) -> bool:
    return not task.final and not _has_no_turn(task)


def _start(task: Task, rules: Rules, now: datetime) -> Change:
    return ruled(task, Event(trigger=EngineTrigger.TURN_CAME), rules, now)


def _spare(task: Task, rules: Rules, now: datetime) -> Change:
    event = Event(trigger=EngineTrigger.NOT_NEEDED, code=NOT_NEEDED)
    return ruled(task, event, rules, now)


def ruled(task: Task, event: Event, rules: Rules, now: datetime) -> Change:
    """Move a task as the rule says; its own side has no say in it.

    :raises LookupError: its table has no such move: it is at work already.
    """
    lifecycle = rules.of(task)
    row = lifecycle.advance(Facts(task, None, now), event.trigger)
    if row is None:
        raise LookupError(event.trigger, task.state)
    event = replace(event, source=Source.TIMER)
    return change_of(task, moved(lifecycle, task, row, event, None, now), event)
