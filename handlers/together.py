"""What one person may decide, and what takes two."""

from collections.abc import Callable
from datetime import datetime

from fsm.decisions import Decision, Event, Known, Step, decide
from fsm.records import replace
from fsm.snapshot import Queue, Task
from fsm.states import Trigger
from handlers.engine import Engine, commit, no_bells
from payment_service.domain.errors import NotNow
from payment_service.domain.messages import Message
from payment_service.domain.orders import Order


async def decide_together(  # noqa: PLR0913 - what a decision is made of
    order: Order,
    task: Task,
    event: Event,
    *,
    proposal: Trigger,
    needs_two: bool,
    bell: Callable[[Task], Message],
    engine: Engine,
) -> bool:
    """Record a person's decision; False where it waits for a second one to agree.

    ``event.decision`` is the word that both have to say.

    :raises NotNow: the second person is the first, or decides otherwise; or the task
        is not as it was seen any more.
    """
    proposes = needs_two and task.proposed_by is None
    if needs_two and not proposes:
        _check_second_person(task, event)
    if proposes:
        event = replace(event, trigger=proposal)

    def bells(moved: Order, _now: datetime) -> list[Message]:
        return [bell(moved.task(task.task_id))]

    def judge(queue: Queue, now: datetime) -> Decision:
        # Decided on what the person saw: a row that has moved is to be looked at anew.
        if queue.task(task.task_id).version != task.version:
            return Known()
        return decide(queue, task.task_id, event, plan_of=engine.plan_of, now=now)

    settled = await commit(
        order, judge, engine=engine, bells=no_bells if proposes else bells
    )
    if not isinstance(settled.decision, Step):
        raise NotNow(f"task {task.task_id} has just changed: look at it again")
    return not proposes


def _check_second_person(task: Task, event: Event) -> None:
    if task.proposed_by == event.actor:
        raise NotNow("the same person cannot decide twice: a second one must agree")
    if task.proposed_decision != event.decision:
        raise NotNow(f"the first decision is {task.proposed_decision}: agree, or wait")
