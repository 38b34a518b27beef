"""The invariants of a charge: nothing is refunded that is not known to be charged."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from fsm.engine.judged import Check, Offence, SeenOrder, SeenTask, Stories
from fsm.engine.words import Invariant, State, Verdict
from fsm.service import invariants as service

_KNOWN: Final[Mapping[str, Verdict]] = {
    State.SUCCEEDED: Verdict.PAID,
    State.REVERSING: Verdict.PAID,
    State.REVERSED: Verdict.NOT_PAID,
}


def _known(
    order: SeenOrder, tasks: Sequence[SeenTask], stories: Stories
) -> Iterator[Offence]:
    """What was charged, or is refunded, has a verdict that says so."""
    del stories
    for task in tasks:
        if _KNOWN.get(task.state, task.verdict) != task.verdict:
            what = f"it is {task.state}, and its verdict is {task.verdict}"
            yield Offence(Invariant.VERDICT, order.queue_id, task.task_id, what)


INVARIANTS: Final[tuple[Check, ...]] = (*service.INVARIANTS, _known)
