"""Records a person's decision on a manual check, with four eyes where required."""

from enum import StrEnum
from typing import Any

from fsm.domain.errors import InvalidRequest, NotNow
from fsm.domain.four_eyes import FourEyes
from fsm.domain.messages import resolved_wakeup
from fsm.domain.votes import Vote
from fsm.engine.lifecycle import Lifecycle
from fsm.engine.manual_check import BY_HAND
from fsm.engine.records import replace
from fsm.engine.rows import Task
from fsm.engine.words import EngineTrigger, EngineWait, State
from handlers.approval import approve, event_by_person, withdraw_vote
from handlers.cancel import order_of_task
from handlers.commit import Ports


class Ruling(StrEnum):
    """What a person can decide: it paid, or it did not."""

    POSITIVE = "positive"
    NEGATIVE = "negative"


_TRIGGERS = {
    (Ruling.POSITIVE, False): EngineTrigger.RESOLVED_POSITIVE,
    (Ruling.NEGATIVE, False): EngineTrigger.RESOLVED_NEGATIVE,
    (Ruling.POSITIVE, True): EngineTrigger.SETTLED_POSITIVE,
    (Ruling.NEGATIVE, True): EngineTrigger.SETTLED_NEGATIVE,
}


async def resolve(  # noqa: PLR0913 - what a decision is made of
    task_id: str,
    ruling: Ruling,
    *,
    reason: str,
    evidence: object,
    actor: str,
    four_eyes: FourEyes,
    ports: Ports,
    by_hand: bool = False,
    person: str | None = None,
) -> Vote:
    """Record the decision, and say whether it counts or waits for a second person.

    Where it leads says the table of the task's lifecycle: a payout's no is acted on
    only once the provider, asked once more, does not deny it.
    ``by_hand`` ends the task without a balance call: for one whose call core has
    refused, after people have set core's books right themselves. That takes evidence,
    and two persons wherever any decision does, whatever the amount. A no to what the
    provider says it paid is asked about all the same, and then rolled back by core.

    :raises UnknownOrder: no such task.
    :raises InvalidRequest: it is settled by hand, and there is no evidence.
    :raises NotNow: it is not in MANUAL_CHECK, or was decided; the second person is the
        first; or core has refused nothing that could be settled by hand.
    """
    if by_hand and not evidence:
        needed = "is needed where the balance is settled by hand"
        raise InvalidRequest.of_field("evidence", detail=needed)
    order = await order_of_task(task_id, ports=ports)
    task = order.task(task_id)
    trigger = _TRIGGERS[ruling, by_hand]
    _check_undecided(task, trigger, ports.rules.of(task))
    event = replace(
        event_by_person(
            trigger, reason=reason, actor=actor, person=person, evidence=evidence
        ),
        decision=f"settled_{ruling}" if by_hand else ruling.value,
        code=None if ruling is Ruling.POSITIVE else trigger.value.replace(".", "_"),
    )
    return await approve(
        order,
        task,
        event,
        proposal=EngineTrigger.RESOLUTION_PROPOSED,
        contest=EngineTrigger.RESOLUTION_CONTESTED,
        needs_two=four_eyes.needs_two(order.money) or (by_hand and four_eyes.exists),
        wakeup=resolved_wakeup,
        ports=ports,
    )


async def withdraw_resolution(
    task_id: str,
    *,
    reason: str,
    actor: str,
    ports: Ports,
    person: str | None = None,
) -> None:
    """Take one's own vote back, as long as no second person has agreed.

    :raises UnknownOrder: no such task.
    :raises NotNow: nobody has voted, or somebody else has.
    """
    order = await order_of_task(task_id, ports=ports)
    task = order.task(task_id)
    if task.state is not State.MANUAL_CHECK:
        raise NotNow(f"task {task_id} is {task.state}, not in MANUAL_CHECK")
    await withdraw_vote(
        order,
        task,
        trigger=EngineTrigger.RESOLUTION_WITHDRAWN,
        reason=reason,
        actor=actor,
        person=person,
        ports=ports,
    )


def _check_undecided(
    task: Task, trigger: EngineTrigger, lifecycle: Lifecycle[Any]
) -> None:
    if task.state is not State.MANUAL_CHECK:
        raise NotNow(f"task {task.task_id} is {task.state}, not in MANUAL_CHECK")
    if task.waiting_for is not EngineWait.DECISION:
        waits = lifecycle.sentences.waiting(task) or f"waits for {task.waiting_for}"
        raise NotNow(f"task {task.task_id} was decided: {waits}")
    if (trigger, task.state) not in lifecycle.ways:
        raise NotNow(
            f"task {task.task_id} has no balance at core that could be settled by "
            "hand: decide it without"
        )
    if trigger in BY_HAND and task.verdict is None:
        raise NotNow(
            f"core has refused no balance call of task {task.task_id}: decide, "
            "and core will be asked"
        )
