"""Serialized commits: what is heard at once of an order's tasks is kept one by one."""

import asyncio
from collections.abc import Awaitable, Callable

from fsm.domain.orders import Order
from fsm.engine.rows import Task
from fsm.engine.steps import Event, Wait
from fsm.engine.words import Source
from handlers.commit import Applied, Ports, apply
from handlers.work import Wakeups


class SerializedCommits:
    """Lets whoever goes on with rows of one order at once commit one by one.

    Two steps that end at once would both be judged by what was before either of them:
    the store would refuse the second, which would have to read the order again. It
    spares that and guards nothing: others commit elsewhere, and the store tells.
    """

    def __init__(self, order: Order) -> None:
        self._newest = order
        self._lock = asyncio.Lock()

    async def run(
        self, order: Order, commit_from: Callable[[Order], Awaitable[Applied]]
    ) -> Applied:
        """Commit from the newer of what is in hand and what was committed last."""
        async with self._lock:
            made = await commit_from(max(order, self._newest, key=_steps_of))
            self._newest = made.order
        return made


async def heard(
    order: Order,
    task: Task,
    event: Event,
    *,
    ports: Ports,
    wakeups: Wakeups,
    commits: SerializedCommits | None = None,
) -> Applied:
    """Commit what was heard of a task, one by one where others are heard of too."""
    if commits is None:
        return await _heard(order, task, event, ports, wakeups)
    return await commits.run(
        order, lambda newest: _heard(newest, task, event, ports, wakeups)
    )


async def _heard(
    order: Order, task: Task, event: Event, ports: Ports, wakeups: Wakeups
) -> Applied:
    task_id, makes_way = task.task_id, ports.rules.of(task).makes_way
    applied = await apply(order, task_id, event, ports=ports, wakeups=wakeups)
    if not isinstance(applied.decision, Wait) or makes_way is None:
        return applied
    # An answer cannot wait in the inbox as a webhook can: what it waits for ends here.
    ends = Event(trigger=makes_way, source=Source.TIMER)
    made = await apply(applied.order, task_id, ends, ports=ports)
    return await apply(made.order, task_id, event, ports=ports, wakeups=wakeups)


def _steps_of(order: Order) -> int:
    """Return a number that grows with each step, since every row has a version."""
    return order.queue.version + sum(task.version for task in order.queue.tasks)
