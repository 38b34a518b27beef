"""The invariants of every flow: legal moves, turns, outcomes, and nobody forgotten.

What else must hold for a kind of task its lifecycle brings: ``Lifecycle.invariants``.
Nothing here reads anything.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from fsm.engine.ended import ended_otherwise, untold
from fsm.engine.flow import Flow, Rules
from fsm.engine.judged import (
    FINAL_STATES,
    RUNNING_STATES,
    Offence,
    SeenLine,
    SeenOrder,
    SeenTask,
    Steps,
    Stories,
    Story,
)
from fsm.engine.lifecycle import Lifecycle
from fsm.engine.words import (
    LIVE,
    EngineTrigger,
    EngineWait,
    Invariant,
    Kind,
    OrderState,
    State,
    Verdict,
)

REQUESTED: Final = "order.requested"
_LIVE: Final = frozenset(state.value for state in LIVE)
_ORDER_STATES: Final = frozenset(state.value for state in OrderState)
_ORDER_WAITS: Final = (None, EngineWait.LOAD, EngineWait.NOTIFICATION)
_STATES: Final = frozenset(state.value for state in State)
_VERDICTS: Final = (None, *Verdict)


def offences(
    order: SeenOrder, tasks: Sequence[SeenTask], stories: Stories, rules: Rules
) -> Iterator[Offence]:
    """Judge one order by what holds for all, and by what its lifecycles bring.

    What follows a flow or a lifecycle that nobody here knows offends by that alone.
    """
    flow = flow_of(order, rules)
    strange = [*_unknown(order, tasks, flow, rules)]
    yield from strange
    if flow is None or strange:
        return
    steps = _by_step(tasks, flow)
    for task in tasks:
        lifecycle = rules.lifecycle(task.lifecycle)
        yield from _illegal(task, stories.get(task.task_id), lifecycle)
    yield from untold(order, stories.get(order.queue_id))
    yield from _stands(order, steps, stories, flow, rules)


def standing(
    order: SeenOrder, tasks: Sequence[SeenTask], rules: Rules
) -> Iterator[Offence]:
    """Judge where an order stands by its rows alone, at any moment of its life."""
    flow = flow_of(order, rules)
    strange = [*_unknown(order, tasks, flow, rules)]
    yield from strange
    if flow is not None and not strange:
        yield from _stands(order, _by_step(tasks, flow), {}, flow, rules)


def _stands(
    order: SeenOrder, steps: Steps, stories: Stories, flow: Flow, rules: Rules
) -> Iterator[Offence]:
    yield from ended_otherwise(order, steps, stories, flow, rules)
    yield from _turns(order, steps, flow)
    if order.waiting_for == EngineWait.LOAD and order.wake_at is None:
        what = "it waits for what its steps need and nothing wakes it"
        yield Offence(Invariant.NOBODY_FORGOTTEN, order.queue_id, None, what)
    for spec, tasks in zip(flow.steps, steps, strict=True):
        for task in tasks:
            yield from _forgotten(order, task, rules.lifecycle(task.lifecycle))
        for name in spec.lifecycles:
            its = [task for task in tasks if task.lifecycle == name]
            for check in rules.lifecycle(name).invariants:
                yield from check(order, its, stories)


def _unknown(
    order: SeenOrder, tasks: Sequence[SeenTask], flow: Flow | None, rules: Rules
) -> Iterator[Offence]:
    """Find what says that it goes by something that nobody here can judge it by."""
    if flow is None:
        what = f"no flow {order.kind!r} of version {order.flow_version} is known here"
        yield Offence(Invariant.LEGALITY, order.queue_id, None, what)
        return
    if order.state not in _ORDER_STATES or order.waiting_for not in _ORDER_WAITS:
        what = f"no order is {order.state} and waits for {order.waiting_for}"
        yield Offence(Invariant.LEGALITY, order.queue_id, None, what)
    for task in tasks:
        if not _goes_by(flow, task):
            what = f"no step {task.step} of its flow goes by {task.lifecycle!r}"
            yield Offence(Invariant.LEGALITY, order.queue_id, task.task_id, what)
        elif not _speaks(task, rules.lifecycle(task.lifecycle)):
            what = f"no {task.lifecycle} is {task.state}, waits for "
            what += f"{task.waiting_for} and has the verdict {task.verdict}"
            yield Offence(Invariant.LEGALITY, order.queue_id, task.task_id, what)


def _by_step(tasks: Sequence[SeenTask], flow: Flow) -> Steps:
    return [[t for t in tasks if t.step == n] for n in range(len(flow.steps))]


def flow_of(order: SeenOrder, rules: Rules) -> Flow | None:
    """Return the flow that an order's row says it follows; None for one unknown."""
    if order.kind not in set(Kind):
        return None
    return rules.flows.get((Kind(order.kind), order.flow_version))


def _goes_by(flow: Flow, task: SeenTask) -> bool:
    known = 0 <= task.step < len(flow.steps)
    return known and task.lifecycle in flow.steps[task.step].lifecycles


def _speaks(task: SeenTask, lifecycle: Lifecycle[Any]) -> bool:
    """Tell whether all words of a row are some that its lifecycle knows."""
    waits = task.waiting_for is None or task.waiting_for in lifecycle.words
    return waits and task.state in _STATES and task.verdict in _VERDICTS


def _illegal(
    task: SeenTask, story: Story | None, lifecycle: Lifecycle[Any]
) -> Iterator[Offence]:
    begins = _begins(lifecycle)
    for line in story.lines if story else ():
        move = (line.trigger, line.source, line.target)
        legal = move in lifecycle.moves or move in lifecycle.remarks
        if not legal and move not in begins:
            yield no_legal_move(line, task.task_id)


