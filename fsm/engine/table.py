"""The form of a lifecycle's table: rows for legal moves, answers for all the rest."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Generic, NamedTuple, TypeVar

from fsm.engine.rows import Task
from fsm.engine.words import CaseKind, State

Terms = TypeVar("Terms")
Terms_co = TypeVar("Terms_co", covariant=True)


class Keep(Enum):
    """The row goes on waiting for what it waits for, until the same time."""

    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Row:
    """One legal move: who fires it, from where, to where, what is due then."""

    trigger: StrEnum
    source: State
    dest: State
    then: StrEnum | Keep | None
    when: StrEnum | None = None
    case: CaseKind | None = None


class Otherwise(StrEnum):
    """What an event means where no row fires."""

    KNOWN = "already known"
    WAIT = "wait"
    CONTRADICTION = "contradiction"
    BY_PROOF = "already known where it says what is proven, else contradiction"


class Facts(NamedTuple, Generic[Terms_co]):
    """What guards may look at; ``terms`` is what holds for the task's other side.

    ``asked_at`` is when the question was asked whose answer is weighed: what a
    worker heard long ago says nothing about a request that was sent since. ``lacking``:
    nothing was asked, for what we lack ourselves.
    """

    task: Task
    terms: Terms_co
    now: datetime
    asked_at: datetime | None = None
    lacking: bool = False
