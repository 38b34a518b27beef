"""What is due next once a link has moved: the next call, and when.

A check that was answered is followed by the next one, on the schedule of the fallback;
one that was not is repeated with its key, soon at first and then as seldom as that.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final

from fsm.engine.backoff import spaced, tries_after
from fsm.engine.lifecycle import Due
from fsm.engine.records import replace
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.engine.words import EngineTrigger, EngineWait, State
from fsm.partner.policy import LinkPolicy
from fsm.partner.words import (
    ALREADY_LINKED,
    ALREADY_UNLINKED,
    CONFIRM_REFUSED,
    EXPIRED,
    GIVEN_UP,
    STANDS,
    UNLINK_STEP,
    LinkTrigger,
    LinkWait,
)

T = LinkTrigger
_UNHEARD: Final = frozenset({T.NOT_SENT, T.UNCLEAR})
_CODES: Final[dict[StrEnum, str]] = {
    T.ALREADY_LINKED: ALREADY_LINKED,
    T.NOT_LINKED: ALREADY_UNLINKED,
    T.EXPIRED: EXPIRED,
    T.CONFIRM_REFUSED: CONFIRM_REFUSED,
    EngineTrigger.CANCEL_REQUESTED: GIVEN_UP,
    EngineTrigger.RESOLVED_POSITIVE: STANDS,
}
"""The codes of ours that tell what has ended a link, or has it revoked."""


def ended(after: Task, task: Task, event: Event) -> Task:
    """Return the link at rest; of one that was revoked the code says why it was."""
    return replace(
        after, waiting_for=None, wake_at=None, tries=0, code=_code(after, task, event)
    )


def _code(after: Task, task: Task, event: Event) -> str | None:
    if task.lifecycle == UNLINK_STEP and after.state is State.SUCCEEDED:
        # What a person has found done is unlinked: it does not stand.
        return ALREADY_UNLINKED if event.trigger is T.NOT_LINKED else None
    ours = _CODES.get(event.trigger)
    if after.state is State.REVERSED or task.state is State.MANUAL_CHECK:
        return ours or task.code
    if after.state is State.SUCCEEDED:
        return ours
    return ours or event.code or task.code


def asked_before(task: Task) -> int:
    """Return how many checks of a link were answered: the next one has that number.

    Counted from 1. One that was not answered is not counted: it is made again.
    """
    return task.webhook_sequence or 0


def _to_validate(
    after: Task, task: Task, event: Event, policy: LinkPolicy, now: datetime
) -> Task:
    if task.waiting_for is not LinkWait.VALIDATE:
        return replace(after, wake_at=now)
    ends = task.deadline_at or now + policy.deadline
    return _again(replace(after, deadline_at=ends), task, event, policy, now)


def _to_ask(
    after: Task, task: Task, event: Event, policy: LinkPolicy, now: datetime
) -> Task:
    """Ask its partner: at once, or again after a while."""
    if event.trigger is not T.VALIDATED:
        return _again(after, task, event, policy, now)
    ends = now + policy.deadline
    return _at_once(after, now, code=None, deadline_at=ends, sent_first_at=now)


def _to_grant(
    after: Task, task: Task, event: Event, policy: LinkPolicy, now: datetime
) -> Task:
    """Have it granted: from here on core may have done so."""
    ends = _ends(task, event, policy, now)
    return _at_once(after, now, code=None, taken=True, deadline_at=ends)


def _to_check(
    after: Task, task: Task, event: Event, policy: LinkPolicy, now: datetime
) -> Task:
    """Check it again: an answer brings the next check, silence the same once more."""
    if event.trigger in _UNHEARD:
        return _again(after, task, event, policy, now)
    answered = max(asked_before(after) - 1, 0)
    wait = spaced(task, event, policy.fallback, answered, now)
    ends = _ends(task, event, policy, now)
    after = replace(after, tries=0, code=None, deadline_at=ends)
    return replace(after, wake_at=_in_time(now + wait, after))


def _to_confirm(
    after: Task, task: Task, event: Event, policy: LinkPolicy, now: datetime
) -> Task:
    del task, event, policy
    return _at_once(after, now, code=None)


def _to_revoke(
    after: Task, task: Task, event: Event, policy: LinkPolicy, now: datetime
) -> Task:
    """Have it revoked, whatever has become of a grant; the code says why."""
    del task, policy
    code = _CODES.get(event.trigger) or event.code
    return _at_once(after, now, code=code, taken=True)


def _to_notice(
    after: Task, task: Task, event: Event, policy: LinkPolicy, now: datetime
) -> Task:
    if task.waiting_for is LinkWait.REVOKE_NOTICE:
        return replace(_again(after, task, event, policy, now), code=task.code)
    return _at_once(after, now, deadline_at=now + policy.deadline)


def _to_decision(
    after: Task, task: Task, event: Event, policy: LinkPolicy, now: datetime
) -> Task:
    """Leave it to a person; why it is to be revoked is not forgotten for that."""
    del policy, now
    code = _CODES.get(event.trigger) or task.code or event.code
    return replace(after, wake_at=None, tries=0, code=code)


def _ends(
    task: Task, event: Event, policy: LinkPolicy, now: datetime
) -> datetime | None:
    """Return when nobody waits for the partner any more: anew from several matches."""
    first = event.trigger is T.MULTI_MATCH and task.state is State.EXECUTING
    return now + policy.deadline if first else task.deadline_at


def _at_once(after: Task, now: datetime, **changes: object) -> Task:
    return replace(after, wake_at=now, tries=0, **changes)


def _again(
    after: Task, task: Task, event: Event, policy: LinkPolicy, now: datetime
) -> Task:
    """Wait as long as its partner is to be left alone, and not past the deadline."""
    pace, tries = policy.pause(task.tries)
    wait = spaced(task, event, pace, tries, now)
    after = replace(after, tries=tries_after(task, event), code=event.code)
    return replace(after, wake_at=_in_time(now + wait, after))


def _in_time(at: datetime, after: Task) -> datetime:
    return at if after.deadline_at is None else min(at, after.deadline_at)


DUE: Final[dict[StrEnum, Due[LinkPolicy]]] = {
    LinkWait.VALIDATE: _to_validate,
    LinkWait.ELIGIBILITY: _to_ask,
    LinkWait.GRANT: _to_grant,
    LinkWait.FALLBACK: _to_check,
    LinkWait.CONFIRM: _to_confirm,
    LinkWait.REVOKE: _to_revoke,
    LinkWait.REVOKE_NOTICE: _to_notice,
    EngineWait.DECISION: _to_decision,
}
