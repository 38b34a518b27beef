"""An invented flow without money: one membership at a time, what it needs is loaded."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import orjson

from fsm.domain.canonical import written
from fsm.domain.orders import Request
from fsm.engine.flow import Flow, StepSpec
from fsm.engine.lifecycle import Lifecycle, at_rest
from fsm.engine.outcome import Ending
from fsm.engine.records import replace
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.engine.table import Keep, Otherwise, Row
from fsm.engine.words import EngineTrigger, EngineWait, Kind, OrderState, State

NOW: Final = datetime(2026, 1, 31, 12, tzinfo=UTC)
VERSION: Final = 99


class ChoreWait(StrEnum):
    """What a chore waits for: to be done, or undone."""

    DO = "do"
    UNDO = "undo"


class Chore(StrEnum):
    """What can happen to a chore."""

    DONE = "chore.done"
    REFUSED = "chore.refused"
    UNDONE = "chore.undone"


class Asks(StrEnum):
    """What the table asks."""

    NO_TURN = "before its turn"
    DOING = "it is being done"


T, E, S = Chore, EngineTrigger, State
TABLE: Final = (
    Row(E.TURN_CAME, S.PENDING, S.PENDING, ChoreWait.DO, Asks.NO_TURN),
    Row(E.NOT_NEEDED, S.PENDING, S.SKIPPED, None, Asks.NO_TURN),
    Row(E.CANCEL_REQUESTED, S.PENDING, S.CANCELLED, None, Asks.NO_TURN),
    Row(E.CANCEL_REQUESTED, S.PENDING, S.PENDING, Keep.KEEP),
    Row(T.DONE, S.PENDING, S.SUCCEEDED, None, Asks.DOING),
    Row(T.REFUSED, S.PENDING, S.SKIPPED, None, Asks.DOING),
    Row(E.UNDO_DUE, S.SUCCEEDED, S.REVERSING, ChoreWait.UNDO),
    Row(T.UNDONE, S.REVERSING, S.REVERSED, None),
)


def _at_once(after: Task, _task: Task, _event: Any, _terms: Any, now: datetime) -> Task:
    return replace(after, wake_at=now)


def _ended(after: Task, task: Task, event: Event) -> Task:
    came_to = task.result if event.result is None else written(event.result)
    return at_rest(after, task, event, result=came_to)


CHORE: Final[Lifecycle[None]] = Lifecycle(
    name="chore",
    waits=ChoreWait,
    triggers=Chore,
    table=TABLE,
    otherwise={(t, s): Otherwise.KNOWN for t in (*E, *T) for s in S},
    guards={
        Asks.NO_TURN: lambda f: f.task.waiting_for is EngineWait.TURN,
        Asks.DOING: lambda f: f.task.waiting_for is ChoreWait.DO,
    },
    due=dict.fromkeys(ChoreWait, _at_once),
    ended=_ended,
)
CHORES: Final = Flow(
    kind=Kind.WITHDRAWAL,
    version=VERSION,
    steps=(
        StepSpec(name="wash", lifecycle="chore", undo=True),
        StepSpec(name="shop", lifecycle="chore"),
        StepSpec(name="cook", lifecycle="chore", after=("wash", "shop")),
    ),
)
HELPERS: Final = ((0, "Ann"), (1, "Bob"), (1, "Cy"), (2, "Dee"))
"""(step, who is asked) for each task, by position."""
NOT_ELIGIBLE: Final = "not_eligible"


def _outcome(_queue, state, last):
    """End well also where a chore is refused: that nobody may join is an answer."""
    code = None if last is None else last.code
    if state is OrderState.FAILED and code == NOT_ELIGIBLE:
        state = OrderState.COMPLETED
    return Ending(state=state, task=last, code=code, result=code or "linked")


MEMBERSHIPS: Final = Flow(
    kind=Kind.PARTNER_LINK,
    version=VERSION,
    steps=CHORES.steps,
    loads=True,
    exclusive=("customer_id", "details.card.token"),
)
ANSWERED: Final = Flow(
    kind=Kind.PARTNER_LINK,
    version=VERSION,
    steps=(StepSpec(name="wash", lifecycle="chore"),),
    outcome=_outcome,
)


def a_membership(
    order_id: str = "l-1", *, card: str = "c-1", merchant_id: str = "m-1"
) -> Request:
    """Return a request for one; it names no amount."""
    said = {
        "order_id": order_id,
        "merchant_id": merchant_id,
        "customer_id": "c-9",
        "card": {"token": card},
    }
    return Request(
        kind=Kind.PARTNER_LINK,
        order_id=order_id,
        merchant_id=merchant_id,
        customer_id="c-9",
        money=None,
        destination={},
        cascade=(),
        metadata={},
        details={"card": {"token": card}},
        content=orjson.dumps(said),
    )


def tasks_of(queue_id: str, now: datetime = NOW) -> tuple[Task, ...]:
    """Return the tasks that an order of chores begins with."""
    begun: set[int] = set()
    tasks = []
    for position, (step, helper) in enumerate(HELPERS):
        starts = step not in begun and not CHORES.steps[step].after
        begun.add(step)
        tasks.append(
            Task(
                task_id=f"{queue_id[:-1]}{position}",
                queue_id=queue_id,
                position=position,
                lifecycle=CHORE.name,
                step=step,
                name=helper,
                waiting_for=ChoreWait.DO if starts else EngineWait.TURN,
                wake_at=now if starts else None,
                created_at=now,
                updated_at=now,
            )
        )
    return tuple(tasks)
