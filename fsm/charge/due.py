"""What is due next once a charge has moved: as of a step that a service does."""

from datetime import datetime
from enum import StrEnum
from typing import Final

from fsm.charge.policy import ChargePolicy
from fsm.engine.lifecycle import Due
from fsm.engine.records import replace
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.engine.words import EngineTrigger, State, Verdict
from fsm.service import due as service
from fsm.service.words import ServiceWait, StepTrigger


def ended(after: Task, task: Task, event: Event) -> Task:
    """Return the charge at rest, with its verdict.

    That a person has found it charged says no more than that it is: it is refunded
    where its order turns back, unless they were asked about the refund itself.
    """
    ends = service.ended(after, task, event)
    if after.state is State.REVERSED:
        return replace(ends, verdict=Verdict.NOT_PAID)
    if after.state is not State.SUCCEEDED:
        return ends
    decided = event.trigger is EngineTrigger.RESOLVED_POSITIVE
    found = decided and task.verdict is None
    return replace(ends, verdict=Verdict.PAID, code=None if found else ends.code)


def _to_do(
    after: Task, task: Task, event: Event, policy: ChargePolicy, now: datetime
) -> Task:
    after = service.DUE[ServiceWait.DO](after, task, event, policy, now)
    return replace(after, sent_last_at=now)


def _to_retry(
    after: Task, task: Task, event: Event, policy: ChargePolicy, now: datetime
) -> Task:
    """Wait until it may be sent; where its provider gets no new work no try is used."""
    if event.trigger is StepTrigger.HELD:
        event = replace(event, lacking=True)
    return service.DUE[ServiceWait.RETRY](after, task, event, policy, now)


DUE: Final[dict[StrEnum, Due[ChargePolicy]]] = {
    **service.DUE,
    ServiceWait.DO: _to_do,
    ServiceWait.RETRY: _to_retry,
}
