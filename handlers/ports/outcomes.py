"""The three things a handler may say; the consumer alone turns them into acks."""

from dataclasses import dataclass
from datetime import timedelta

from fsm.domain.dead_letters import Reason


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

    ``in_vain`` False: nothing failed, so it never becomes a dead letter for it.
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
