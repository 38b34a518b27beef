"""What a world keeps, as ports over one set of rows; here in memory."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from fsm.domain.acts import SERVICE
from fsm.domain.audit import AuditLine
from fsm.domain.dead_letters import DeadLetter
from fsm.domain.orders import Order
from fsm.domain.webhook_events import WEBHOOKS_KEPT
from handlers.ports.operator_store import OperatorStore
from handlers.ports.reads import CaseRecord
from handlers.ports.store import Outbox, Store, Sweepable, Unsent
from payment_service.playground.memory.clock import MICROSECOND, VirtualClock
from payment_service.playground.memory.effects import Effects
from payment_service.playground.memory.store import MemoryStore

OnCommitted = Callable[[Sequence[Unsent]], None]


class SweepableOutbox(Outbox, Sweepable, Protocol):
    """Both views of the rows that nobody came for."""


class Rows(Protocol):
    """The ports over one set of rows, and a look at all of them."""

    store: Store
    sweeps: SweepableOutbox
    operator_store: OperatorStore

    async def tell_time(self) -> None:
        """Let the rows know that time has passed."""
        ...

    async def next_at(self, *, left: timedelta, grace: timedelta) -> datetime | None:
        """Return when relay or sweeper have something to do; None where nothing waits.

        A webhook of nobody's task counts only once it is to be buried.
        """
        ...

    async def orders(self) -> Sequence[Order]: ...

    async def trail(self) -> Sequence[AuditLine]: ...

    async def service_trail(self) -> Sequence[AuditLine]: ...

    async def cases(self) -> Sequence[CaseRecord]: ...

    async def letters(self) -> Sequence[DeadLetter]: ...

    async def close(self) -> None: ...


class MemoryRows:
    """Implements :class:`Rows` on the store in memory."""

    def __init__(
        self,
        clock: VirtualClock,
        effects: Effects | None = None,
        *,
        on_committed: OnCommitted = lambda _: None,
    ) -> None:
        memory = MemoryStore(clock, effects, on_committed=on_committed)
        self.memory = memory
        self.store: Store = memory
        self.sweeps: SweepableOutbox = memory
        self.operator_store: OperatorStore = memory

    async def tell_time(self) -> None:
        return

    async def next_at(self, *, left: timedelta, grace: timedelta) -> datetime | None:
        tables = self.memory.tables
        times = [
            row.wake_at + grace * tables.graces(row)
            for row in tables.rows()
            if row.wake_at is not None
        ]
        times += [
            kept.wake_at + grace
            if self.memory.is_matched(kept.stored.webhook)
            else max(kept.wake_at, kept.stored.webhook.received_at + WEBHOOKS_KEPT)
            for kept in tables.inbox.values()
            if kept.wake_at is not None
        ]
        times += [posted.created_at + left for posted in tables.outbox.values()]
        return min(times) + MICROSECOND if times else None

    async def orders(self) -> Sequence[Order]:
        return list(self.memory.tables.orders.values())

    async def trail(self) -> Sequence[AuditLine]:
        lines = self.memory.tables.trail.values()
        return [line for line in lines if line.entity_id != SERVICE]

    async def service_trail(self) -> Sequence[AuditLine]:
        lines = self.memory.tables.trail.values()
        return [line for line in lines if line.entity_id == SERVICE]

    async def cases(self) -> Sequence[CaseRecord]:
        return list(self.memory.tables.cases.values())

    async def letters(self) -> Sequence[DeadLetter]:
        return [b.letter for b in self.memory.tables.letters.values() if b.open]

    async def close(self) -> None:
        return
