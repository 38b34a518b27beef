"""Takes what is parked: orders and messages that another version did not know.

The one that did not know them has acknowledged its message and left the rows alone. A
worker that knows every word drives them itself: what it rang for could come to the
other again.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from fsm.domain.dead_letters import Reason
from fsm.domain.errors import UnknownWords
from fsm.domain.messages import Message
from fsm.engine.flow import Rules
from handlers.ports.bus import Delivery, Publisher
from handlers.ports.clock import Clock
from handlers.ports.outcomes import Outcome, Park, Retry
from handlers.ports.shelf import Parked, Shelf
from handlers.ports.store import Store
from handlers.sweep import wakeups_of, webhook_wakeup

BATCH: Final = 100
MESSAGES_KEPT: Final = timedelta(days=1)
"""A rollout is over by then; what nobody knows still is a stranger's."""
FORGED: Final = "another hand has parked it"
UNKNOWN: Final = "its subject is not known to this version, nor to another in a day"

Handle = Callable[[Delivery], Awaitable[Outcome]]
DeadLettering = Callable[[Delivery, Reason, str], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """Takes from the shelf; ``publisher`` handles what it is given in this process."""

    shelf: Shelf
    store: Store
    publisher: Publisher
    clock: Clock
    rules: Rules
    handle: Handle
    dead_letter: DeadLettering

    async def go_on(self) -> int:
        """Take all that is known here, and return how many that was."""
        taken = 0
        for parked in await self.shelf.known(limit=BATCH):
            if await self._take(parked):
                await self.shelf.remove([parked.id])
                taken += 1
        for parked in await self.shelf.expired(after=MESSAGES_KEPT, limit=BATCH):
            if parked.message is not None:
                await self.dead_letter(parked.message, Reason.INVALID, UNKNOWN)
                await self.shelf.remove([parked.id])
        return taken

    async def _take(self, parked: Parked) -> bool:
        if parked.message is None:
            return await self._order(parked)
        return await self._message(parked, parked.message)

    async def _order(self, parked: Parked) -> bool:
        """Drive an order on, and have it hear of the webhooks that wait for it."""
        try:
            order = await self.store.load(parked.id)
        except UnknownWords as unknown:
            await self.store.park(unknown)
            return False
        if order is None:
            return True
        now = self.clock.now()
        again = f"parked:{int(now.timestamp() * 1000)}"
        wakeups: list[Message] = wakeups_of(order, now, again, self.rules)
        for provider, event_id in await self.shelf.webhooks_of(parked.id):
            wakeups.append(webhook_wakeup(provider, event_id, again))
        await self.publisher.publish(wakeups)
        return True

    async def _message(self, parked: Parked, message: Delivery) -> bool:
        """Handle a message as if it had just come; False where it has to come again."""
        if not parked.is_ours:
            await self.dead_letter(message, Reason.INVALID, FORGED)
            return True
        outcome = await self.handle(message)
        if isinstance(outcome, Park):
            await self.dead_letter(message, outcome.reason, outcome.because)
        return not isinstance(outcome, Retry)
