"""The store in memory: the same answers as PostgreSQL, and faults on demand."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from fsm.domain.errors import StaleWrite, WebhookSettled
from fsm.domain.messages import Message
from fsm.domain.orders import Order, Submission
from fsm.engine.rows import Queue, Task
from fsm.engine.steps import Change
from fsm.engine.words import Kind, OrderState
from handlers.ports.store import NewOrder, Recorded, StepWrite, Unsent
from payment_service.playground.memory.constraints import (
    check_live,
    check_queue,
    check_step,
    check_task,
)
from payment_service.playground.memory.operator_store import MemoryOperatorStore
from payment_service.playground.memory.outbox import MemoryOutbox
from payment_service.playground.memory.sweeps import MemorySweeps


class MemoryStore(MemoryOperatorStore, MemoryOutbox, MemorySweeps):
    """Implements the ports ``Store``, ``Outbox``, ``Sweepable`` and ``OperatorStore``.

    Each method is one transaction: it does all of its work or none.
    """

    async def submit(self, new: NewOrder) -> Submission:
        return await self._commit("store.submit", lambda: self._submit(new))

    async def load(self, queue_id: str) -> Order | None:
        return self.tables.orders.get(queue_id)

    async def queue_of(self, task_id: str) -> str | None:
        return self.tables.queues.get(task_id)

    async def queue_of_order(
        self, merchant_id: str, kind: Kind, order_id: str
    ) -> str | None:
        return self.tables.keys.get((merchant_id, kind.value, order_id))

    async def completed(self, exclusive_key: str, *, limit: int) -> Sequence[str]:
        its = [
            (order.finished_at, queue_id)
            for queue_id, order in self.tables.orders.items()
            if order.queue.exclusive_key == exclusive_key
            and order.queue.state is OrderState.COMPLETED
            and order.finished_at is not None
        ]
        return [queue_id for _, queue_id in sorted(its, reverse=True)[:limit]]

    async def record(self, work: StepWrite) -> Recorded:
        return await self._commit("store.record", lambda: self._record(work))

    def _submit(self, new: NewOrder) -> tuple[Submission, list[Unsent]]:
        request = new.request
        key = (request.merchant_id, request.kind.value, request.order_id)
        known = self.tables.keys.get(key)
        if known is not None:
            same = self.tables.contents[known] == request.content
            return Submission(
                status="duplicate" if same else "conflict",
                order_id=request.order_id,
                queue_id=known if same else None,
            ), []
        queue = new.order.queue
        held = self._holder(queue)
        if held is not None:
            same = held.queue.kind is request.kind
            return Submission(
                status="duplicate" if same else "conflict",
                order_id=held.order_id,
                queue_id=held.queue_id,
            ), []
        check_queue(queue)
        for task in queue.tasks:
            check_task(task)
        check_live(queue)
        self._check_trail(new.lines)
        self.tables.keys[key] = queue.queue_id
        self.tables.contents[queue.queue_id] = request.content
        # Whoever loads it has yet to look it over.
        self.tables.orders[queue.queue_id] = replace(new.order, sound=None)
        for task in queue.tasks:
            self.tables.queues[task.task_id] = queue.queue_id
        self._write(new.lines)
        return Submission(
            status="accepted", order_id=request.order_id, queue_id=queue.queue_id
        ), self._posted(new.messages, bundled=True)

    def _holder(self, wanted: Queue) -> Order | None:
        """Return the order that runs with the exclusive key of a new one."""
        key = wanted.exclusive_key
        for order in self.tables.orders.values() if key else ():
            if order.queue.exclusive_key == key and order.finished_at is None:
                return order
        return None

    def _record(self, work: StepWrite) -> tuple[Recorded, list[Unsent]]:
        if not all(self._still_waits(inbox_id) for inbox_id in work.webhooks):
            raise WebhookSettled(work.order.queue_id)
        order = self.tables.orders.get(work.order.queue_id)
        if order is None or not _is_current(order, work):
            raise StaleWrite(work.order.queue_id)
        moved = {
            change.after.task_id: _moved(
                order.task(change.after.task_id),
                change,
                settles=bool(work.webhooks) and place == 0,
            )
            for place, change in enumerate(work.step.changes)
        }
        after = self._with_queue(order, work, order.queue.with_tasks(moved))
        check_step(order, after, work.step)
        self._check_trail(work.lines)
        self.tables.orders[order.queue_id] = after
        self._write(work.lines)
        told = list(self._told_of_cases(work))
        for inbox_id, state in work.webhooks.items():
            self._settle(inbox_id, state)
        waiting = (task.task_id for task in moved.values() if task.webhook_pending)
        return Recorded(webhook_pending=frozenset(waiting)), [
            *self._posted(work.messages, bundled=True),
            *self._posted(told),
        ]

    def _told_of_cases(self, work: StepWrite) -> Iterator[Message]:
        for case in work.step.cases:
            yield from self._open(case, work.order, work.at)
        for move in work.step.case_moves:
            yield from self._move_cases(move, work.order, work.at)

    def _with_queue(self, order: Order, work: StepWrite, queue: Queue) -> Order:
        change = work.step.queue
        if change is None:
            return order.with_queue(queue)
        wanted = change.after
        moved = replace(
            queue,
            state=wanted.state,
            version=wanted.version,
            cancel_requested=wanted.cancel_requested,
            waiting_for=wanted.waiting_for,
            wake_at=wanted.wake_at,
            tries=wanted.tries,
            loaded=wanted.loaded,
            customer_message=wanted.customer_message,
            audit_hash=wanted.audit_hash,
        )
        finished_at = work.at if wanted.final else None
        return replace(order, queue=moved, finished_at=order.finished_at or finished_at)


def _is_current(order: Order, work: StepWrite) -> bool:
    change = work.step.queue
    if change is not None and _base(change.before) != _base(order.queue):
        return False
    bases = {task.task_id: _base(task) for task in order.queue.tasks}
    return all(
        bases.get(c.before.task_id) == _base(c.before) for c in work.step.changes
    )


def _base(row: Task | Queue) -> tuple[int, bytes]:
    return row.version, row.audit_hash


def _moved(stored: Task, change: Change, *, settles: bool) -> Task:
    """Return the row as a step leaves it; what no step writes stays as stored."""
    return replace(
        change.after,
        position=stored.position,
        lifecycle=stored.lifecycle,
        step=stored.step,
        name=stored.name,
        provider=stored.provider,
        terminal_id=stored.terminal_id,
        sla=stored.sla,
        created_at=stored.created_at,
        webhook_pending=stored.webhook_pending and not settles,
    )
