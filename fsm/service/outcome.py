"""How a saga ends: as its steps have; the first that was lost says why."""

from fsm.engine.customer import CustomerMessage
from fsm.engine.outcome import Ending, by_steps, first_lost
from fsm.engine.records import replace
from fsm.engine.rows import Queue, Task
from fsm.engine.words import OrderState, State
from fsm.service.customer import CustomerCode, code_for
from fsm.service.due import LOST


def by_saga(queue: Queue, state: OrderState, last: Task | None) -> Ending:
    """End as the steps have; what was undone since nobody knew is lost as well."""
    said = by_steps(queue, state, last)
    if state is OrderState.COMPLETED:
        return said
    lost = first_lost(queue)
    if lost is None:
        unknown = (
            t for t in queue.tasks if t.state is State.REVERSED and t.code in LOST
        )
        lost = min(unknown, key=lambda t: (t.step, -t.position), default=None)
    code = None if lost is None else lost.code
    return replace(said, code=code, customer=_for_customers(queue, state, lost))


def _for_customers(queue: Queue, state: OrderState, lost: Task | None) -> str:
    """Return the code of what the customer is told.

    Where nothing was loaded the row says it already: no step tells whose no it was.
    """
    if state is OrderState.CANCELLED:
        return CustomerCode.ORDER_CANCELLED
    if queue.loaded is None:
        said = CustomerMessage.read(queue.customer_message)
        return CustomerCode.ORDER_FAILED if said is None else said.code
    if lost is None:
        return CustomerCode.ORDER_FAILED
    return code_for(lost.name or "", lost.code)
