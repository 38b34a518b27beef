"""What one person may decide, what takes two, and how a first vote is taken back."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from fsm.domain.errors import NotNow
from fsm.domain.messages import Message
from fsm.domain.orders import Order
from fsm.domain.votes import (
    NOT_THEIR_VOTE,
    VOTED_ALREADY,
    Vote,
    require_key,
)
from fsm.engine.decide import decide
from fsm.engine.manual_check import BY_HAND
from fsm.engine.records import replace
from fsm.engine.rows import Queue, Task
from fsm.engine.steps import Decision, Event, Known, Step
from fsm.engine.words import Source
from handlers.commit import Ports, commit
from handlers.sound import NOT_AS_REQUESTED, looked_over
from handlers.work import Wakeups, no_wakeups


def event_by_person(
    trigger: StrEnum,
    *,
    reason: str,
    actor: str,
    person: str | None,
    evidence: object = None,
    **detail: object,
) -> Event:
    """Return what a person wants, with the reason and the evidence that they give."""
    detail = {
        "reason": reason,
        **detail,
        **({"evidence": evidence} if evidence else {}),
    }
    return Event(
        trigger=trigger,
        source=Source.PERSON,
        actor=actor,
        person=person,
        detail=detail,
    )


async def approve(  # noqa: PLR0913 - what a decision is made of
    order: Order,
    task: Task,
    event: Event,
    *,
    proposal: StrEnum,
    contest: StrEnum,
    needs_two: bool,
    wakeup: Callable[[Task], Message],
    ports: Ports,
) -> Vote:
    """Record a person's vote, and say whether it decides.

    ``event.decision`` is the word that both have to say. A second person who says
    another clears the first vote: neither stands then.

    :raises NotNow: it is nobody with a key; the second person is the first; or the task
        is not as it was seen any more, or not as it was requested.
    :raises Tampered: a row was changed by another hand, as by planting the first vote.
    """
    require_key(event.actor)
    order = await looked_over(order, ports)
    if order.sound is False and event.trigger not in BY_HAND:
        raise NotNow(f"{NOT_AS_REQUESTED}; put the row back first, then decide")
    vote = _counted(task, event) if needs_two else Vote.DECIDES
    if vote is Vote.WAITS:
        event = replace(event, trigger=proposal)
    elif vote is Vote.CLEARS:
        # A code would tell the end of the attempt, and nothing has ended.
        event = replace(event, trigger=contest, code=None)

    def wakeups(moved: Order, _now: datetime) -> list[Message]:
        return [wakeup(moved.task(task.task_id))]

    await _record(order, task, event, ports, wakeups if vote else no_wakeups)
    return vote


async def withdraw_vote(  # noqa: PLR0913 - as a decision is made of
    order: Order,
    task: Task,
    *,
    trigger: StrEnum,
    reason: str,
    actor: str,
    person: str | None,
    ports: Ports,
) -> None:
    """Take one's own first vote back; both stand in the trail.

    :raises NotNow: nobody has voted, or somebody else has.
    """
    order = await looked_over(order, ports)
    if task.proposed_by is None:
        raise NotNow(f"no vote waits for a second person in task {task.task_id}")
    if task.proposed_by != (person or actor):
        raise NotNow(NOT_THEIR_VOTE)
    event = event_by_person(trigger, reason=reason, actor=actor, person=person)
    event = replace(event, decision=task.proposed_decision)
    await _record(order, task, event, ports, no_wakeups)


async def clear_vote(  # noqa: PLR0913 - as a decision is made of
    order: Order,
    task: Task,
    *,
    trigger: StrEnum,
    reason: str,
    actor: str,
    person: str | None,
    ports: Ports,
) -> None:
    """Clear another's first vote, since this person wants otherwise; the trail says so.

    :raises NotNow: the task has just changed.
    """
    event = event_by_person(trigger, reason=reason, actor=actor, person=person)
    await _record(order, task, event, ports, no_wakeups)


def _counted(task: Task, event: Event) -> Vote:
    if task.proposed_by is None:
        return Vote.WAITS
    if task.proposed_by == event.voter:
        raise NotNow(VOTED_ALREADY)
    agrees = task.proposed_decision == event.decision
    return Vote.DECIDES if agrees else Vote.CLEARS


async def _record(
    order: Order, task: Task, event: Event, ports: Ports, wakeups: Wakeups
) -> None:
    def judge(queue: Queue, now: datetime) -> Decision:
        # Decided on what the person saw: a row that has moved is to be looked at anew.
        if queue.task(task.task_id).version != task.version:
            return Known()
        return decide(
            queue,
            task.task_id,
            event,
            rules=ports.rules,
            terms_of=ports.terms_of(queue),
            now=now,
        )

    settled = await commit(order, judge, ports=ports, wakeups=wakeups)
    if not isinstance(settled.decision, Step):
        raise NotNow(f"task {task.task_id} has just changed: look at it again")
