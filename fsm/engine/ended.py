"""The invariants of an order's outcome: its steps ended as it says, and core was told.

Nothing here reads anything.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from fsm.engine.flow import Flow, Rules
from fsm.engine.judged import (
    FINAL_STATES,
    RUNNING_STATES,
    Offence,
    SeenOrder,
    SeenTask,
    Steps,
    Stories,
    Story,
)
from fsm.engine.lifecycle import Lifecycle
from fsm.engine.outcome import NEVER, ended_last
from fsm.engine.rows import Queue, Task
from fsm.engine.table import Facts
from fsm.engine.words import (
    EngineTrigger,
    EngineWait,
    Invariant,
    Kind,
    OrderState,
    State,
    Verdict,
)

NOTIFIED: Final = "core.notified"
_OF_ORDER: Final = frozenset(field.name for field in fields(Queue)) - {"tasks"}
_OF_TASK: Final = frozenset(field.name for field in fields(Task))


def ended_otherwise(
    order: SeenOrder, steps: Steps, stories: Stories, flow: Flow, rules: Rules
) -> Iterator[Offence]:
    """Say where an order and its steps have not ended alike; all their words are known.

    :raises ValueError: a word of a row is none.
    """

    def wrong(what: str, invariant: Invariant = Invariant.OUTCOME) -> Offence:
        return Offence(invariant, order.queue_id, None, what)

    won = [[t for t in tasks if t.state == State.SUCCEEDED] for tasks in steps]
    for winners in won:
        if len(winners) > 1:
            names = ", ".join(task.task_id for task in winners)
            what = f"{len(winners)} tasks succeeded: {names}"
            yield wrong(what, Invariant.ONE_SUCCESS)
    story = stories.get(order.queue_id)
    if order.state not in {*_ends(order, steps, won, story, flow, rules)}:
        succeeded = sum(map(len, won))
        yield wrong(f"it is {order.state}, and {succeeded} of its tasks succeeded")
    if order.state in RUNNING_STATES:
        return
    for task in (task for tasks in steps for task in tasks):
        if task.state not in FINAL_STATES:
            yield wrong(f"it is {order.state}, and task {task.task_id} is {task.state}")


def untold(order: SeenOrder, story: Story | None) -> Iterator[Offence]:
    """Say that nobody has told core of an order's end, and nobody is about to."""
    if order.state in RUNNING_STATES or order.wake_at is not None:
        return
    if story is None or all(line.trigger != NOTIFIED for line in story.lines):
        what = f"it is {order.state} and core was never told"
        yield Offence(Invariant.NOBODY_FORGOTTEN, order.queue_id, None, what)


def _ends(
    order: SeenOrder,
    steps: Steps,
    won: Steps,
    story: Story | None,
    flow: Flow,
    rules: Rules,
) -> Iterator[str]:
    """Return the states in which an order may be whose steps stand like that."""
    every = all(len(winners) == 1 for winners in won)
    if order.state in RUNNING_STATES:
        yield from () if every else RUNNING_STATES
        return
    tasks = tuple(
        _task_from(task, rules.lifecycle(task.lifecycle))
        for its in steps
        for task in its
    )
    queue = _queue_from(order, tasks)
    ruled = [OrderState.COMPLETED] if every else []
    if _may_be_lost(queue, won, flow, every=every) and not any(
        _to_be_undone(task, flow, rules, _since(order, story)) for task in tasks
    ):
        ruled += [OrderState.FAILED, OrderState.CANCELLED]
    last = ended_last(queue)
    for state in ruled:
        yield flow.outcome(queue, state, last).state


def _may_be_lost(queue: Queue, won: Steps, flow: Flow, *, every: bool) -> bool:
    """Tell whether a step is lost, or the order given up before its return was gone."""
    passed = any(
        spec.point_of_no_return and winners
        for spec, winners in zip(flow.steps, won, strict=True)
    )
    given_up = len(flow.steps) > 1 and queue.cancel_requested
    return not passed and (given_up or not every)


def _to_be_undone(task: Task, flow: Flow, rules: Rules, at: datetime) -> bool:
    """Tell whether what was won had to be undone: its own table may let nobody."""
    if not flow.steps[task.step].undo or task.state is not State.SUCCEEDED:
        return False
    facts = Facts(task, None, at)
    return rules.of(task).advance(facts, EngineTrigger.UNDO_DUE) is not None


def _since(order: SeenOrder, story: Story | None) -> datetime:
    """Return when an order came to the state that it is in."""
    lines: Sequence[Any] = story.lines if story else ()
    return next((x.at for x in lines if x.target == order.state), NEVER)


def _task_from(row: SeenTask, lifecycle: Lifecycle[Any]) -> Task:
    """Return a row as guards and outcomes look at it."""
    said = _columns(row, _OF_TASK) | {
        "state": State(row.state),
        "waiting_for": lifecycle.waiting(row.waiting_for),
        "verdict": Verdict(row.verdict) if row.verdict else None,
    }
    return Task(**{"queue_id": "", **said})


def _queue_from(row: SeenOrder, tasks: tuple[Task, ...]) -> Queue:
    said = _columns(row, _OF_ORDER) | {
        "kind": Kind(row.kind),
        "state": OrderState(row.state),
        "waiting_for": EngineWait(row.waiting_for) if row.waiting_for else None,
    }
    return Queue(**said, tasks=tasks)


def _columns(row: object, names: frozenset[str]) -> dict[str, Any]:
    """Return what a row says; what it does not say is as a new row has it."""
    said = {name: getattr(row, name, None) for name in names}
    return {name: value for name, value in said.items() if value is not None}
