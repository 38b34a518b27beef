"""The store's twin with reads that can fail, amnesia, and eyes on every commit."""

from collections.abc import Callable
from typing import Any, Final

from fsm.domain.errors import StoreUnavailable, UnreadableRow
from fsm.domain.orders import Order
from fsm.domain.webhook_events import WEBHOOKS_KEPT, Arrival
from fsm.engine.rows import Task
from fsm.payout.words import Waiting
from handlers.ports.store import NewOrder, StepWrite
from payment_service.playground.memory.store import MemoryStore
from tests.simulation.environment import CURRENT, Ground
from tests.simulation.fault_injection import Door

UNKNOWN_TO_THE_OLD: Final = frozenset({Waiting.RECREATE, Waiting.CANCEL})


class SimStore(MemoryStore):
    """A store that tells the simulation what was committed, at that very moment."""

    def __init__(self, ground: Ground, door: Door) -> None:
        super().__init__(ground.clock, door, on_committed=_enqueue)
        self.ground = ground
        self.door = door
        self.on_step: Callable[[Order, StepWrite], None] = lambda *_: None
        self.on_submitted: Callable[[Order], None] = lambda _: None
        self.on_posted: Callable[[Any], None] = lambda _: None
        self.on_kept: Callable[[], None] = lambda: None

    async def load(self, queue_id: str) -> Order | None:
        order: Order | None = await self.door.do(
            "store.load",
            lambda: self.tables.orders.get(queue_id),
            self._unread,
        )
        if order is not None and CURRENT.get().odd == "blind":
            self._read_by_the_old(order)
        return order

    def _unread(self, _done: bool) -> Any:
        raise StoreUnavailable("load: the connection is gone")

    def _read_by_the_old(self, order: Order) -> None:
        for task in order.queue.tasks:
            if task.waiting_for in UNKNOWN_TO_THE_OLD:
                self.ground.seen["unknown state parked"] += 1
                raise UnreadableRow(order.queue_id, f"{task.waiting_for} is unknown")

    def _record(self, work: StepWrite) -> Any:
        done = super()._record(work)
        order = self.tables.orders[work.order.queue_id]
        self.ground.note("step", _told(work))
        self.on_step(order, work)
        return done

    def _submit(self, new: NewOrder) -> Any:
        done = super()._submit(new)
        if done[0].status == "accepted":
            self.on_submitted(self.tables.orders[new.order.queue_id])
        return done

    def _keep(self, webhook: Any) -> Any:
        done = super()._keep(webhook)
        if done[0] is Arrival.STORED:
            self.on_kept()
        return done

    def _posted(self, messages: Any, **given: Any) -> Any:
        rows = super()._posted(messages, **given)
        if rows:
            self.on_posted(messages)
        return rows

    def next_micros(self, grace: int) -> int | None:
        """Return when the sweeper has something to do; None where nothing waits."""
        times = [
            micros_of(self.ground, row.wake_at) + grace * self.tables.graces(row)
            for row in self.tables.rows()
            if row.wake_at is not None
        ]
        times += [
            micros_of(
                self.ground,
                kept.wake_at
                if self.is_matched(kept.stored.webhook)
                else max(kept.wake_at, kept.stored.webhook.received_at + WEBHOOKS_KEPT),
            )
            + grace
            for kept in self.tables.inbox.values()
            if kept.wake_at is not None
        ]
        return min(times) + 1 if times else None

    def _close(self, inbox_id: str, state: Any) -> Any:
        # What amnesia has lost the statement does not find, which is no error.
        if inbox_id not in self.tables.inbox:
            return None, []
        return super()._close(inbox_id, state)

    def _settle(self, inbox_id: str, state: Any) -> None:
        if inbox_id in self.tables.inbox:
            super()._settle(inbox_id, state)

    def task(self, task_id: str) -> Task | None:
        """Return a task's row."""
        queue_id = self.tables.queues.get(task_id)
        return None if queue_id is None else self.tables.orders[queue_id].task(task_id)


def micros_of(ground: Ground, at: Any) -> int:
    """Return a time of the world as the loop counts it."""
    passed = at - ground.clock._start
    return int(passed.total_seconds() * 1_000_000)


def _told(work: StepWrite) -> str:
    told = [
        f"{c.after.task_id[-6:]} {c.trigger} {c.after.state}" for c in work.step.changes
    ]
    if work.step.queue is not None:
        told.append(f"{work.step.queue.trigger} {work.step.queue.after.state}")
    return ", ".join(told)


def _enqueue(rows: Any) -> None:
    outbox_publisher = CURRENT.get().outbox_publisher
    if outbox_publisher is not None:
        outbox_publisher.enqueue(rows)
