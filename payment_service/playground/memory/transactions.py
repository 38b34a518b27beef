"""Transactions of the store in memory: all of the work or none, and faults between."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from fsm.domain.acts import SERVICE, Act, acted, service_line
from fsm.domain.audit import AuditLine
from fsm.domain.audit_keys import UNKEYED
from fsm.domain.errors import BrokenInvariant, StoreUnavailable
from fsm.domain.messages import Message
from fsm.engine.rows import Task
from handlers.ports.store import Unsent
from payment_service.playground.memory.clock import VirtualClock
from payment_service.playground.memory.effects import Effects
from payment_service.playground.memory.tables import MemoryTables, Posted

Result = TypeVar("Result")


class MemoryTransactions:
    """What all transactions share: the commit, the outbox and the audit trail."""

    def __init__(
        self,
        clock: VirtualClock,
        effects: Effects | None = None,
        *,
        on_committed: Callable[[Sequence[Unsent]], None] = lambda _: None,
    ) -> None:
        self.tables = MemoryTables()
        self._clock = clock
        self._effects = effects or Effects()
        self._on_committed = on_committed

    def snapshot(self) -> MemoryTables:
        """Return what a backup taken now would hold."""
        return self.tables.copy()

    def restore(self, snapshot: MemoryTables) -> None:
        """Forget all that was committed after the snapshot."""
        self.tables = snapshot.copy()

    async def _commit(
        self, name: str, act: Callable[[], tuple[Result, list[Unsent]]]
    ) -> Result:
        def failed(done: bool) -> tuple[Result, list[Unsent]]:
            raise StoreUnavailable(f"{name}: the connection is gone, done: {done}")

        result, posted = await self._effects.do(name, act, failed)
        if posted:
            self._on_committed(posted)
        return result

    def _posted(
        self, messages: Sequence[Message], *, bundled: bool = False
    ) -> list[Unsent]:
        """Put messages into one row, or into rows of their own."""
        now = self._clock.now()
        if not bundled or not messages:
            return [self._post(message, now) for message in messages]
        seq = self._next()
        rows = tuple(Unsent(seq=seq, message=m, bundled=True) for m in messages)
        self.tables.outbox[seq] = Posted(rows=rows, created_at=now)
        return list(rows)

    def _post(self, message: Message, at: datetime) -> Unsent:
        row = Unsent(seq=self._next(), message=message)
        self.tables.outbox[row.seq] = Posted(rows=(row,), created_at=at)
        return row

    def _next(self) -> int:
        self.tables.last_seq += 1
        return self.tables.last_seq

    def _check_trail(self, lines: Sequence[AuditLine]) -> None:
        places = [(line.entity_id, line.version) for line in lines]
        if len(set(places)) < len(places) or not self.tables.trail.keys().isdisjoint(
            places
        ):
            raise BrokenInvariant("pk_order_task_events")

    def _write(self, lines: Sequence[AuditLine]) -> None:
        for line in lines:
            self.tables.trail[line.entity_id, line.version] = line

    def _say(self, queue_id: str | None, act: Act, at: datetime) -> None:
        """Write the line of an act into its order's trail, or else the service's."""
        order = self.tables.orders.get(queue_id or "")
        if order is None:
            told = [line for (i, _), line in self.tables.trail.items() if i == SERVICE]
            previous = told[-1].hash if told else b""
            line = service_line(act, len(told), previous, at=at, keys=UNKEYED)
        else:
            queue, line = acted(
                order.queue,
                act,
                signed_by=order.signature.key_id,
                at=at,
                keys=UNKEYED,
            )
            self.tables.orders[order.queue_id] = order.with_queue(queue)
        self._check_trail([line])
        self._write([line])

    def _put_task(self, task: Task) -> None:
        order = self.tables.orders[task.queue_id]
        queue = order.queue.with_tasks({task.task_id: task})
        self.tables.orders[task.queue_id] = order.with_queue(queue)

    def _provider_of(self, task_id: str) -> str | None:
        queue_id = self.tables.queues.get(task_id)
        if queue_id is None:
            return None
        return self.tables.orders[queue_id].task(task_id).provider
