"""The invariants of a link: what its trail must prove of how it stands.

They judge what a link may rest on, beside what holds for every flow.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from fsm.engine.judged import Check, Offence, SeenOrder, SeenTask, Stories, Story
from fsm.engine.words import EngineTrigger, Invariant, State
from fsm.partner.words import LinkTrigger

T, R = LinkTrigger, EngineTrigger
Proofs = Mapping[str, frozenset[str]]

_LINK_PROVES: Final[Proofs] = {
    State.SUCCEEDED: frozenset({T.GRANTED, T.ALREADY_LINKED, R.RESOLVED_POSITIVE}),
    State.REVERSED: frozenset({T.REVOKED, R.RESOLVED_NEGATIVE}),
}
_UNLINK_PROVES: Final[Proofs] = {
    State.SUCCEEDED: frozenset({T.REVOKED, T.NOT_LINKED, R.RESOLVED_POSITIVE}),
}
_NEVER: Final = frozenset({State.SKIPPED, State.FAILED, State.CANCELLED})
_FOR_GOOD: Final = frozenset({T.CONFIRMED, R.RESOLVED_POSITIVE, T.ALREADY_LINKED})


def _unproven(task: SeenTask, story: Story, proofs: Proofs) -> str | None:
    proves = proofs.get(task.state)
    said = {line.trigger for line in story.lines}
    if proves is not None and not said & proves:
        return f"it is {task.state}, and nobody has said so"
    return None


def _unfinished(task: SeenTask, story: Story) -> str | None:
    """Say of a link that a membership is left over, or was never made good."""
    granted = [line for line in story.lines if line.trigger == T.GRANTED]
    if granted and task.state in _NEVER:
        return f"it is {task.state}, and was granted"
    said = {line.trigger for line in story.lines}
    for_now = granted and granted[-1].source == State.RECHECKING
    if task.state == State.SUCCEEDED and for_now and not said & _FOR_GOOD:
        return "it was granted for now, and nobody has confirmed it"
    return None


def _stories(
    order: SeenOrder, tasks: Sequence[SeenTask], stories: Stories
) -> Iterator[tuple[SeenTask, Story]]:
    del order
    for task in tasks:
        story = stories.get(task.task_id)
        if story is not None:
            yield task, story


def _link_proven(
    order: SeenOrder, tasks: Sequence[SeenTask], stories: Stories
) -> Iterator[Offence]:
    """A card is linked, or is not, where partner, core or a person has said so."""
    for task, story in _stories(order, tasks, stories):
        what = _unproven(task, story, _LINK_PROVES) or _unfinished(task, story)
        if what is not None:
            yield Offence(Invariant.PROOF, order.queue_id, task.task_id, what)


def _unlink_proven(
    order: SeenOrder, tasks: Sequence[SeenTask], stories: Stories
) -> Iterator[Offence]:
    """A link is removed where core or a person has said so, or it did not stand."""
    for task, story in _stories(order, tasks, stories):
        what = _unproven(task, story, _UNLINK_PROVES)
        if what is not None:
            yield Offence(Invariant.PROOF, order.queue_id, task.task_id, what)


LINK_INVARIANTS: Final[tuple[Check, ...]] = (_link_proven,)
UNLINK_INVARIANTS: Final[tuple[Check, ...]] = (_unlink_proven,)
