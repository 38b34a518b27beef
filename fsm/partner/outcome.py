"""How an order of a link ends: linked, not eligible or expired are answers, all three.

All of it is read off the row of its one task: what it came to, and why.
"""

from typing import Final

from fsm.engine.outcome import Ending
from fsm.engine.rows import Queue, Task
from fsm.engine.words import OrderState, State
from fsm.partner.words import (
    CONFIRM_REFUSED,
    EXPIRED,
    GIVEN_UP,
    LINKED,
    NOT_ELIGIBLE,
    UNLINKED,
)

_NO_ANSWER: Final = frozenset({GIVEN_UP, CONFIRM_REFUSED})


def by_link(_queue: Queue, state: OrderState, last: Task | None) -> Ending:
    """End with the answer to whether the card is linked, where there is one."""
    result = None if last is None else _answer(last)
    if last is None or result is None:
        return Ending(state=state, code=None if last is None else last.code)
    return Ending(state=OrderState.COMPLETED, task=last, code=last.code, result=result)


def by_unlink(_queue: Queue, state: OrderState, last: Task | None) -> Ending:
    """End as the removal has."""
    if state is OrderState.COMPLETED and last is not None:
        return Ending(state=state, task=last, code=last.code, result=UNLINKED)
    return Ending(state=state, code=None if last is None else last.code)


def _answer(task: Task) -> str | None:
    """Return what a link came to; None where it was given up, or core has refused it.

    A link that fails once a grant was due has failed by core: the partner's no would
    have had it revoked.
    """
    if task.state is State.SUCCEEDED:
        return LINKED
    if task.state is State.SKIPPED:
        return NOT_ELIGIBLE
    unasked = task.state is State.CANCELLED or task.code in _NO_ANSWER
    if unasked or (task.state is State.FAILED and task.taken):
        return None
    return EXPIRED if task.code == EXPIRED else NOT_ELIGIBLE
