"""Sentences of a saga's step: how people are told what its service said."""

from collections.abc import Mapping, Sequence
from typing import Final

from fsm.engine.rows import Task
from fsm.engine.sentences import Line, Sentences, Told
from fsm.engine.words import EngineTrigger, State
from fsm.service.words import ServiceTrigger, ServiceWait

HAPPENED: Final[Mapping[str, str]] = {
    EngineTrigger.NOT_NEEDED: "not needed: its order has ended before",
    ServiceTrigger.DONE: "the service has done it",
    ServiceTrigger.REFUSED: "the service says a final no",
    ServiceTrigger.PENDING: "the service is still at it",
    ServiceTrigger.NOT_KNOWN: "the service does not know it",
    ServiceTrigger.NOT_SENT: "the request never left",
    ServiceTrigger.UNCLEAR: "no definite answer: it may have been done",
    ServiceTrigger.UNASKED: "the service cannot be asked what became of it",
    ServiceTrigger.TAKEN_OVER: "a worker took over from one that may have sent it",
    ServiceTrigger.RETRY_DUE: "it is sent again, for nothing had been sent",
    ServiceTrigger.UNDONE: "the service has undone it",
    ServiceTrigger.UNDO_REFUSED: "the service refuses to undo it",
    ServiceTrigger.GIVEN_UP: "the service was tried as often, or as long, as it may be",
    ServiceTrigger.DEFAULTED: "the service is away: the configured default holds",
}
WAITS: Final[Mapping[str, str]] = {
    ServiceWait.RETRY: "it will be sent again, for nothing has been sent",
    ServiceWait.ASK: "the service is asked again what became of it",
    ServiceWait.LAST_ASK: "the service is asked what became of it before it is undone",
    ServiceWait.UNDO: "the service is told to undo it, again and again",
}
_UNDOES: Final = frozenset({ServiceTrigger.UNDONE, ServiceTrigger.UNDO_REFUSED})
_ASKED: Final = frozenset({ServiceTrigger.PENDING, ServiceTrigger.NOT_KNOWN})
_PROVES: Final[Mapping[State, frozenset[str]]] = {
    State.SUCCEEDED: frozenset(
        {
            ServiceTrigger.DONE,
            ServiceTrigger.DEFAULTED,
            EngineTrigger.RESOLVED_POSITIVE,
        }
    ),
    State.REVERSED: frozenset({ServiceTrigger.UNDONE, EngineTrigger.RESOLVED_NEGATIVE}),
    State.SKIPPED: frozenset({ServiceTrigger.REFUSED, ServiceTrigger.NOT_SENT}),
    State.FAILED: frozenset({ServiceTrigger.REFUSED, EngineTrigger.RESOLVED_NEGATIVE}),
}


class ServiceSentences(Sentences):
    """What people are told of a step that a service does."""

    happened = HAPPENED
    waits = WAITS

    def question(self, line: Told) -> str:
        """Return which of the service's calls was answered."""
        if line.trigger in _UNDOES or line.source == State.REVERSING:
            return "undo"
        return "status" if line.trigger in _ASKED else "do"

    def proof(self, task: Task, lines: Sequence[Line]) -> Line | None:
        """Return the line that proves whether it was done, or undone."""
        proves = _PROVES.get(task.state, frozenset())
        return next((x for x in reversed(lines) if x.trigger in proves), None)
