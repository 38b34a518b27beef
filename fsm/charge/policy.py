"""The policy of a payment provider: when it is known that it never charged."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from fsm.engine.backoff import SHORTEST
from fsm.engine.rows import Task
from fsm.service.policy import ServicePolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargePolicy(ServicePolicy):
    """How a payment provider may be treated, as the core sees it.

    A charge is repeated with its key for ``key_lifetime`` after it was first sent:
    later a repeat might charge again. What the provider does not know proves after
    ``absent_after`` since it was last sent that it never charged; None: never.

    :raises ValueError: it cannot be asked, or a default would hold in its stead.
    """

    key_lifetime: timedelta = timedelta(hours=23)
    absent_after: timedelta | None = None

    def __post_init__(self) -> None:
        """Refuse what would leave a charge that nobody can find out about."""
        if not self.asks:
            raise ValueError("a payment provider has to be asked what it charged")
        if self.default is not None:
            raise ValueError("no default holds for a charge")

    def key_lives(self, first: datetime | None, now: datetime) -> bool:
        """Tell whether a repeat ``now`` finds what was ``first`` sent by its key.

        Without a promise never: the clocks of two workers differ by a little, and what
        was first sent may seem to be sent only after ``now``.
        """
        promised = self.key_lifetime > timedelta(0)
        return promised and first is not None and now < first + self.key_lifetime

    def leaves_time(self, task: Task, now: datetime) -> bool:
        """Tell whether absence can still prove of what is sent once more ``now``.

        Each repeat begins that time anew: without an end of them no absence would prove
        anything before the tries are used up.
        """
        grace = self.absent_after
        if grace is None:
            return True
        left = (self.retry.after(n) for n in range(task.tries + 1, self.attempts - 1))
        if sum(left, timedelta(0)) * SHORTEST < grace:
            return False
        ends = self.ends(task)
        return not ends or now + grace + self.retry.longest < min(ends)
