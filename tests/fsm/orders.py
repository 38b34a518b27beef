"""Builds orders for the core's tests, and goes through all that can become of one."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from fsm.engine.decide import cancel_order, decide, notified
from fsm.engine.records import replace
from fsm.engine.rows import Queue, Task
from fsm.engine.steps import Decision, Event, Step
from fsm.engine.words import LIVE, EngineTrigger, EngineWait, Source, State, Verdict
from fsm.flows import RULES
from fsm.payout.hearing import WEBHOOK
from fsm.payout.policy import AskedBy, ProviderPolicy
from fsm.payout.table import TABLE
from fsm.payout.words import Trigger, Waiting
from handlers.ports.core import Confirmed, Refused
from handlers.ports.provider import (
    Accepted,
    Cancelled,
    Declined,
    NotFound,
    NotSent,
    Succeeded,
    TooLate,
    Unclear,
)
from tests.model.asking import GRACE, NOW, OLD, ask, blurred

PLAN = ProviderPolicy(not_found_grace=GRACE, recheck_attempts=2)
DEFINITE = replace(PLAN, not_found_definite=True)
IDEMPOTENT = replace(PLAN, idempotent_create=True)
PLANS = {
    "asked": PLAN,
    "definite": DEFINITE,
    "idempotent": IDEMPOTENT,
    "both": replace(DEFINITE, idempotent_create=True),
    "manual": replace(PLAN, polls=False, recheck_attempts=1),
    "unasked": replace(IDEMPOTENT, asked_by=AskedBy.NOTHING),
    "no sla": replace(PLAN, sla=None, recheck_attempts=3),
}

TRIES_MAX = 1 + max(plan.recheck_attempts for plan in PLANS.values())

ACCEPTED = Accepted(reference="p-1")
PAID = Succeeded(reference="p-1")
OTHER_AMOUNT = Succeeded(reference="p-1", amount=1)
DECLINED = Declined(code="no")
CREATE_ANSWERS = (
    PAID,
    OTHER_AMOUNT,
    ACCEPTED,
    DECLINED,
    NotSent(because="no connection"),
    Unclear(because="timeout"),
)
CORE_ANSWERS = (Confirmed(), Refused(code="no", message="no"))
ANSWERS = {
    None: (None,),
    "create": CREATE_ANSWERS,
    "status": (*CREATE_ANSWERS, NotFound()),
    "cancel": (Cancelled(), TooLate(), NotSent(because="no"), Unclear(because="no")),
    "freeze": CORE_ANSWERS,
    "commit": CORE_ANSWERS,
    "rollback": CORE_ANSWERS,
    "return": CORE_ANSWERS,
}
"""Everything that a neighbour can answer to each call."""


def a_task(position=0, **changes):
    task = Task(
        task_id=f"task-{position}",
        queue_id="queue",
        position=position,
        provider="acme",
        waiting_for=EngineWait.TURN if position else Waiting.FREEZE,
        wake_at=None if position else NOW,
    )
    return replace(task, **changes)


def an_order(providers=1, **first):
    tasks = (a_task(**first), *(a_task(n) for n in range(1, providers)))
    return Queue(queue_id="queue", tasks=tasks)


def judged(queue, trigger, position=0, *, plan=PLAN, now=NOW, **event) -> Any:
    """Return what a trigger means for one task."""
    happened = Event(trigger=trigger, **event)
    task_id = queue.tasks[position].task_id
    return decide(
        queue, task_id, happened, rules=RULES, terms_of=lambda _: plan, now=now
    )


def moved(queue, *triggers, position=0, plan=PLAN, now=NOW, **event):
    """Return the order after the triggers; each of them has to be a step."""
    for trigger in triggers:
        step = judged(queue, trigger, position, plan=plan, now=now, **event)
        assert isinstance(step, Step), (trigger, queue.tasks[position], step)
        queue = step.after
    return queue


def given_up(queue, *, plan=PLAN):
    """Return the order after its cancellation was asked for."""
    wish = Event(trigger=EngineTrigger.CANCEL_REQUESTED, source=Source.PERSON)
    step = cancel_order(queue, wish, rules=RULES, terms_of=lambda _: plan, now=NOW)
    assert isinstance(step, Step)
    return step.after


def wished(queue, position=0, *, plan=PLAN):
    """Return the order after the cancellation of one task was asked for."""
    return moved(queue, EngineTrigger.CANCEL_REQUESTED, position=position, plan=plan)


T, R = Trigger, EngineTrigger
TO_CREATE = (T.FREEZE_CONFIRMED,)
TO_EXECUTING = (*TO_CREATE, T.ACCEPTED)
TO_RECHECKING = (*TO_CREATE, T.UNCLEAR, T.WEIGHED)
TO_MANUAL = (*TO_EXECUTING, T.RETURNED)
TO_COMMIT = (*TO_CREATE, T.PAID)
TO_SUCCESS = (*TO_COMMIT, T.COMMIT_CONFIRMED)
TO_ROLLBACK = (*TO_CREATE, T.DECLINED)
TO_SKIPPED = (*TO_ROLLBACK, T.ROLLBACK_CONFIRMED)
TO_FAILED = (*TO_EXECUTING, T.DECLINED, T.ROLLBACK_CONFIRMED)


@dataclass(frozen=True, slots=True)
class Edge:
    """One event in one reachable picture, and what it was judged to mean."""

    before: Queue
    position: int | None
    event: Event
    due: bool
    decision: Decision


@cache
def edges(plan_name: str, providers: int = 1, *, wild: bool = True) -> tuple[Edge, ...]:
    """Return everything that can happen to an order.

    ``wild`` adds every late answer, webhook and wish, whether or not it makes sense.
    """
    plan = PLANS[plan_name]
    first = faint(an_order(providers))
    seen, todo, found = {first}, [first], []
    while todo:
        queue = todo.pop()
        for edge in _happens(queue, plan, wild=wild):
            found.append(edge)
            if isinstance(edge.decision, Step):
                after = faint(edge.decision.after)
                nexts = {after, paused(after)} - seen
                seen |= nexts
                todo += nexts
    return tuple(found)


def faint(queue):
    """Keep of a picture what decides."""
    tasks = tuple(
        replace(
            b,
            proposed_by=b.proposed_by and "somebody",
            # Wild answers to the last question never end; past the budget all is one.
            tries=min(b.tries, TRIES_MAX),
        )
        for b in map(blurred, queue.tasks)
    )
    wake_at = None if queue.wake_at is None else NOW
    return replace(queue, tasks=tasks, version=1, wake_at=wake_at)


def paused(queue):
    """Return the picture after a time longer than every grace."""
    tasks = tuple(replace(t, sent_last_at=t.sent_last_at and OLD) for t in queue.tasks)
    return replace(queue, tasks=tasks)


def _happens(queue: Queue, plan: ProviderPolicy, *, wild: bool) -> Iterator[Edge]:
    for position, task in enumerate(queue.tasks):
        due = [*_heard(task, plan)] if task.due(NOW) else []
        for event in due:
            yield _edge(queue, position, event, plan, due=True)
        for event in (*_PERSONS, *(_WILD if wild else ())):
            if event not in due and _sensible(event, task):
                yield _edge(queue, position, event, plan, due=False)
    if queue.due(NOW):
        told = Event(trigger=EngineTrigger.NOT_NEEDED)
        yield Edge(queue, None, told, due=True, decision=notified(queue))
    wish = Event(trigger=EngineTrigger.CANCEL_REQUESTED, source=Source.PERSON)
    decision = cancel_order(queue, wish, rules=RULES, terms_of=lambda _: plan, now=NOW)
    yield Edge(queue, None, wish, due=False, decision=decision)


def _edge(queue, position, event, plan, *, due):
    task_id = queue.tasks[position].task_id
    decision = decide(
        queue, task_id, event, rules=RULES, terms_of=lambda _: plan, now=NOW
    )
    return Edge(queue, position, event, due=due, decision=decision)


def _heard(task: Task, plan: ProviderPolicy) -> Iterator[Event]:
    """Return all that the call of a due row can mean, in the handlers' own words."""
    seen = set()
    for claimed in (True, False):
        for late in (False, True):
            task = replace(task, updated_at=NOW if claimed else OLD)
            asked, _ = ask(task, plan, claimed=claimed, deadline_passed=late)
            for answer in ANSWERS[asked]:
                _, event = ask(
                    task, plan, answer, claimed=claimed, deadline_passed=late
                )
                assert event is not None
                if event.trigger not in seen:
                    seen.add(event.trigger)
                    yield Event(trigger=event.trigger, source=event.source)


