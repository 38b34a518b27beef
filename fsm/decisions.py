"""Turns (a picture of an order, an event, the time) into a step, or says why not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from zlib import crc32

from fsm.machine import Facts, advance
from fsm.records import replace
from fsm.snapshot import Plan, Queue, Task
from fsm.states import (
    FINAL,
    CaseKind,
    CaseState,
    OrderState,
    Source,
    State,
    Trigger,
    Verdict,
    Waiting,
)
from fsm.table import REST, Answer, Keep, Row

NOT_NEEDED: Final = "not_needed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a task, with what there is to prove it.

    ``asked_at`` is when the question was asked that this is the answer to. ``version``
    is given where it happened to one version of the row and means nothing to a later
    one, as a timer does. ``after`` is for how long at least the provider is to be left
    alone; ``lacking`` says that we did not ask for what we lack ourselves, which uses
    up no try. ``sequence`` is the provider's own number of a webhook, ``content`` a
    hash of all that it says, under whatever id. ``disputed`` is what was said under the
    id of an event that had said something else before: it may open a case, and moves
    nothing. ``person`` is who stands behind an actor that is one of several keys of
    theirs.
    """

    trigger: Trigger
    source: Source = Source.ANSWER
    actor: str = "system"
    person: str | None = None
    code: str | None = None
    message: str | None = None
    reference: str | None = None
    decision: str | None = None
    asked_at: datetime | None = None
    version: int | None = None
    after: timedelta = timedelta(0)
    lacking: bool = False
    sequence: int | None = None
    content: str | None = None
    disputed: bool = False
    detail: Mapping[str, object] = field(default_factory=dict)

    @property
    def voter(self) -> str:
        """Return who has decided: a person is one, with however many keys."""
        return self.person or self.actor


