"""A flow of its own: three chores, one with two helpers to ask, one that is undone.

Who washes can be told to stop, and undoes it; who works is asked again, and in the end
a person is. ``Chores`` asks by a function from a task to what its helper says.
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from fsm.domain.ids import new_id
from fsm.engine.flow import Flow, StepSpec
from fsm.engine.lifecycle import Lifecycle
from fsm.engine.manual_check import BALLOTS, VOTE_ROWS, for_a_person
from fsm.engine.records import replace
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.engine.table import Otherwise, Row
from fsm.engine.words import EngineTrigger, EngineWait, Kind, State
from handlers.sound import NOT_AS_REQUESTED, halted

NOW: Final = datetime(2026, 1, 31, 12, tzinfo=UTC)
PAUSE: Final = timedelta(seconds=10)
ASKED_MAX: Final = 2
STANDS: Final = "stands"


class ChoreWait(StrEnum):
    """What a chore waits for: to be done, or undone."""

    DO = "do"
    UNDO = "undo"


class Chore(StrEnum):
    """What can happen to a chore: what its helper says."""

    DONE = "chore.done"
    REFUSED = "chore.refused"
    UNCLEAR = "chore.unclear"
    UNDONE = "chore.undone"
    KEPT = "chore.kept"


class Asks(StrEnum):
    """What the tables ask."""

    SELDOM = "it has not been asked often yet"
    LOOSE = "no person has said that it stands"


T, E, S, W = Chore, EngineTrigger, State, ChoreWait
BOTH: Final = (
    Row(E.TURN_CAME, S.PENDING, S.EXECUTING, W.DO),
    Row(E.NOT_NEEDED, S.PENDING, S.SKIPPED, None),
    Row(E.CANCEL_REQUESTED, S.PENDING, S.CANCELLED, None),
    Row(T.DONE, S.EXECUTING, S.SUCCEEDED, None),
    Row(T.REFUSED, S.EXECUTING, S.SKIPPED, None),
    Row(E.RESOLVED_POSITIVE, S.MANUAL_CHECK, S.SUCCEEDED, None),
    *VOTE_ROWS,
)
WORK: Final = (
    *BOTH,
    Row(T.UNCLEAR, S.EXECUTING, S.EXECUTING, W.DO, Asks.SELDOM),
    Row(T.UNCLEAR, S.EXECUTING, S.MANUAL_CHECK, EngineWait.DECISION),
    Row(T.DONE, S.MANUAL_CHECK, S.SUCCEEDED, None),
    Row(E.RESOLVED_NEGATIVE, S.MANUAL_CHECK, S.FAILED, None),
)
WASH: Final = (
    *BOTH,
    Row(T.UNCLEAR, S.EXECUTING, S.EXECUTING, W.DO),
    Row(E.TURNED_BACK, S.EXECUTING, S.REVERSING, W.UNDO),
    Row(E.UNDO_DUE, S.SUCCEEDED, S.REVERSING, W.UNDO, Asks.LOOSE),
    Row(T.UNDONE, S.REVERSING, S.REVERSED, None),
    Row(T.UNCLEAR, S.REVERSING, S.REVERSING, W.UNDO),
    Row(T.KEPT, S.REVERSING, S.MANUAL_CHECK, EngineWait.DECISION),
    Row(E.RESOLVED_NEGATIVE, S.MANUAL_CHECK, S.REVERSED, None),
)


def _due(after: Task, task: Task, event: Event, pause: Any, now: datetime) -> Task:
    tries = task.tries + 1 if event.trigger is T.UNCLEAR else 0
    later = now + (pause or PAUSE) * tries
    return replace(after, tries=tries, wake_at=later)


def _ended(after: Task, _task: Task, event: Event) -> Task:
    code = STANDS if event.trigger is E.RESOLVED_POSITIVE else event.code
    return replace(after, waiting_for=None, wake_at=None, tries=0, code=code)


def lifecycle_of(name: str, table: tuple[Row, ...]) -> Lifecycle[Any]:
    return Lifecycle(
        name=name,
        waits=ChoreWait,
        triggers=Chore,
        table=table,
        otherwise={(t, s): Otherwise.KNOWN for t in (*E, *T) for s in S},
        guards={
            **BALLOTS,
            Asks.SELDOM: lambda f: f.task.tries < ASKED_MAX,
            Asks.LOOSE: lambda f: f.task.code != STANDS,
        },
        due={**dict.fromkeys(W, _due), EngineWait.DECISION: for_a_person},
        ended=_ended,
    )


LIFECYCLES: Final = {n: lifecycle_of(n, t) for n, t in (("wash", WASH), ("work", WORK))}
CHORES: Final = Flow(
    kind=Kind.WITHDRAWAL,
    version=99,
    steps=(
        StepSpec(name="wash", lifecycle="wash", undo=True),
        StepSpec(name="shop", lifecycle="work"),
        StepSpec(name="cook", lifecycle="work", after=("wash", "shop")),
    ),
)
HELPERS: Final = ((0, "Ann"), (1, "Bob"), (1, "Cy"), (2, "Dee"))


class Chores:
    """Implements ``FlowHandlers``; ``helpers`` has (step, who is asked) by position."""

    def __init__(self, ask: Any, flow: Any = CHORES, who: Any = HELPERS, **more: Any):
        self.ask, self.flow, self.helpers, self.more = ask, flow, who, more

    def open(self, _request: Any, queue_id: str, now: datetime) -> tuple[Task, ...]:
        first, tasks = dict(reversed(self.helpers)), []
        for n, (step, name) in enumerate(self.helpers):
            spec = self.flow.steps[step]
            task = Task(task_id=new_id(now), queue_id=queue_id, position=n, name=name)
            task = replace(task, step=step, lifecycle=spec.lifecycle, created_at=now)
            if first[step] == name and not spec.after:
                begun = {"state": S.EXECUTING, "waiting_for": W.DO, "wake_at": now}
                task = replace(task, **begun)
            tasks.append(replace(task, updated_at=now))
        return tuple(tasks)

    def terms(self, task: Task, **_: Any) -> Any:
        return self.more["pauses"].get(task.name)

    async def call(self, _order: Any, task: Task, **_: Any) -> Event:
        return Event(trigger=await self.ask(task))

    async def give_up(self, order: Any, task: Task, *, ports: Any) -> Event:
        raise await halted(order, task, NOT_AS_REQUESTED, ports)

    def heard(self, _webhook: Any, _order: Any) -> None: ...
