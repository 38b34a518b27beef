"""Sentences: how people are told what happened to a task, and what it waits for.

What the rule of the graph does to every task is told here; the rest is told by the
words of its lifecycle.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol, TypeVar

from fsm.engine.rows import Task
from fsm.engine.words import EngineTrigger, EngineWait, State


class Told(Protocol):
    """A line of the audit trail, as far as it tells a story."""

    @property
    def source(self) -> str | None: ...
    @property
    def target(self) -> str: ...
    @property
    def trigger(self) -> str: ...
    @property
    def detail(self) -> Mapping[str, object]: ...


Line = TypeVar("Line", bound=Told)

HAPPENED: Final[Mapping[str, str]] = {
    EngineTrigger.TURN_CAME: "its turn came",
    EngineTrigger.NOT_NEEDED: "not needed: another attempt has succeeded",
    EngineTrigger.CANCEL_REQUESTED: "a person asked to cancel it",
    EngineTrigger.TURNED_BACK: "the order turns back: it is to stop",
    EngineTrigger.UNDO_DUE: "the order turned back: it is to be undone",
    EngineTrigger.RESOLUTION_PROPOSED: "a person decided; a second one must agree",
    EngineTrigger.RESOLUTION_WITHDRAWN: "the person took the vote back",
    EngineTrigger.RESOLUTION_CONTESTED: (
        "a second person decided otherwise: no vote stands"
    ),
    EngineTrigger.RESOLVED_POSITIVE: "a person decided that it is done",
    EngineTrigger.RESOLVED_NEGATIVE: "a person decided that it is not done",
    EngineTrigger.SETTLED_POSITIVE: "a person settled it by hand as done",
    EngineTrigger.SETTLED_NEGATIVE: "a person settled it by hand as not done",
}
NOT_TRIED: Final = "not tried yet: it waits for its turn"
FOR_A_PERSON: Final = "it waits for a person's decision"
CALL: Final = "call"


class Sentences:
    """The words in which a kind of task is told; without any, only the engine's.

    ``happened`` has a sentence for each trigger, ``waits`` one for what a task waits
    for. A kind of task overrides what else there is to say.
    """

    happened: Mapping[str, str] = {}
    waits: Mapping[str, str] = {}

    def of(self, trigger: str) -> str | None:
        """Return what a trigger means in words; None for one that nobody has words for.

        What a kind of task says itself goes before what the engine says of all.
        """
        return self.happened.get(trigger) or HAPPENED.get(trigger)

    def waiting(self, task: Task) -> str | None:
        """Return what a task waits for, where that is to be said."""
        said = None if task.waiting_for is None else self.waits.get(task.waiting_for)
        if said is not None:
            return said
        if task.waiting_for is EngineWait.DECISION or task.state is State.MANUAL_CHECK:
            return FOR_A_PERSON
        return None

    def question(self, line: Told) -> str:
        """Return what was asked where a line has an answer for its evidence."""
        del line
        return CALL

    def remark(self, line: Told, earlier: Sequence[Told]) -> str:
        """Return what a line means after those before it, to stand after it."""
        del line, earlier
        return ""

    def proof(self, task: Task, lines: Sequence[Line]) -> Line | None:
        """Return the line that proves how the task stands; None where none does."""
        del task, lines
        return None