def _begins(lifecycle: Lifecycle[Any]) -> set[tuple[str, str | None, str]]:
    """Return how tasks are opened: before their turn, or as it leaves them."""
    turned = lifecycle.ways.get((EngineTrigger.TURN_CAME, State.PENDING), ())
    states = {State.PENDING, *(row.dest for row in turned)}
    return {(REQUESTED, None, state.value) for state in states}


def no_legal_move(line: SeenLine, task_id: str | None) -> Offence:
    """Name a line that tells of a move that there is not."""
    move = f"{line.source} → {line.target} by {line.trigger}"
    what = f"version {line.version}: {move} is no legal move"
    return Offence(Invariant.LEGALITY, line.queue_id, task_id, what)


def _forgotten(
    order: SeenOrder, task: SeenTask, lifecycle: Lifecycle[Any]
) -> Iterator[Offence]:
    """What is not final has a time, a person, its turn, or news to wait for."""
    waits = task.waiting_for
    if task.state in FINAL_STATES:
        called = (task.state, waits) in lifecycle.stands
        rests = task.wake_at is not None if called else not (waits or task.wake_at)
        what = f"it is {task.state} and waits for {waits}"
    elif waits is None:
        rests, what = False, f"it is {task.state} and waits for nothing"
    elif waits == EngineWait.DECISION:
        rests = task.state == State.MANUAL_CHECK
        what = f"it waits for a decision and is {task.state}"
    elif waits == EngineWait.TURN:
        rests = order.state == OrderState.ACTIVE
        what = f"it waits for its turn in an order that is {order.state}"
    else:
        timer = next((t for w, t in lifecycle.timers.items() if w == waits), None)
        rests = task.wake_at is not None or (timer is not None and timer.open_ended)
        what = f"it waits for {waits} and nothing wakes it"
    if not rests:
        yield Offence(Invariant.NOBODY_FORGOTTEN, order.queue_id, task.task_id, what)


def _turns(order: SeenOrder, steps: Steps, flow: Flow) -> Iterator[Offence]:
    """One task of a step has its turn; all before it are over."""

    def wrong(invariant: Invariant, what: str) -> Offence:
        return Offence(invariant, order.queue_id, None, what)

    positions = sorted(task.position for its in steps for task in its)
    if positions != list(range(len(positions))):
        places = ", ".join(map(str, positions))
        yield wrong(Invariant.POSITIONS, f"its tasks have the positions {places}")
    for its in steps:
        live = [task for task in its if task.state in _LIVE]
        if len(live) > 1:
            names = ", ".join(task.task_id for task in live)
            yield wrong(Invariant.ONE_TURN, f"{len(live)} tasks are at work: {names}")
    if order.state not in RUNNING_STATES:
        return
    at_work = [[t for t in its if _has_turn(t)] for its in steps]
    count = sum(map(len, at_work))
    loads = order.waiting_for == EngineWait.LOAD
    if (count == 0) is not loads or any(len(its) > 1 for its in at_work):
        due = "0: what they need is not there" if loads else "1"
        what = f"{count} of its tasks have their turn, not {due}"
        yield wrong(Invariant.ONE_TURN, what)
        return
    if order.state != OrderState.ACTIVE:
        return
    for what in (*_passed_over(steps, at_work), *_too_soon(steps, flow)):
        yield wrong(Invariant.ONE_TURN, what)


def _passed_over(steps: Steps, at_work: Steps) -> Iterator[str]:
    for tasks, its in zip(steps, at_work, strict=True):
        for task in tasks:
            earlier = bool(its) and task.position < its[0].position
            if earlier and task.state not in FINAL_STATES:
                yield f"task {task.task_id} was passed over while it is {task.state}"


def _too_soon(steps: Steps, flow: Flow) -> Iterator[str]:
    """Find what has begun before all that it comes after was won."""
    won = {
        spec.name
        for spec, tasks in zip(flow.steps, steps, strict=True)
        if any(t.state == State.SUCCEEDED for t in tasks)
    }
    for spec, tasks in zip(flow.steps, steps, strict=True):
        missing = [name for name in spec.after if name not in won]
        begun = [task.task_id for task in tasks if _has_turn(task)]
        if begun and missing:
            yield f"task {begun[0]} began before {', '.join(missing)} was won"


def _has_turn(task: SeenTask) -> bool:
    return task.state not in FINAL_STATES and not waits_for_turn(task)


def waits_for_turn(task: SeenTask) -> bool:
    """Tell whether nothing of it may have begun."""
    return task.state == State.PENDING and task.waiting_for == EngineWait.TURN


def overdue(
    order: SeenOrder, tasks: Sequence[SeenTask], *, now: datetime, allowed: timedelta
) -> Iterator[Offence]:
    """Warn of what should have gone on and has not."""
    limit = now - allowed
    if order.wake_at is not None and order.wake_at < limit:
        yield _late(order, None, order.waiting_for, now - order.wake_at)
    for task in tasks:
        if task.wake_at is not None and task.wake_at < limit:
            yield _late(order, task, task.waiting_for, now - task.wake_at)


def _late(
    order: SeenOrder, task: SeenTask | None, waiting: str | None, by: timedelta
) -> Offence:
    what = f"overdue by {int(by.total_seconds())} s, waiting for {waiting}"
    task_id = task.task_id if task else None
    return Offence(Invariant.OVERDUE, order.queue_id, task_id, what, warning=True)
