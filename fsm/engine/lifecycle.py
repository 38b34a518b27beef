"""A lifecycle: all that a kind of task brings to the engine, as data and functions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeAlias, TypeVar

from fsm.engine.hearing import Hearing
from fsm.engine.judged import Check
from fsm.engine.machine import Built, Ways, advance, built, ways_of
from fsm.engine.manual_check import unresolvable
from fsm.engine.records import replace
from fsm.engine.rows import Task
from fsm.engine.sentences import Sentences
from fsm.engine.steps import Announced, Change, Event
from fsm.engine.table import Facts, Keep, Otherwise, Row, Terms
from fsm.engine.timers import Timer
from fsm.engine.words import EngineTrigger, EngineWait, Invariant, State

T = TypeVar("T")
Move: TypeAlias = tuple[str, str, str]
"""(trigger, from, to), as a line of the audit trail has it."""
Due: TypeAlias = Callable[[Task, Task, Event, T, datetime], Task]
"""(moved so far, before, event, terms, now) -> the task with its next wake-up."""


def at_rest(after: Task, task: Task, event: Event, **changes: Any) -> Task:  # noqa: ANN401 - as the fields are
    """Return the task with nothing due any more, and what else its kind changes."""
    return replace(
        after,
        waiting_for=None,
        wake_at=None,
        tries=0,
        code=task.code if task.final else event.code or task.code,
        **changes,
    )


def unannounced(change: Change) -> Announced | None:
    """Tell the outside nothing of a task that has moved."""
    del change
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle(Generic[Terms]):
    """What a kind of task brings; ``name`` is how its rows say that they are of it.

    ``waits`` and ``triggers`` are its words beside the engine's own. ``table`` has its
    legal moves, ``otherwise`` an answer for every other (trigger, state), ``guards``
    what the rows ask, ``due`` what is due next, by what a row waits for then;
    ``timers`` says of the waits that time ends what wakes the task. ``sentences`` are
    the words in which people are told of it.
    ``proposals`` are the first of two votes of persons, beside the one about a manual
    check; ``settling_contested`` clears one on the settlement of a case of its task.
    ``unbroken`` are triggers whose call follows in the same chain. ``makes_way`` ends
    the wait that an answer is too early for. ``hearing`` says what news means beyond
    the table, ``announced`` what the outside is told of a change, ``ended`` how a task
    comes to rest. ``invariants`` judge its rows and trails, beside what holds for
    every flow; ``books`` are those by which others' books are compared with its rows:
    what is not among them has nothing there.

    Of the table are made: its ``moves``; the ``remarks`` that are written down and
    move nothing; those of both that surely open a case, ``opening``; how a task
    ``stands``, as (state, wait).
    """

    name: str
    waits: type[StrEnum]
    triggers: type[StrEnum]
    table: tuple[Row, ...]
    otherwise: Mapping[tuple[StrEnum, State], Otherwise]
    guards: Mapping[StrEnum, Callable[[Facts[Terms]], bool]]
    due: Mapping[StrEnum, Due[Terms]]
    hearing: Hearing = field(default_factory=Hearing)
    timers: Mapping[StrEnum, Timer[Terms]] = field(default_factory=dict)
    sentences: Sentences = field(default_factory=Sentences)
    announced: Callable[[Change], Announced | None] = unannounced
    ended: Callable[[Task, Task, Event], Task] = at_rest
    invariants: tuple[Check, ...] = ()
    books: frozenset[Invariant] = frozenset()
    proposals: frozenset[StrEnum] = frozenset()
    settling_contested: StrEnum | None = None
    unbroken: frozenset[StrEnum] = frozenset()
    makes_way: StrEnum | None = None
    machine: Built = field(init=False, repr=False, compare=False)
    ways: Ways = field(init=False, repr=False, compare=False)
    words: Mapping[str, StrEnum] = field(init=False, repr=False, compare=False)
    moves: frozenset[Move] = field(init=False, repr=False, compare=False)
    remarks: frozenset[Move] = field(init=False, repr=False, compare=False)
    opening: frozenset[Move] = field(init=False, repr=False, compare=False)
    stands: frozenset[tuple[str, str | None]] = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Build what the table comes to.

        :raises ValueError: a timer is of no wait that there is, a trigger is one of
            the engine's, or people have no way to decide what is handed to them.
        """
        if strange := {*self.timers} - {*self.waits}:
            names = ", ".join(sorted(strange))
            raise ValueError(f"{self.name!r} has timers of no wait of its own: {names}")
        if doubled := {*self.triggers} & {*EngineTrigger}:
            names = ", ".join(sorted(doubled))
            raise ValueError(f"{self.name!r} says what the engine says: {names}")
        if missing := unresolvable(self.table):
            rows = ", ".join(missing)
            raise ValueError(f"{self.name!r} has a manual check, and no row of {rows}")
        votes = {EngineTrigger.RESOLUTION_PROPOSED}
        object.__setattr__(self, "proposals", self.proposals | votes)
        machine = built(self.table, self.guards)
        happenings = (*EngineTrigger, *self.triggers)
        object.__setattr__(self, "machine", machine)
        object.__setattr__(self, "ways", ways_of(machine, happenings))
        words = {wait.value: wait for wait in (*EngineWait, *self.waits)}
        object.__setattr__(self, "words", words)
        self._tell_what_is_legal()

    def _tell_what_is_legal(self) -> None:
        late = self._undone_at_once()
        moves = {(r.trigger.value, r.source.value, r.dest.value) for r in self.table}
        moves |= late
        opens = {Otherwise.CONTRADICTION, Otherwise.BY_PROOF}
        remarks = {
            (trigger.value, state.value, state.value)
            for (trigger, state), answer in self.otherwise.items()
            if answer in opens
        }
        stands = {
            (r.dest.value, r.then.value)
            for r in self.table
            if r.then is not None and not isinstance(r.then, Keep)
        }
        # Where the same line may also open none, nobody can say that one is gone.
        silent = {
            (r.trigger.value, r.source.value, r.dest.value)
            for r in self.table
            if r.case is None
        } | late
        object.__setattr__(self, "moves", frozenset(moves))
        object.__setattr__(self, "opening", frozenset((moves | remarks) - silent))
        object.__setattr__(self, "remarks", frozenset(remarks))
        object.__setattr__(self, "stands", frozenset(stands))

    def _undone_at_once(self) -> set[Move]:
        """Return the moves of what succeeds late: the same step has it undone."""
        undo = (EngineTrigger.UNDO_DUE, State.SUCCEEDED)
        return {
            (won.trigger.value, won.source.value, undone.dest.value)
            for undone in self.ways.get(undo, ())
            for won in self.table
            if won.dest is State.SUCCEEDED
        }

    def advance(self, facts: Facts[Terms], trigger: StrEnum) -> Row | None:
        """Return the row of the table that fires, or None where none does."""
        return advance(self.ways, self.guards, facts, trigger)

    def waiting(self, word: str | None) -> StrEnum | None:
        """Return what a row says that it waits for, as a word of this lifecycle.

        :raises ValueError: it is none.
        """
        if word is None:
            return None
        if word not in self.words:
            raise ValueError(f"the lifecycle {self.name!r} knows no wait {word!r}")
        return self.words[word]
