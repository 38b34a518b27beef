"""Records a person's decision on a manual check, with four eyes where required."""

from datetime import datetime
from enum import StrEnum

from fsm.decisions import Decision, Event, Known, Step, decide
from fsm.snapshot import Queue, Task
from fsm.states import Source, State, Trigger
from handlers.cancel import order_of_task
from handlers.engine import Engine, commit, no_bells
from payment_service.domain.errors import NotNow
from payment_service.domain.messages import Message, resolved_doorbell
from payment_service.domain.orders import Order


class Ruling(StrEnum):
    """What a person can decide: it paid, or it did not."""

    POSITIVE = "positive"
    NEGATIVE = "negative"


_TRIGGERS = {
    Ruling.POSITIVE: Trigger.RESOLVED_POSITIVE,
    Ruling.NEGATIVE: Trigger.RESOLVED_NEGATIVE,
}


async def resolve(  # noqa: PLR0913 - what a decision is made of
    task_id: str,
    ruling: Ruling,
    *,
    reason: str,
    evidence: object,
    actor: str,
    four_eyes_from: int | None,
    engine: Engine,
) -> bool:
    """Record the decision; False where it waits for a second person.

    :raises UnknownOrder: no such task.
    :raises NotNow: it is not in MANUAL_CHECK; or the second person is the first, or
        decides otherwise.
    """
    order = await order_of_task(task_id, engine=engine)
    task = order.task(task_id)
    if task.state is not State.MANUAL_CHECK:
        raise NotNow(f"task {task_id} is {task.state}, not in MANUAL_CHECK")
    needs_two = four_eyes_from is not None and order.money.amount >= four_eyes_from
    proposes = needs_two and task.proposed_by is None
    if needs_two and not proposes:
        _check_second_person(task, ruling, actor)
    event = Event(
        trigger=Trigger.RESOLUTION_PROPOSED if proposes else _TRIGGERS[ruling],
        source=Source.PERSON,
        actor=actor,
        decision=ruling.value,
        code=None if ruling is Ruling.POSITIVE else f"resolved_{ruling}",
        detail={"reason": reason, **({"evidence": evidence} if evidence else {})},
    )

    def bells(moved: Order, _now: object) -> list[Message]:
        return [resolved_doorbell(moved.task(task_id))]

    def judge(queue: Queue, now: datetime) -> Decision:
        # Decided on what the person saw: a row that has moved is to be looked at anew.
        if queue.task(task_id).version != task.version:
            return Known()
        return decide(queue, task_id, event, plan_of=engine.plan_of, now=now)

    settled = await commit(
        order, judge, engine=engine, bells=no_bells if proposes else bells
    )
    if not isinstance(settled.decision, Step):
        raise NotNow(f"task {task_id} has just changed: look at it again")
    return not proposes


def _check_second_person(task: Task, ruling: Ruling, actor: str) -> None:
    if task.proposed_by == actor:
        raise NotNow("the same person cannot decide twice: a second one must agree")
    if task.proposed_decision != ruling.value:
        raise NotNow(f"the first decision is {task.proposed_decision}: agree, or wait")