# The rule's own moves are nobody's to ask for, and decisions are a person's.
_RULED = {EngineTrigger.TURN_CAME, EngineTrigger.NOT_NEEDED}
_DECIDED = {
    EngineTrigger.RESOLVED_POSITIVE,
    EngineTrigger.RESOLVED_NEGATIVE,
    EngineTrigger.RESOLUTION_PROPOSED,
    EngineTrigger.RESOLUTION_WITHDRAWN,
    EngineTrigger.RESOLUTION_CONTESTED,
    EngineTrigger.SETTLED_POSITIVE,
    EngineTrigger.SETTLED_NEGATIVE,
    Trigger.RETURN_PROPOSED,
    Trigger.RETURN_WITHDRAWN,
    Trigger.RETURN_CONTESTED,
    Trigger.RETURN_REQUESTED,
    EngineTrigger.CANCEL_REQUESTED,
}
_PERSONS = tuple(
    Event(trigger=trigger, source=Source.PERSON, actor="somebody")
    for trigger in sorted(_DECIDED)
)
_WILD = (
    *(
        Event(trigger=t)
        for t in dict.fromkeys(row.trigger for row in TABLE)
        if t not in _RULED | _DECIDED
    ),
    *(Event(trigger=t, source=Source.WEBHOOK) for t in sorted(WEBHOOK)),
    Event(trigger=Trigger.NOT_FOUND, asked_at=OLD),
)