class Announced(StrEnum):
    """The kinds of order events that the outside is told of (contract, 3)."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    ATTEMPT_STARTED = "attempt_started"
    ATTEMPT_FAILED = "attempt_failed"
    MANUAL_CHECK = "manual_check"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """An order event to publish; ``task`` is None where it is about the order."""

    type: Announced
    task: Task | None = None
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A contradiction to open for a person.

    ``content`` tells statements apart, not deliveries: one that is made again opens no
    second case. None where it was no webhook that said it.
    """

    kind: CaseKind
    task_id: str
    detail: Mapping[str, object]
    state: CaseState = CaseState.OPEN
    content: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseMove:
    """What the settlement of a return does to the open cases about it."""

    task_id: str
    state: CaseState
    actor: str
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One task moves by one version; its audit line is made of this."""

    before: Task
    after: Task
    trigger: str
    actor: str
    detail: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueChange:
    """The order's own row moves by one version."""

    before: Queue
    after: Queue
    trigger: str
    actor: str
    detail: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """All that one event changes; committed as a whole or not at all."""

    changes: tuple[Change, ...]
    queue: QueueChange | None
    announcements: tuple[Announcement, ...]
    cases: tuple[Case, ...]
    after: Queue
    case_moves: tuple[CaseMove, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """Old news: nothing to do."""


@dataclass(frozen=True, slots=True)
class Wait:
    """News that is too early: it waits in the inbox until the task is ready."""


Decision = Step | Known | Wait

NEWS: Final = frozenset(
    {
        Trigger.PAID,
        Trigger.ACCEPTED,
        Trigger.DECLINED,
        Trigger.RETURNED,
        Trigger.MISMATCHED,
    }
)
PlanOf = Callable[[Task], Plan]
PROPOSALS: Final = frozenset({Trigger.RESOLUTION_PROPOSED, Trigger.RETURN_PROPOSED})
_BY_HAND: Final = {
    Trigger.SETTLED_POSITIVE: Verdict.PAID,
    Trigger.SETTLED_NEGATIVE: Verdict.NOT_PAID,
}
_CASES_MOVED: Final = {
    Trigger.RETURNED: CaseState.SETTLING,
    Trigger.RETURN_REQUESTED: CaseState.SETTLING,
    Trigger.RETURN_CONFIRMED: CaseState.SETTLED,
    Trigger.RETURN_REFUSED: CaseState.OPEN,
}
_ANY_PLAN: Final = Plan()  # the rule's own moves depend on no capability


def decide(
    queue: Queue, task_id: str, event: Event, *, plan_of: PlanOf, now: datetime
) -> Decision:
    """Say what ``event`` means for one task of ``queue`` at ``now``."""
    task = queue.task(task_id)
    plan = plan_of(task)
    if event.version not in {None, task.version}:
        return Known()
    if _is_early(task, event):
        return Wait()
    if event.trigger is Trigger.CANCEL_REQUESTED and task.cancel_requested:
        return Known()
    if event.trigger is Trigger.DECLINED and _names_another(task, event):
        # The no of another payout proves nothing about this one.
        event = replace(event, trigger=Trigger.MISMATCHED)
    row = None
    if not event.disputed and not _is_overtaken(task, event):
        facts = Facts(task, plan, now, event.asked_at, event.lacking)
        row = advance(facts, event.trigger)
    if row is None:
        return _at_rest(queue, task, event, now)
    after = _moved(task, row, event, plan, now)
    cases = _cases(task, row, event)
    step = _step(queue, [_change(task, after, event)], cases, now)
    return replace(step, case_moves=_case_moves(task, row, event))


def cancel_order(
    queue: Queue, event: Event, *, plan_of: PlanOf, now: datetime
) -> Decision:
    """Give up a whole order: every task that is not final is asked to stop."""
    if queue.final or queue.cancel_requested:
        return Known()
    changes = []
    for task in queue.tasks:
        row = advance(Facts(task, plan_of(task), now), event.trigger)
        if row is not None and not task.cancel_requested:
            after = _moved(task, row, event, plan_of(task), now)
            changes.append(_change(task, after, event))
    wished = replace(queue, cancel_requested=True)
    return _step(wished, changes, (), now, asked=(queue, event))


def notified(queue: Queue) -> Step | Known:
    """Core knows the outcome: nothing is due for this order any more."""
    if queue.waiting_for is not Waiting.NOTIFICATION:
        return Known()
    after = replace(
        queue, version=queue.version + 1, waiting_for=None, wake_at=None, tries=0
    )
    change = QueueChange(
        before=queue, after=after, trigger="core.notified", actor="core", detail={}
    )
    return Step(changes=(), queue=change, announcements=(), cases=(), after=after)


def _is_early(task: Task, event: Event) -> bool:
    """True where news must wait for the step that is under way.

    A webhook that overtakes the create's own answer would let the cascade go on
    while that create is still in flight; and a no that is being weighed lasts
    for one step only.
    """
    if event.trigger not in NEWS:
        return False
    if task.waiting_for is Waiting.WEIGHING:
        return True
    unanswered = task.state in {State.PENDING, State.CREATING}
    return unanswered and event.source is Source.WEBHOOK


def _names_another(task: Task, event: Event) -> bool:
    """True where the provider calls this attempt otherwise than it did before."""
    return None not in {event.reference, task.provider_reference} and (
        event.reference != task.provider_reference
    )


def _is_overtaken(task: Task, event: Event) -> bool:
    """True for a webhook that the provider made before one that was heard already."""
    newest = task.news_sequence
    return None not in {newest, event.sequence} and _newest(task, event) != (
        event.sequence
    )


def _newest(task: Task, event: Event) -> int | None:
    known = [n for n in (task.news_sequence, event.sequence) if n is not None]
    return max(known, default=None)


def _at_rest(queue: Queue, task: Task, event: Event, now: datetime) -> Decision:
    answer = _answer_at_rest(task, event.trigger)
    if answer is Answer.WAIT:
        return Wait()
    if answer is Answer.KNOWN:
        if event.trigger not in NEWS or not _names_another(task, event):
            return Known()
        event = replace(event, trigger=Trigger.MISMATCHED)
    kind = _kind_of_contradiction(task, event)
    after = replace(
        task,
        version=task.version + 1,
        updated_at=_moved_at(task, now),
        news_sequence=_newest(task, event),
    )
    return _step(queue, [_change(task, after, event)], (_case(kind, task, event),), now)


def _answer_at_rest(task: Task, trigger: Trigger) -> Answer:
    answer = REST[trigger][list(State).index(task.state)]
    if answer is not Answer.BY_VERDICT:
        return answer
    if task.verdict is None and not task.final:
        return Answer.CONTRADICTION
    agrees = (task.verdict is Verdict.PAID) is (trigger is Trigger.PAID)
    return Answer.KNOWN if agrees else Answer.CONTRADICTION


def _moved_at(task: Task, now: datetime) -> datetime | None:
    """What is final keeps the time at which it became so."""
    return task.updated_at if task.final else now


def _kind_of_contradiction(task: Task, event: Event) -> CaseKind:
    trigger = event.trigger
    if trigger is Trigger.MISMATCHED and _names_another(task, event):
        return CaseKind.REFERENCE_MISMATCH
    if trigger is Trigger.MISMATCHED:
        return CaseKind.AMOUNT_MISMATCH
    if trigger is Trigger.RETURNED and task.verdict is Verdict.PAID:
        return CaseKind.RETURN_AFTER_SUCCESS
    if trigger is Trigger.PAID and task.final:
        return CaseKind.LATE_SUCCESS
    return CaseKind.CONTRADICTION


def _cases(task: Task, row: Row, event: Event) -> tuple[Case, ...]:
    """Return the case of the row, and one about a second name for the attempt."""
    named = _names_another(task, event)
    kinds = [CaseKind.REFERENCE_MISMATCH] if named else []
    if row.case is not None and not (named and event.trigger is Trigger.MISMATCHED):
        kinds.append(row.case)
    state = CaseState.SETTLING if row.then is Waiting.RETURN else CaseState.OPEN
    return tuple(replace(_case(kind, task, event), state=state) for kind in kinds)


def _case(kind: CaseKind, task: Task, event: Event) -> Case:
    detail: dict[str, object] = {
        "state": task.state.value,
        "trigger": event.trigger.value,
        "provider": task.provider,
        **({"code": event.code} if event.code else {}),
        **event.detail,
    }
    if _names_another(task, event):
        detail["provider_reference"] = task.provider_reference
        detail["other_reference"] = event.reference
    return Case(kind=kind, task_id=task.task_id, detail=detail, content=event.content)


def _case_moves(task: Task, row: Row, event: Event) -> tuple[CaseMove, ...]:
    """Return how a step of a settlement moves the cases about the return."""
    state = _CASES_MOVED.get(event.trigger)
    if state is None or row.source is not State.SUCCEEDED:
        return ()
    said = event.detail.get("reason") or event.message or event.code
    move = CaseMove(
        task_id=task.task_id, state=state, actor=event.actor, reason=_text(said)
    )
    return (move,)


def _change(task: Task, after: Task, event: Event) -> Change:
    detail: dict[str, object] = {"source": event.source.value, **event.detail}
    for name in ("code", "message", "reference", "decision", "person"):
        value = getattr(event, name)
        if value is not None:
            detail[name] = value
    return Change(
        before=task,
        after=after,
        trigger=event.trigger.value,
        actor=event.actor,
        detail=detail,
    )


def _moved(task: Task, row: Row, event: Event, plan: Plan, now: datetime) -> Task:
    """Return the task as the row leaves it, and what is due then."""
    after = replace(
        task,
        state=row.dest,
        version=task.version + 1,
        updated_at=_moved_at(task, now),
        cancel_requested=task.cancel_requested
        or event.trigger is Trigger.CANCEL_REQUESTED,
        provider_reference=task.provider_reference or event.reference,
        news_sequence=_newest(task, event),
    )
    if isinstance(row.then, Keep):
        return after
    if event.trigger in PROPOSALS:
        return replace(after, proposed_by=event.voter, proposed_decision=event.decision)
    after = replace(after, proposed_by=None, proposed_decision=None)
    if row.then is None:
        return _ended(after, task, event)
    return _NEXT[row.then](replace(after, waiting_for=row.then), task, event, plan, now)


def _ended(after: Task, task: Task, event: Event) -> Task:
    """Return the task with nothing due any more."""
    return replace(
        after,
        waiting_for=None,
        wake_at=None,
        tries=0,
        code=task.code if task.final else event.code or task.code,
        verdict=_BY_HAND.get(event.trigger, task.verdict),
        returned=task.returned or event.trigger is Trigger.RETURN_CONFIRMED,
    )


_Next = Callable[[Task, Task, Event, Plan, datetime], Task]
"""(moved so far, before, event, plan, now) -> the task with its next wake-up."""


def _to_freeze(
    after: Task, task: Task, event: Event, plan: Plan, now: datetime
) -> Task:
    """Freeze at once, or when the provider may be given new work again."""
    del task, plan
    return replace(after, wake_at=now + event.after, tries=0, code=event.code)


def _to_create(
    after: Task, task: Task, event: Event, plan: Plan, now: datetime
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
    after: Task, task: Task, event: Event, plan: Plan, now: datetime
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
    task: Task, event: Event, plan: Plan, now: datetime, *, tries: int
) -> timedelta:
    """Return how long to wait; where no try is counted, as long as it took so far."""
    wait = plan.recheck.after(tries, jitter(task))
    if event.lacking and task.sent_first_at is not None:
        wait = max(wait, min(now - task.sent_first_at, plan.recheck.longest))
    return max(wait, event.after)


def _to_weighing(
    after: Task, task: Task, event: Event, plan: Plan, now: datetime
) -> Task:
    del plan
    after = replace(after, wake_at=now, tries=0)
    if event.trigger is Trigger.TAMPERED:
        # Nothing was sent: what is weighed is the order, not an answer.
        return replace(after, code=event.code, sent_last_at=task.sent_last_at)
    return replace(after, taken=True, sent_last_at=now)


def _to_recheck(
    after: Task, task: Task, event: Event, plan: Plan, now: datetime
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
    after: Task, task: Task, event: Event, plan: Plan, now: datetime
) -> Task:
    del event, plan
    return replace(after, wake_at=now, tries=task.tries, sent_last_at=now)


def _accepted(after: Task, task: Task, event: Event, plan: Plan, now: datetime) -> Task:
    """Start the SLA where the provider has just taken the payout."""
    if event.trigger is not Trigger.ACCEPTED:
        return after
    sla_at = None if plan.sla is None else now + plan.sla
    del task
    return replace(after, taken=True, sla_at=sla_at, deadline_at=None)


def _to_webhook(
    after: Task, task: Task, event: Event, plan: Plan, now: datetime
) -> Task:
    after = _accepted(after, task, event, plan, now)
    if after.deadline_at is not None:
        return _polling(after, plan, now, tries=0)
    return replace(after, wake_at=after.sla_at, tries=0)


def _polling(
    after: Task,
    plan: Plan,
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


def _to_poll(after: Task, task: Task, event: Event, plan: Plan, now: datetime) -> Task:
    first = event.trigger in {Trigger.SLA_PASSED, Trigger.CANCEL_UNCLEAR}
    tries = 0 if first else _tries(task, event)
    polling = _polling(after, plan, now, tries=tries, at_least=event.after)
    if not event.lacking or polling.wake_at is None or polling.deadline_at is None:
        return polling
    # A time in which we could not ask is none that the provider let pass.
    return replace(polling, deadline_at=polling.deadline_at + (polling.wake_at - now))


def _to_cancel(
    after: Task, task: Task, event: Event, plan: Plan, now: datetime
) -> Task:
    after = _accepted(after, task, event, plan, now)
    if event.trigger is not Trigger.CANCEL_UNCLEAR:
        return replace(after, wake_at=now, tries=0)
    wait = _recheck_wait(task, event, plan, now, tries=task.tries)
    return replace(after, wake_at=now + wait, tries=_tries(task, event))


def _to_commit(
    after: Task, task: Task, event: Event, plan: Plan, now: datetime
) -> Task:
    del task, event, plan
    return replace(after, wake_at=now, tries=0, taken=True, verdict=Verdict.PAID)


def _to_rollback(
    after: Task, task: Task, event: Event, plan: Plan, now: datetime
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
    after: Task, task: Task, event: Event, plan: Plan, now: datetime
) -> Task:
    del task, event, plan
    return replace(after, wake_at=now, tries=0)


def _to_decision(
    after: Task, task: Task, event: Event, plan: Plan, now: datetime
) -> Task:
    del plan, now
    return replace(after, wake_at=None, tries=0, code=event.code or task.code)


def _to_last_question(
    after: Task, task: Task, event: Event, plan: Plan, now: datetime
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


_NEXT: Final[dict[Waiting, _Next]] = {
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
    Waiting.DECISION: _to_decision,
    Waiting.LAST_QUESTION: _to_last_question,
}


def jitter(task: Task) -> float:
    """Spread waits over ±10 %, the same for the same task and version."""
    spread = crc32(f"{task.task_id}:{task.version}".encode()) / 2**32
    return 0.9 + 0.2 * spread


def _step(
    queue: Queue,
    changes: list[Change],
    cases: tuple[Case, ...],
    now: datetime,
    *,
    asked: tuple[Queue, Event] | None = None,
) -> Step:
    """Let the queue's rule follow the changes of its tasks."""
    after = queue.with_tasks({c.after.task_id: c.after for c in changes})
    followed, outcome = cascade(after, changes, now)
    after = after.with_tasks({c.after.task_id: c.after for c in followed})
    before = asked[0] if asked else queue
    change = None
    if outcome is not None or asked:
        after = replace(after, version=before.version + 1)
        if outcome is not None:
            after = replace(
                after, state=outcome, waiting_for=Waiting.NOTIFICATION, wake_at=now
            )
        event = asked[1] if asked else None
        change = QueueChange(
            before=before,
            after=after,
            trigger=event.trigger.value if event else f"order.{after.state.lower()}",
            actor=event.actor if event else "system",
            detail=dict(event.detail) if event else {},
        )
    every = (*changes, *followed)
    return Step(
        changes=every,
        queue=change,
        announcements=(*_announced(every), *_outcome_announced(outcome, every)),
        cases=cases,
        after=after,
    )


def cascade(
    queue: Queue, changes: list[Change], now: datetime
) -> tuple[list[Change], OrderState | None]:
    """Apply the cascade's rule: first success completes, all negative fails.

    A next task starts only once no task is at work, so an order never has two
    holds; a cancelled order starts none.
    """
    if queue.final or not any(_finished(c) for c in changes):
        return [], None
    waiting = [t for t in queue.tasks if t.waiting_for is Waiting.TURN]
    if any(t.state is State.SUCCEEDED for t in queue.tasks):
        event = Event(trigger=Trigger.NOT_NEEDED, code=NOT_NEEDED)
        return [_ruled(t, event, now) for t in waiting], OrderState.COMPLETED
    if any(not t.final and t.waiting_for is not Waiting.TURN for t in queue.tasks):
        return [], None
    if not waiting:
        gone = OrderState.CANCELLED if queue.cancel_requested else OrderState.FAILED
        return [], gone
    first = min(waiting, key=lambda t: t.position)
    return [_ruled(first, Event(trigger=Trigger.TURN_CAME), now)], None


def _finished(change: Change) -> bool:
    return change.after.final and not change.before.final


def _ruled(task: Task, event: Event, now: datetime) -> Change:
    """Move a task that waits for its turn, as the rule says."""
    row = advance(Facts(task, _ANY_PLAN, now), event.trigger)
    if row is None:  # pragma: no cover - the table has both rows, a test holds it
        raise LookupError(event.trigger, task.state)
    event = replace(event, source=Source.TIMER)
    return _change(task, _moved(task, row, event, _ANY_PLAN, now), event)


def _announced(changes: tuple[Change, ...]) -> list[Announcement]:
    told = []
    for change in changes:
        kind = _kind_announced(change)
        if kind is not None:
            told.append(
                Announcement(
                    type=kind,
                    task=change.after,
                    code=change.after.code,
                    message=_text(change.detail.get("message")),
                )
            )
    return told


def _kind_announced(change: Change) -> Announced | None:
    before, after = change.before, change.after
    if before.state is State.PENDING and after.waiting_for is Waiting.CREATE:
        return Announced.ATTEMPT_STARTED
    if after.waiting_for is Waiting.DECISION and _comes_to_a_person(before):
        return Announced.MANUAL_CHECK
    begun = before.waiting_for is not Waiting.TURN
    negative = after.state in FINAL and after.state is not State.SUCCEEDED
    if begun and negative and not before.final:
        return Announced.ATTEMPT_FAILED
    return None


def _comes_to_a_person(before: Task) -> bool:
    """True where nobody was to decide: it is new to them, or their no was stopped."""
    return (
        before.state is not State.MANUAL_CHECK
        or before.waiting_for is Waiting.LAST_QUESTION
    )


def _outcome_announced(
    outcome: OrderState | None, changes: tuple[Change, ...]
) -> list[Announcement]:
    if outcome is None:
        return []
    last = next(c.after for c in changes if _finished(c))
    return [
        Announcement(
            type=Announced(outcome.value.lower()),
            task=last if outcome is OrderState.COMPLETED else None,
            code=None if outcome is OrderState.COMPLETED else last.code,
        )
    ]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
