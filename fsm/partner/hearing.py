"""How a link hears its partner: words of earlier checks, and what contradicts."""

from fsm.engine.hearing import Hearing
from fsm.engine.rows import Task
from fsm.engine.steps import Announced, Change, Event
from fsm.engine.words import State
from fsm.partner.words import CONFIRM_REFUSED, EXPIRED, GIVEN_UP

_NOT_ITS_WORD = frozenset({EXPIRED, GIVEN_UP, CONFIRM_REFUSED})


class LinkHearing(Hearing):
    """What a partner's words mean beyond the table.

    The number of its check stands in each: what answers an earlier one than the last
    that was answered is old, and overrides nothing.
    """

    def agrees(self, task: Task, event: Event) -> bool:
        """Return whether it has ended by a later word of the partner, or by none."""
        heard, said = task.webhook_sequence, event.sequence
        old = heard is not None and said is not None and said < heard
        by_core = task.state is State.FAILED and task.taken
        return old or by_core or task.code in _NOT_ITS_WORD


def announced(change: Change) -> Announced | None:
    """Return the event that the outside is told of a change: begun, or a person."""
    before, after = change.before, change.after
    if before.state is State.PENDING and after.state is State.EXECUTING:
        return Announced.ATTEMPT_STARTED
    if before.state is not after.state is State.MANUAL_CHECK:
        return Announced.MANUAL_CHECK
    return None
