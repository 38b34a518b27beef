"""The sweeper's reads in memory: rows that are overdue."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from fsm.domain.errors import UnknownWords
from fsm.domain.orders import Order
from fsm.engine.rows import Queue, Task
from handlers.ports.bus import Delivery
from payment_service.playground.memory.tables import place
from payment_service.playground.memory.transactions import MemoryTransactions

Row = TypeVar("Row", Task, Queue)


class MemorySweeps(MemoryTransactions):
    """The orders of the port ``Sweepable``, and what is parked.

    All that share these rows are of one version, so no order is parked for another.
    """

    async def park(self, unknown: UnknownWords) -> None:
        raise unknown

    async def park_message(self, delivery: Delivery) -> bool:
        self.tables.parked[delivery.identity] = delivery
        return True

    async def overdue(self, *, grace: timedelta, limit: int) -> Sequence[Order]:
        tasks = [t for o in self.tables.orders.values() for t in o.queue.tasks]
        queues = [o.queue for o in self.tables.orders.values()]
        late_tasks = self._late(tasks, grace, limit)
        late_queues = self._late(queues, grace, limit)
        for task in late_tasks:
            self._put_task(replace(task, wake_at=self._clock.now()))
        for queue in late_queues:
            order = self.tables.orders[queue.queue_id]
            woken = replace(order.queue, wake_at=self._clock.now())
            self.tables.orders[queue.queue_id] = order.with_queue(woken)
        woken_for = dict.fromkeys(
            [task.queue_id for task in late_tasks]
            + [queue.queue_id for queue in late_queues]
        )
        return [self.tables.orders[queue_id] for queue_id in woken_for]

    def _late(self, rows: Iterable[Row], grace: timedelta, limit: int) -> list[Row]:
        """Return the most overdue rows, and count that they are woken."""
        now = self._clock.now()
        late = [
            row
            for row in rows
            if row.wake_at is not None
            and row.wake_at < now - grace * self.tables.graces(row)
        ]
        late = sorted(late, key=lambda row: row.wake_at or now)[:limit]
        for row in late:
            self.tables.redrives[place(row)] = (
                self.tables.redrives.get(place(row), 0) + 1
            )
        return late
