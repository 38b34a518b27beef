"""An order's outcome: the state that it ends in, and what the outside is told of that.

A flow says how its orders end. It is asked at the end, and once more from the rows
alone when core is told: it must say the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeAlias

from fsm.engine.rows import Queue, Task
from fsm.engine.steps import Announced, Announcement
from fsm.engine.words import NOT_NEEDED, OrderState, State

NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The final ``state`` of an order, the ``task`` it is by, and the reason's code.

    ``result`` is a word of the flow's own for how it has ended, ``customer`` the code
    of what its customer is told; None where that is nothing.
    """

    state: OrderState
    task: Task | None = None
    code: str | None = None
    result: str | None = None
    customer: str | None = None

    @property
    def announcement(self) -> Announcement:
        """What the outside is told of it."""
        return Announcement(
            type=Announced(self.state.lower()),
            task=self.task,
            code=self.code,
            result=self.result,
        )


Ends: TypeAlias = Callable[[Queue, OrderState, Task | None], Ending]
"""(the order, how the rule of the graph ends it or it has ended, the task that has
ended last) -> its outcome."""


def ended_last(queue: Queue) -> Task | None:
    """Return the task that an order has ended with, from the rows alone."""
    ended = [t for t in queue.tasks if t.final and t.code != NOT_NEEDED]
    won = [t for t in ended if t.state is State.SUCCEEDED]
    # What has no time yet has just ended; of those that ended together the last.
    return max(
        won or ended,
        key=lambda t: (t.updated_at is None, t.updated_at or NEVER, t.position),
        default=None,
    )


def by_last_task(_queue: Queue, state: OrderState, last: Task | None) -> Ending:
    """End as the last task has: for orders of one step, whose attempts follow."""
    if state is OrderState.COMPLETED or last is None:
        return Ending(state=state, task=last)
    return Ending(state=state, code=last.code)


def by_steps(queue: Queue, state: OrderState, _last: Task | None) -> Ending:
    """End as the steps have: of those that were lost, the first one says why."""
    if state is OrderState.COMPLETED:
        return Ending(state=state)
    lost = first_lost(queue)
    return Ending(state=state, code=None if lost is None else lost.code)


def first_lost(queue: Queue) -> Task | None:
    """Return the end of the first step that was neither won, undone nor left out."""
    won = {
        t.step
        for t in queue.tasks
        if t.state in {State.SUCCEEDED, State.REVERSING, State.REVERSED}
    }
    lost = [
        t
        for t in queue.tasks
        if t.final and t.step not in won and t.code not in {None, NOT_NEEDED}
    ]
    return min(lost, key=lambda t: (t.step, -t.position), default=None)
