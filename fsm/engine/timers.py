"""Timers: which waits of a task time ends, what wakes it then, and how they grow."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from fsm.engine.backoff import Backoff
from fsm.engine.rows import Task

T_contra = TypeVar("T_contra", contravariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer(Generic[T_contra]):
    """What wakes a task that waits, and what its terms let that wait be.

    ``subject`` is that of the message that wakes it, ``last`` that of the one at its
    deadline, where it has another. ``pace`` says how its waits grow, ``tries`` how many
    there are, ``lasts`` how long they go on altogether: None where nothing ends them.
    An ``open_ended`` wait may stand without a time: what ends it comes from outside.
    """

    subject: str
    last: str | None = None
    pace: Callable[[T_contra], Backoff] | None = None
    tries: Callable[[T_contra], int] | None = None
    lasts: Callable[[T_contra], timedelta | None] | None = None
    open_ended: bool = False

    def subject_of(self, task: Task) -> str:
        """Return the subject of the message that is to wake the task."""
        ends = task.deadline_at is not None and task.wake_at == task.deadline_at
        return self.last if ends and self.last is not None else self.subject

    def waits(self, terms: T_contra) -> list[timedelta]:
        """Return its waits one by one; none where nobody counts how many there are."""
        if self.pace is None or self.tries is None:
            return []
        pace = self.pace(terms)
        return [pace.after(tried) for tried in range(self.tries(terms))]
