"""Manual check: the votes of persons, as every table that has one takes them.

Where a decision leads, ``RESOLVED_POSITIVE`` and ``RESOLVED_NEGATIVE``, each table says
itself. ``SETTLED_POSITIVE`` and ``SETTLED_NEGATIVE`` are for what people have put right
elsewhere, by hand: a table without rows for them lets nobody do so.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from fsm.engine.records import replace
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.engine.table import Facts, Row
from fsm.engine.words import EngineTrigger, EngineWait, State


class Ballot(StrEnum):
    """What the rows of votes ask."""

    UNDECIDED = "a person is to decide, and nobody has proposed a decision"
    PROPOSED = "one of two has voted"


BALLOTS: Final[Mapping[StrEnum, Callable[[Facts[Any]], bool]]] = {
    Ballot.UNDECIDED: lambda f: (
        f.task.waiting_for is EngineWait.DECISION and f.task.proposed_by is None
    ),
    Ballot.PROPOSED: lambda f: f.task.proposed_by is not None,
}
_VOTED: Final = (
    (EngineTrigger.RESOLUTION_PROPOSED, Ballot.UNDECIDED),
    (EngineTrigger.RESOLUTION_WITHDRAWN, Ballot.PROPOSED),
    (EngineTrigger.RESOLUTION_CONTESTED, Ballot.PROPOSED),
)
VOTE_ROWS: Final = tuple(
    Row(trigger, State.MANUAL_CHECK, State.MANUAL_CHECK, EngineWait.DECISION, asks)
    for trigger, asks in _VOTED
)
"""A first vote is cast, taken back, contested by a second: the task stays."""
DECIDES: Final = frozenset(
    {EngineTrigger.RESOLVED_POSITIVE, EngineTrigger.RESOLVED_NEGATIVE}
)
BY_HAND: Final = frozenset(
    {EngineTrigger.SETTLED_POSITIVE, EngineTrigger.SETTLED_NEGATIVE}
)


def for_a_person(
    after: Task,
    task: Task,
    event: Event,
    terms: Any,  # noqa: ANN401 - each lifecycle has its own
    now: datetime,
) -> Task:
    """Return the task as it waits for a decision, which no time brings about."""
    del terms, now
    return replace(after, wake_at=None, tries=0, code=event.code or task.code)


def unresolvable(table: Iterable[Row]) -> list[str]:
    """Return the votes that a table with a manual check has no row for."""
    rows = tuple(table)
    if all(row.dest is not State.MANUAL_CHECK for row in rows):
        return []
    there = {row.trigger for row in rows if row.source is State.MANUAL_CHECK}
    needed = {trigger for trigger, _ in _VOTED} | DECIDES
    return sorted(needed - there)
