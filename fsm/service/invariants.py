"""The invariants of a saga's step: what its trail must prove of how it stands.

They judge what a step may rest on, beside what holds for every flow.
"""

from collections.abc import Mapping
from typing import Final

from fsm.engine.judged import Check, SeenTask, Story, proof_check, unsaid
from fsm.engine.words import EngineTrigger, State
from fsm.service.words import StepTrigger

_PROVES: Final[Mapping[str, frozenset[str]]] = {
    State.SUCCEEDED: frozenset(
        {
            StepTrigger.DONE,
            StepTrigger.DEFAULTED,
            EngineTrigger.RESOLVED_POSITIVE,
        }
    ),
    State.REVERSED: frozenset({StepTrigger.UNDONE, EngineTrigger.RESOLVED_NEGATIVE}),
}
_MAY_HAVE_SENT: Final = frozenset({StepTrigger.UNCLEAR, StepTrigger.TAKEN_OVER})


def _unproven(task: SeenTask, story: Story) -> str | None:
    """Say of a step that it is done, undone or left out, and nothing proves that."""
    if what := unsaid(task, story, _PROVES):
        return what
    said = {line.trigger for line in story.lines}
    given_up = story.ended_by == StepTrigger.GIVEN_UP
    if task.state == State.SKIPPED and given_up and said & _MAY_HAVE_SENT:
        return "it was left out as never sent, and may have been sent"
    return None


INVARIANTS: Final[tuple[Check, ...]] = (proof_check(_unproven),)
