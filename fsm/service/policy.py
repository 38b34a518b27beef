"""The policy of a service: how often and how long it is asked, as the core sees it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from fsm.engine.backoff import Backoff
from fsm.engine.rows import Task

_RETRY: Final = Backoff(
    first=timedelta(milliseconds=500), factor=2.0, longest=timedelta(seconds=30)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Default:
    """What holds for a step whose service has been away for ``after``."""

    after: timedelta
    result: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePolicy:
    """How a service may be treated (contract, section 5, ``[services.NAME]``).

    ``asks`` says that it can be asked what became of a step; of one that cannot the do
    is repeated with its key. A step that was tried ``attempts`` times, or for longer
    than ``deadline``, is given up. ``default`` then holds instead, or earlier.
    """

    asks: bool = True
    retry: Backoff = _RETRY
    attempts: int = 10
    deadline: timedelta | None = None
    default: Default | None = None

    def has_tried(self, task: Task) -> bool:
        """Tell whether what is due was tried as often as it may be."""
        return task.tries >= self.attempts

    def is_spent(self, task: Task, now: datetime) -> bool:
        """Tell whether a step was tried as often, or for as long, as it may be."""
        over = self.deadline is not None and _since(task, now) >= self.deadline
        return over or self.has_tried(task)

    def defaults(self, task: Task, now: datetime) -> bool:
        """Tell whether the default holds: its service is away for so long, or spent."""
        if self.default is None:
            return False
        return _since(task, now) >= self.default.after or self.is_spent(task, now)

    def ends(self, task: Task) -> list[datetime]:
        """Return the times at which time alone ends the tries of a step."""
        began = task.sent_first_at
        after = [self.deadline, self.default and self.default.after]
        return [began + each for each in after if began is not None and each]


def _since(task: Task, now: datetime) -> timedelta:
    return now - (task.sent_first_at or now)
