"""The invariants of a link: what its trail must prove of how it stands.

They judge what a link may rest on, beside what holds for every flow.
"""

from collections.abc import Mapping
from typing import Final

from fsm.engine.judged import Check, SeenTask, Story, proof_check, unsaid
from fsm.engine.words import EngineTrigger, State
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


def _link_unproven(task: SeenTask, story: Story) -> str | None:
    """Say of a link what neither partner, core nor a person has said."""
    return unsaid(task, story, _LINK_PROVES) or _unfinished(task, story)


def _unlink_unproven(task: SeenTask, story: Story) -> str | None:
    """Say of a removal that nobody has made it, though the link stood."""
    return unsaid(task, story, _UNLINK_PROVES)


LINK_INVARIANTS: Final[tuple[Check, ...]] = (proof_check(_link_unproven),)
UNLINK_INVARIANTS: Final[tuple[Check, ...]] = (proof_check(_unlink_unproven),)
