"""The invariants of a payout: no commit without a yes, no next hold before a proof.

They judge S1, S2, S3, S4, S7 and S9 of docs/promises.md, beside what holds for every
flow.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from fsm.engine.judged import Check, Offence, SeenOrder, SeenTask, Stories, Story
from fsm.engine.words import EngineTrigger, Invariant, State, Verdict
from fsm.payout.words import Trigger, Waiting

_SAYS_PAID: Final = frozenset(
    {Trigger.PAID.value, EngineTrigger.RESOLVED_POSITIVE.value}
)
_FREEZES: Final = frozenset(
    {Trigger.FREEZE_CONFIRMED.value, Trigger.FREEZE_REFUSED.value}
)
_RELEASED: Final = frozenset(
    {
        Trigger.ROLLBACK_CONFIRMED.value,
        Trigger.FREEZE_REFUSED.value,
        EngineTrigger.SETTLED_NEGATIVE.value,
    }
)
_BY_HAND: Final = frozenset(
    {EngineTrigger.SETTLED_POSITIVE.value, EngineTrigger.SETTLED_NEGATIVE.value}
)
_VERDICTS: Final[Mapping[str, Collection[str | None]]] = {
    State.PENDING.value: (None,),
    State.SUCCEEDED.value: (Verdict.PAID.value,),
    State.FAILED.value: (Verdict.NOT_PAID.value,),
    State.SKIPPED.value: (Verdict.NOT_PAID.value, None),
    State.CANCELLED.value: (Verdict.NOT_PAID.value, None),
}


def _proven(
    order: SeenOrder, tasks: Sequence[SeenTask], stories: Stories
) -> Iterator[Offence]:
    """Core commits what somebody has said is paid, and releases what is surely not."""
    for task in tasks:
        story = stories.get(task.task_id)
        for at, what in _unproven(story) if story else ():
            said = f"version {at}: {what}"
            yield Offence(Invariant.PROOF, order.queue_id, task.task_id, said)


def _unproven(story: Story) -> Iterator[tuple[int, str]]:
    """Say what was done to the hold although nothing had proven it."""
    said_paid, state, entered_by = False, None, ""
    for line in story.lines:
        if line.trigger == Trigger.COMMIT_CONFIRMED and not said_paid:
            yield line.version, "committed although nobody had said that it was paid"
        evaluated = state == State.NEGATIVE_EVAL and entered_by == Trigger.UNCLEAR
        if line.trigger == Trigger.ROLLBACK_CONFIRMED and evaluated:
            yield line.version, "rolled back on an unclear answer"
        said_paid = said_paid or line.trigger in _SAYS_PAID
        if line.target != state:
            state, entered_by = line.target, line.trigger


def _decided(
    order: SeenOrder, tasks: Sequence[SeenTask], stories: Stories
) -> Iterator[Offence]:
    """A row's verdict is that of its state, and of the call that is due."""
    del stories
    for task in tasks:
        needed = _VERDICTS.get(task.state)
        if task.waiting_for == Waiting.COMMIT:
            needed = _VERDICTS["SUCCEEDED"]
        elif task.waiting_for == Waiting.ROLLBACK:
            needed = _VERDICTS["FAILED"]
        if needed is not None and task.verdict not in needed:
            what = f"it is {task.state}, waits for {task.waiting_for}, and its verdict"
            said = f"{what} is {task.verdict}"
            yield Offence(Invariant.VERDICT, order.queue_id, task.task_id, said)


def _waited_for(
    order: SeenOrder, tasks: Sequence[SeenTask], stories: Stories
) -> Iterator[Offence]:
    """A webhook is waited for as long as the SLA says; a no is checked by a person."""
    del stories
    for task in tasks:
        what = None
        if task.waiting_for == Waiting.LAST_QUESTION:
            if task.state != State.MANUAL_CHECK:
                what = f"it waits for an answer to a person's no and is {task.state}"
        elif task.waiting_for == Waiting.WEBHOOK and task.wake_at is None:
            if task.sla_at is not None:
                what = "it waits for webhook and nothing wakes it"
            elif task.sla not in {None, "none"}:
                what = f"it waits for a webhook without the end that sla = {task.sla} "
                what += "sets"
        if what is not None:
            yield Offence(
                Invariant.NOBODY_FORGOTTEN, order.queue_id, task.task_id, what
            )


def _settled_by_hand(
    order: SeenOrder, tasks: Sequence[SeenTask], stories: Stories
) -> Iterator[Offence]:
    """Count what persons have settled in core's books, which nothing here can see."""
    for task in tasks:
        if is_by_hand(stories.get(task.task_id)):
            what = f"it is {task.state} by hand: core had refused its balance call"
            yield Offence(
                Invariant.BY_HAND, order.queue_id, task.task_id, what, warning=True
            )


def is_by_hand(story: Story | None) -> bool:
    """True for a task that persons have ended after core had refused to."""
    return story is not None and story.ended_by in _BY_HAND


def _one_hold(
    order: SeenOrder, tasks: Sequence[SeenTask], stories: Stories
) -> Iterator[Offence]:
    """Let each attempt begin only after the hold of the one before is gone."""
    before: list[tuple[SeenTask, Story]] = []
    for task in tasks:
        story = stories.get(task.task_id)
        if story is None:
            continue
        frozen = _first(story, _FREEZES)
        for what in _tried(before, story, frozen) if frozen else ():
            yield Offence(
                Invariant.PROOF, order.queue_id, task.task_id, f"tried {what}"
            )
        before.append((task, story))


def _tried(
    before: Sequence[tuple[SeenTask, Story]], story: Story, frozen: datetime
) -> Iterator[str]:
    for earlier, its in before:
        if what := _not_over(earlier, its, frozen):
            yield what
    turns = [x.at for x in story.lines if x.trigger == EngineTrigger.TURN_CAME]
    if before and (not turns or turns[-1] > frozen):
        yield "out of turn"


def _first(story: Story, triggers: Collection[str]) -> datetime | None:
    """Return when one of these happened first."""
    return next((x.at for x in story.lines if x.trigger in triggers), None)


def _not_over(earlier: SeenTask, story: Story, next_at: datetime) -> str | None:
    """Say why an earlier attempt had not come to its end by then."""
    name = f"task {earlier.task_id} ({earlier.provider})"
    if story.ended_at is None or story.ended_at > next_at:
        return f"before {name} was over"
    never_begun = (
        _first(story, _FREEZES) is None
        and story.ended_by == EngineTrigger.CANCEL_REQUESTED
    )
    if story.ended_by not in _RELEASED and not never_begun:
        return f"after {name} had ended by {story.ended_by}"
    return None


INVARIANTS: Final[tuple[Check, ...]] = (
    _proven,
    _decided,
    _waited_for,
    _settled_by_hand,
    _one_hold,
)
