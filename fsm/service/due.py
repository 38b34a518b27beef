"""What is due next once a step of a saga has moved: the next call, and when."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from fsm.domain.canonical import written
from fsm.engine.backoff import spaced, tries_after
from fsm.engine.lifecycle import Due
from fsm.engine.records import replace
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.engine.words import EngineTrigger, EngineWait, State
from fsm.service.policy import ServicePolicy
from fsm.service.words import (
    DEFAULTED,
    GIVEN_UP,
    NO_ANSWER,
    STANDS,
    ServiceWait,
    StepTrigger,
)

LOST: Final = frozenset({NO_ANSWER, GIVEN_UP})
"""Codes of a step that was undone since nobody knew, not since others were lost."""
_UNHEARD: Final = frozenset({StepTrigger.UNCLEAR, StepTrigger.NOT_SENT})
_CODES: Final[Mapping[StrEnum, str]] = {
    StepTrigger.DEFAULTED: DEFAULTED,
    EngineTrigger.RESOLVED_POSITIVE: STANDS,
}


def ended(after: Task, task: Task, event: Event) -> Task:
    """Return the step at rest, with what it came to: what it said first."""
    result = task.result or (written(event.result) if event.result else None)
    return replace(
        after,
        waiting_for=None,
        wake_at=None,
        tries=0,
        code=_code(after, task, event),
        result=result,
    )


def _code(after: Task, task: Task, event: Event) -> str | None:
    if after.state is State.SUCCEEDED:
        return _CODES.get(event.trigger)
    if after.state is State.REVERSED:
        return task.code if task.code in LOST else None
    return event.code or task.code


def _to_do(
    after: Task, task: Task, event: Event, policy: ServicePolicy, now: datetime
) -> Task:
    """Have it done at once; a worker that is gone may have sent it before."""
    del policy
    again = event.trigger is StepTrigger.NOT_KNOWN
    return replace(
        after,
        wake_at=now,
        tries=task.tries + 1 if again else task.tries,
        taken=task.taken or event.trigger is StepTrigger.TAKEN_OVER,
        sent_first_at=task.sent_first_at or now,
        code=None,
    )


def _to_retry(
    after: Task, task: Task, event: Event, policy: ServicePolicy, now: datetime
) -> Task:
    after = _waiting(after, task, event, policy, now, tries=tries_after(task, event))
    return replace(after, wake_at=_in_time(after, policy, now), code=event.code)


def _to_ask(
    after: Task, task: Task, event: Event, policy: ServicePolicy, now: datetime
) -> Task:
    """Ask after a while; what is unclear of a do uses up no try before it is asked."""
    did = task.waiting_for is ServiceWait.DO and event.trigger in _UNHEARD
    tries = task.tries if did else tries_after(task, event)
    after = _waiting(after, task, event, policy, now, tries=tries)
    return replace(after, wake_at=_in_time(after, policy, now), taken=True)


def _to_last_ask(
    after: Task, task: Task, event: Event, policy: ServicePolicy, now: datetime
) -> Task:
    """Ask what became of it: at once where it has just come to be unwanted."""
    if task.waiting_for is ServiceWait.LAST_ASK:
        return _waiting(after, task, event, policy, now, tries=tries_after(task, event))
    alone = event.trigger is EngineTrigger.CANCEL_REQUESTED
    return replace(
        after, wake_at=now, tries=0, taken=True, code=GIVEN_UP if alone else None
    )


def _to_last_question(
    after: Task, task: Task, event: Event, policy: ServicePolicy, now: datetime
) -> Task:
    """Ask before a person's no is acted on, and again at growing waits."""
    if task.waiting_for is ServiceWait.LAST_QUESTION:
        return _waiting(after, task, event, policy, now, tries=tries_after(task, event))
    return replace(after, wake_at=now, tries=0)


def _to_undo(
    after: Task, task: Task, event: Event, policy: ServicePolicy, now: datetime
) -> Task:
    if task.waiting_for is ServiceWait.UNDO:
        return _waiting(after, task, event, policy, now, tries=tries_after(task, event))
    code = task.code if task.code in LOST else event.code
    return replace(after, wake_at=now, tries=0, code=code)


def _to_decision(
    after: Task, task: Task, event: Event, policy: ServicePolicy, now: datetime
) -> Task:
    """Leave it to a person; why its order has turned back is not forgotten for that."""
    del policy, now
    told = task.waiting_for is ServiceWait.LAST_QUESTION or task.code not in LOST
    code = event.code or task.code if told else task.code
    return replace(after, wake_at=None, tries=0, code=code)


def _waiting(
    after: Task,
    task: Task,
    event: Event,
    policy: ServicePolicy,
    now: datetime,
    *,
    tries: int,
) -> Task:
    """Wait as long as the service is to be left alone; no more once it is given up."""
    after = replace(after, tries=tries)
    if policy.has_tried(after):
        return replace(after, wake_at=now)
    wait = spaced(task, event, policy.retry, task.tries, now)
    return replace(after, wake_at=now + wait)


def _in_time(after: Task, policy: ServicePolicy, now: datetime) -> datetime:
    """Return when it goes on, not later than time alone ends its tries."""
    ends = [max(end, now) for end in policy.ends(after)]
    return min([after.wake_at or now, *ends])


DUE: Final[dict[StrEnum, Due[ServicePolicy]]] = {
    ServiceWait.DO: _to_do,
    ServiceWait.RETRY: _to_retry,
    ServiceWait.ASK: _to_ask,
    ServiceWait.LAST_ASK: _to_last_ask,
    ServiceWait.LAST_QUESTION: _to_last_question,
    ServiceWait.UNDO: _to_undo,
    EngineWait.DECISION: _to_decision,
}
