"""The three things a handler may say; the consumer alone turns them into acks."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from fsm.domain.dead_letters import Reason

LEFT_TO_THE_SWEEPER: Final = "left_to_the_sweeper"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Handled; ``what`` is a word for the counter, like done or stale.

    ``because`` is said where somebody should hear of it all the same.
    """

    what: str = "done"
    because: str = ""
    order_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Not now: deliver it again after ``delay`` (None: the consumer's back-off).

    ``in_vain`` False: nothing failed, and the row that it is about waits by itself, so
    it never becomes a dead letter: the last time it is left to the sweeper.
    """

    because: str
    delay: timedelta | None = None
    in_vain: bool = True
    order_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Park:
    """Never: it becomes a dead letter."""

    because: str
    reason: Reason = Reason.INVALID
    order_id: str | None = None


Outcome = Done | Retry | Park


def at_last(outcome: Outcome) -> Outcome:
    """Return what an outcome is where the message is not to be delivered again."""
    if not isinstance(outcome, Retry):
        return outcome
    because, order_id = outcome.because, outcome.order_id
    if outcome.in_vain:
        return Park(because=because, reason=Reason.EXHAUSTED, order_id=order_id)
    return Done(what=LEFT_TO_THE_SWEEPER, because=because, order_id=order_id)
