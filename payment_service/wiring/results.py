"""Tells who asked over NATS, and waits, what the order came to: a second answer.

The first says that the request is stored. The second comes as soon as the order is
final, or with its present state when the time is over; best effort, as all answers: who
hears nothing asks again, and waits for the same order.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from fsm.domain.errors import PaymentServiceError, UnknownOrder
from fsm.domain.orders import Order
from handlers.commit import Ports
from handlers.ports.store import StepWrite
from handlers.ports.waiters import Woken
from handlers.ports.watch import Watch
from payment_service.api.awaiting import awaited

WAITING_MAX: Final = 1_000
"""So many are waited for by one process; who is one too many hears the first answer."""

Tell = Callable[[Order], Awaitable[None]]


class Ends:
    """Who waits in this process for the end of an order; its own commits wake them."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}

    @asynccontextmanager
    async def expect(self, queue_id: str) -> AsyncIterator[Woken]:
        """Give what is woken when the order ends in this process."""
        event = asyncio.Event()
        self._waiting.setdefault(queue_id, set()).add(event)
        try:
            yield _Woken(event)
        finally:
            self._waiting[queue_id].discard(event)
            if not self._waiting[queue_id]:
                del self._waiting[queue_id]

    def ended(self, queue_id: str) -> None:
        """Wake who waits for it."""
        for event in self._waiting.get(queue_id, ()):
            event.set()


@dataclass(frozen=True, slots=True)
class _Woken:
    event: asyncio.Event

    async def wait(self) -> None:
        await self.event.wait()


@dataclass(frozen=True, slots=True)
class EndsWatch:
    """Looks over the shoulders of handlers for another watch, and for ends."""

    watch: Watch
    ends: Ends

    def recorded(self, work: StepWrite) -> None:
        """Count a step; wake who waits for the order that has ended with it."""
        self.watch.recorded(work)
        change = work.step.queue
        if change is not None and change.after.final:
            self.ends.ended(work.order.queue_id)

    def conflicted(self) -> None:
        """Count a conflict."""
        self.watch.conflicted()

    def woke(self, lateness_seconds: float) -> None:
        """Count a timer."""
        self.watch.woke(lateness_seconds)


@dataclass(frozen=True, slots=True)
class Results:
    """The second answers that this process owes."""

    ports: Ports
    ends: Ends = field(default_factory=Ends)
    owed: set[asyncio.Task[None]] = field(default_factory=set)

    def promise(self, queue_id: str, wait: timedelta, tell: Tell) -> None:
        """Have an order told once it is final, or when the time is over."""
        if len(self.owed) < WAITING_MAX:
            task = asyncio.create_task(self._keep(queue_id, wait, tell))
            self.owed.add(task)
            task.add_done_callback(self.owed.discard)

    async def _keep(self, queue_id: str, wait: timedelta, tell: Tell) -> None:
        async def look() -> Order:
            order = await self.ports.store.load(queue_id)
            if order is None:
                raise UnknownOrder(queue_id)
            return order

        # Whoever hears nothing asks again: the order is stored, and goes on.
        with suppress(PaymentServiceError):
            order = await awaited(
                queue_id,
                wait,
                look=look,
                waiters=self.ends,
                clock=self.ports.clock,
            )
            await tell(order)