def _sensible(event: Event, task: Task) -> bool:
    """A wish that changes nothing more is left out, to keep the search small."""
    return not (
        task.cancel_requested and event.trigger is EngineTrigger.CANCEL_REQUESTED
    )


def _has_its_turn(task: Task) -> bool:
    pending = task.state is State.PENDING
    return task.waiting_for is not EngineWait.TURN if pending else task.state in LIVE


def broken_rows(queue: Queue) -> list[str]:
    """Name what the constraints of the schema would refuse."""
    wrong = []
    for task in queue.tasks:
        wrong += [
            f"{name}: {task}" for name, holds in _CHECKS.items() if not holds(task)
        ]
    if sum(_has_its_turn(t) for t in queue.tasks) > 1:
        wrong.append("uq_order_tasks_one_live")
    if sum(t.state is State.SUCCEEDED for t in queue.tasks) > 1:
        wrong.append("uq_order_tasks_one_succeeded")
    if (queue.waiting_for is None) is not (queue.wake_at is None):
        wrong.append("ck_order_queues_waits")
    return wrong


_TIMELESS = {EngineWait.TURN, EngineWait.DECISION, Waiting.WEBHOOK}
_CHECKS = {
    "ck_order_tasks_waits": lambda t: (
        (t.waiting_for is None and t.wake_at is None)
        or (t.state is State.SUCCEEDED and t.waiting_for is Waiting.RETURN)
        if t.final
        else t.waiting_for is not None
        and (t.wake_at is not None or t.waiting_for in _TIMELESS)
    ),
    "ck_order_tasks_waiting_for": lambda t: (
        t.waiting_for is not EngineWait.NOTIFICATION
    ),
    "ck_order_tasks_succeeded": lambda t: (
        t.state is not State.SUCCEEDED or t.verdict is Verdict.PAID
    ),
    "ck_order_tasks_unpaid": lambda t: (
        t.state not in {State.SKIPPED, State.FAILED, State.CANCELLED}
        or t.verdict is not Verdict.PAID
    ),
    "ck_order_tasks_contradicting_calls": lambda t: (
        (t.waiting_for is not Waiting.COMMIT or t.verdict is Verdict.PAID)
        and (t.waiting_for is not Waiting.ROLLBACK or t.verdict is Verdict.NOT_PAID)
    ),
}
