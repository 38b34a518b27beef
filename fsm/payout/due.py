"""What is due next once an attempt has moved: the next call, and when."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from fsm.engine.backoff import jitter
from fsm.engine.lifecycle import Due, at_rest
from fsm.engine.manual_check import for_a_person
from fsm.engine.records import replace
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.engine.words import EngineTrigger, EngineWait, Verdict
from fsm.payout.policy import ProviderPolicy
from fsm.payout.words import Trigger, Waiting

_BY_HAND: Final[dict[StrEnum, Verdict]] = {
    EngineTrigger.SETTLED_POSITIVE: Verdict.PAID,
    EngineTrigger.SETTLED_NEGATIVE: Verdict.NOT_PAID,
}


def ended(after: Task, task: Task, event: Event) -> Task:
    """Return the attempt with nothing due any more."""
    return at_rest(
        after,
        task,
        event,
        verdict=_BY_HAND.get(event.trigger, task.verdict),
        returned=task.returned or event.trigger is Trigger.RETURN_CONFIRMED,
    )


def _to_freeze(
    after: Task, task: Task, event: Event, plan: ProviderPolicy, now: datetime
) -> Task:
    """Freeze at once, or when the provider may be given new work again."""
    del task, plan
    return replace(after, wake_at=now + event.after, tries=0, code=event.code)


def _to_create(
    after: Task, task: Task, event: Event, plan: ProviderPolicy, now: datetime
) -> Task:
    del plan
    tries = task.tries if event.trigger is Trigger.RETRY_DUE else 0
    return replace(
        after,
        wake_at=now,
        tries=tries,
        # A worker that is gone may have sent it before it was taken over.
        taken=task.taken or event.trigger is Trigger.TAKEN_OVER,
        code=None,
        sent_first_at=task.sent_first_at or now,
        sent_last_at=now,
    )


def _to_create_retry(
    after: Task, task: Task, event: Event, plan: ProviderPolicy, now: datetime
) -> Task:
    if event.trigger is Trigger.HELD:
        # Nothing was tried, so no try is used up.
        return replace(after, wake_at=now + event.after, code=event.code)
    wait = _recheck_wait(task, event, plan, now, tries=task.tries)
    return replace(after, wake_at=now + wait, tries=_tries(task, event))


def _tries(task: Task, event: Event) -> int:
    """Return how often it has been tried now."""
    return task.tries if event.lacking else task.tries + 1


def _recheck_wait(
    task: Task, event: Event, plan: ProviderPolicy, now: datetime, *, tries: int
) -> timedelta:
    """Return how long to wait; where no try is counted, as long as it took so far."""
    wait = plan.recheck.after(tries, jitter(task))
    if event.lacking and task.sent_first_at is not None:
        wait = max(wait, min(now - task.sent_first_at, plan.recheck.longest))
    return max(wait, event.after)


def _to_weighing(
    after: Task, task: Task, event: Event, plan: ProviderPolicy, now: datetime
) -> Task:
    del plan
    after = replace(after, wake_at=now, tries=0)
    if event.trigger is Trigger.TAMPERED:
        # Nothing was sent: what is weighed is the order, not an answer.
        return replace(after, code=event.code, sent_last_at=task.sent_last_at)
    return replace(after, taken=True, sent_last_at=now)


def _to_recheck(
    after: Task, task: Task, event: Event, plan: ProviderPolicy, now: datetime
) -> Task:
    tries = 0 if event.trigger is Trigger.WEIGHED else _tries(task, event)
    recreated = task.waiting_for is Waiting.RECREATE
    wait = _recheck_wait(task, event, plan, now, tries=tries)
    return replace(
        after,
        wake_at=now + wait,
        tries=tries,
        sent_last_at=now if recreated else task.sent_last_at,
    )


def _to_recreate(
    after: Task, task: Task, event: Event, plan: ProviderPolicy, now: datetime
) -> Task:
    del event, plan
    return replace(after, wake_at=now, tries=task.tries, sent_last_at=now)


def _accepted(
    after: Task, task: Task, event: Event, plan: ProviderPolicy, now: datetime
) -> Task:
    """Start the SLA where the provider has just taken the payout."""
    if event.trigger is not Trigger.ACCEPTED:
        return after
    sla_at = None if plan.sla is None else now + plan.sla
    del task
    return replace(after, taken=True, sla_at=sla_at, deadline_at=None)


def _to_webhook(
    after: Task, task: Task, event: Event, plan: ProviderPolicy, now: datetime
) -> Task:
    after = _accepted(after, task, event, plan, now)
    if after.deadline_at is not None:
        return _polling(after, plan, now, tries=0)
    return replace(after, wake_at=after.sla_at, tries=0)


def _polling(
    after: Task,
    plan: ProviderPolicy,
    now: datetime,
    *,
    tries: int,
    at_least: timedelta = timedelta(0),
) -> Task:
    wait = max(plan.poll.after(tries, jitter(after)), at_least)
    deadline = after.deadline_at or now + plan.poll_deadline
    return replace(
        after,
        waiting_for=Waiting.POLL,
        wake_at=min(now + wait, deadline),
        deadline_at=deadline,
        tries=tries,
    )


def _to_poll(
    after: Task, task: Task, event: Event, plan: ProviderPolicy, now: datetime
) -> Task:
    first = event.trigger in {Trigger.SLA_PASSED, Trigger.CANCEL_UNCLEAR}
    tries = 0 if first else _tries(task, event)
    polling = _polling(after, plan, now, tries=tries, at_least=event.after)
    if not event.lacking or polling.wake_at is None or polling.deadline_at is None:
        return polling
    # A time in which we could not ask is none that the provider let pass.
    return replace(polling, deadline_at=polling.deadline_at + (polling.wake_at - now))


def _to_cancel(
    after: Task, task: Task, event: Event, plan: ProviderPolicy, now: datetime
) -> Task:
    after = _accepted(after, task, event, plan, now)
    if event.trigger is not Trigger.CANCEL_UNCLEAR:
        return replace(after, wake_at=now, tries=0)
    wait = _recheck_wait(task, event, plan, now, tries=task.tries)
    return replace(after, wake_at=now + wait, tries=_tries(task, event))


def _to_commit(
    after: Task, task: Task, event: Event, plan: ProviderPolicy, now: datetime
) -> Task:
    del task, event, plan
    return replace(after, wake_at=now, tries=0, taken=True, verdict=Verdict.PAID)


def _to_rollback(
    after: Task, task: Task, event: Event, plan: ProviderPolicy, now: datetime
) -> Task:
    del plan
    return replace(
        after,
        wake_at=now,
        tries=0,
        verdict=Verdict.NOT_PAID,
        code=event.code or task.code,
    )


def _to_return(
    after: Task, task: Task, event: Event, plan: ProviderPolicy, now: datetime
) -> Task:
    del task, event, plan
    return replace(after, wake_at=now, tries=0)


def _to_last_question(
    after: Task, task: Task, event: Event, plan: ProviderPolicy, now: datetime
) -> Task:
    """Ask the provider before a person's no is acted on, and again at growing waits.

    The no takes a proof of the contrary with it: what is asked is open again.
    """
    if task.waiting_for is not Waiting.LAST_QUESTION:
        return replace(after, wake_at=now, tries=0, verdict=None)
    tries = _tries(task, event)
    if tries >= plan.recheck_attempts:
        return replace(after, wake_at=now, tries=tries)
    wait = _recheck_wait(task, event, plan, now, tries=max(tries - 1, 0))
    return replace(after, wake_at=now + wait, tries=tries)


DUE: Final[dict[StrEnum, Due[ProviderPolicy]]] = {
    Waiting.FREEZE: _to_freeze,
    Waiting.CREATE: _to_create,
    Waiting.CREATE_RETRY: _to_create_retry,
    Waiting.WEIGHING: _to_weighing,
    Waiting.RECHECK: _to_recheck,
    Waiting.RECREATE: _to_recreate,
    Waiting.WEBHOOK: _to_webhook,
    Waiting.POLL: _to_poll,
    Waiting.CANCEL: _to_cancel,
    Waiting.COMMIT: _to_commit,
    Waiting.ROLLBACK: _to_rollback,
    Waiting.RETURN: _to_return,
    EngineWait.DECISION: for_a_person,
    Waiting.LAST_QUESTION: _to_last_question,
}
