"""Sentences of a saga's step: how people are told what its service said."""

from collections.abc import Mapping, Sequence
from typing import Final

from fsm.engine.rows import Task
from fsm.engine.sentences import Line, Sentences, Told
from fsm.engine.words import EngineTrigger, State
from fsm.service.words import ServiceWait, StepTrigger

HAPPENED: Final[Mapping[str, str]] = {
    EngineTrigger.NOT_NEEDED: "not needed: its order has ended before",
    StepTrigger.DONE: "the service has done it",
    StepTrigger.REFUSED: "the service says a final no",
    StepTrigger.PENDING: "the service is still at it",
    StepTrigger.NOT_KNOWN: "the service does not know it",
    StepTrigger.NOT_SENT: "the request never left",
    StepTrigger.UNCLEAR: "no definite answer: it may have been done",
    StepTrigger.UNASKED: "the service cannot be asked what became of it, or no more",
    StepTrigger.TAKEN_OVER: "a worker took over from one that may have sent it",
    StepTrigger.RETRY_DUE: "it is sent again, for nothing had been sent",
    StepTrigger.UNDONE: "the service has undone it",
    StepTrigger.UNDO_REFUSED: "the service refuses to undo it",
    StepTrigger.GIVEN_UP: "the service was tried as often, or as long, as it may be",
    StepTrigger.DEFAULTED: "the service is away: the configured default holds",
    StepTrigger.HELD: "the provider is given no new work now: it waits",
    StepTrigger.PASSED_OVER: "the provider is given no new work: the next one is tried",
}
WAITS: Final[Mapping[str, str]] = {
    ServiceWait.RETRY: "it will be sent again, for nothing has been sent",
    ServiceWait.ASK: "the service is asked again what became of it",
    ServiceWait.LAST_ASK: "the service is asked what became of it before it is undone",
    ServiceWait.LAST_QUESTION: "the service is asked once more before the no is acted "
    "on",
    ServiceWait.UNDO: "the service is told to undo it, again and again",
}
_UNDOES: Final = frozenset({StepTrigger.UNDONE, StepTrigger.UNDO_REFUSED})
_ASKED: Final = frozenset({StepTrigger.PENDING, StepTrigger.NOT_KNOWN})
_PROVES: Final[Mapping[State, frozenset[str]]] = {
    State.SUCCEEDED: frozenset(
        {
            StepTrigger.DONE,
            StepTrigger.DEFAULTED,
            EngineTrigger.RESOLVED_POSITIVE,
        }
    ),
    State.REVERSED: frozenset({StepTrigger.UNDONE, EngineTrigger.RESOLVED_NEGATIVE}),
    State.SKIPPED: frozenset({StepTrigger.REFUSED, StepTrigger.NOT_SENT}),
    State.FAILED: frozenset({StepTrigger.REFUSED, EngineTrigger.RESOLVED_NEGATIVE}),
}


class ServiceSentences(Sentences):
    """What people are told of a step that a service does."""

    happened = HAPPENED
    waits = WAITS

    def question(self, line: Told) -> str:
        """Return which of the service's calls was answered."""
        if line.trigger in _UNDOES or line.source == State.REVERSING:
            return "undo"
        asked = line.trigger in _ASKED or line.source == State.MANUAL_CHECK
        return "status" if asked else "do"

    def proof(self, task: Task, lines: Sequence[Line]) -> Line | None:
        """Return the line that proves whether it was done, or undone."""
        proves = _PROVES.get(task.state, frozenset())
        return next((x for x in reversed(lines) if x.trigger in proves), None)
