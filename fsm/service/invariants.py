"""The invariants of a saga's step: what its trail must prove of how it stands.

They judge what a step may rest on, beside what holds for every flow.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from fsm.engine.judged import Check, Offence, SeenOrder, SeenTask, Stories, Story
from fsm.engine.words import EngineTrigger, Invariant, State
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


def _proven(
    order: SeenOrder, tasks: Sequence[SeenTask], stories: Stories
) -> Iterator[Offence]:
    """A step is done, or undone, where somebody has said so."""
    for task in tasks:
        story = stories.get(task.task_id)
        what = _unproven(task, story) if story else None
        if what is not None:
            yield Offence(Invariant.PROOF, order.queue_id, task.task_id, what)


def _unproven(task: SeenTask, story: Story) -> str | None:
    said = {line.trigger for line in story.lines}
    proves = _PROVES.get(task.state)
    if proves is not None and not said & proves:
        return f"it is {task.state}, and nobody has said so"
    given_up = story.ended_by == StepTrigger.GIVEN_UP
    if task.state == State.SKIPPED and given_up and said & _MAY_HAVE_SENT:
        return "it was left out as never sent, and may have been sent"
    return None


INVARIANTS: Final[tuple[Check, ...]] = (_proven,)
