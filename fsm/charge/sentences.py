"""Sentences of a charge: how people are told what its payment provider said."""

from collections.abc import Mapping, Sequence
from typing import Final

from fsm.engine.rows import Task
from fsm.engine.sentences import Line
from fsm.engine.words import State
from fsm.service import sentences as service
from fsm.service.words import ServiceWait, StepTrigger

HAPPENED: Final[Mapping[str, str]] = {
    **service.HAPPENED,
    StepTrigger.DONE: "the payment provider has charged it",
    StepTrigger.REFUSED: "the payment provider says a final no",
    StepTrigger.PENDING: "the payment provider is still at it",
    StepTrigger.NOT_KNOWN: "the payment provider does not know it",
    StepTrigger.UNCLEAR: "no definite answer: it may have been charged",
    StepTrigger.UNASKED: "the payment provider cannot be asked, or no more",
    StepTrigger.UNDONE: "the payment provider has refunded it",
    StepTrigger.UNDO_REFUSED: "the payment provider refuses the refund",
    StepTrigger.GIVEN_UP: "the payment provider was asked as often as it may be",
}
WAITS: Final[Mapping[str, str]] = {
    **service.WAITS,
    ServiceWait.ASK: "the payment provider is asked again whether it has charged",
    ServiceWait.LAST_ASK: "the payment provider is asked whether it has charged, "
    "for then it is refunded",
    ServiceWait.LAST_QUESTION: "the payment provider is asked once more before the no "
    "is acted on",
    ServiceWait.UNDO: "the payment provider is told to refund it, again and again",
}
_NEVER: Final = frozenset(
    {
        StepTrigger.REFUSED,
        StepTrigger.NOT_SENT,
        StepTrigger.NOT_KNOWN,
        StepTrigger.PASSED_OVER,
    }
)


class ChargeSentences(service.ServiceSentences):
    """What people are told of a charge."""

    happened = HAPPENED
    waits = WAITS

    def proof(self, task: Task, lines: Sequence[Line]) -> Line | None:
        """Return the line that proves whether it was charged, or refunded."""
        if task.state is not State.SKIPPED:
            return super().proof(task, lines)
        return next((x for x in reversed(lines) if x.trigger in _NEVER), None)
