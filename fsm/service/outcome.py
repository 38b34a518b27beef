"""How a saga ends: as its steps have; the first that was lost says why."""

from fsm.engine.outcome import Ending, by_steps
from fsm.engine.rows import Queue, Task
from fsm.engine.words import OrderState, State
from fsm.service.due import LOST


def by_saga(queue: Queue, state: OrderState, last: Task | None) -> Ending:
    """End as the steps have; what was undone since nobody knew is lost as well."""
    unknown = [t for t in queue.tasks if t.state is State.REVERSED and t.code in LOST]
    if state is OrderState.COMPLETED or not unknown:
        return by_steps(queue, state, last)
    first = min(unknown, key=lambda t: (t.step, -t.position))
    said = by_steps(queue, state, last)
    return said if said.code is not None else Ending(state=state, code=first.code)
