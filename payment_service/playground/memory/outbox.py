"""The outbox in memory: what relay and publisher ask of it."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from fsm.domain.messages import Message
from handlers.ports.store import Unsent
from payment_service.playground.memory.transactions import MemoryTransactions


class MemoryOutbox(MemoryTransactions):
    """Implements the port ``Outbox``."""

    async def post(self, message: Message) -> None:
        await self._commit("store.post", lambda: (None, self._posted([message])))

    async def unsent(
        self, *, older_than: timedelta, limit: int, after: int = 0
    ) -> Sequence[Unsent]:
        before = self._clock.now() - older_than
        found: list[Unsent] = []
        for seq, posted in self.tables.outbox.items():
            if posted.created_at < before and seq > after and len(found) < limit:
                found += posted.rows
        return found

    async def sent(self, seqs: Sequence[int]) -> None:
        self.remove_soon(seqs)

    async def unbundle(self, seqs: Sequence[int], *, taken: Sequence[str]) -> None:
        for seq in seqs:
            bundle = self.tables.outbox.get(seq)
            if bundle is None or not bundle.rows[0].bundled:
                continue
            del self.tables.outbox[seq]
            for row in bundle.rows:
                if row.message.message_id not in taken:
                    self._post(row.message, bundle.created_at)

    def remove_soon(self, seqs: Iterable[int]) -> None:
        """Remove published rows: here, at once."""
        for seq in seqs:
            self.tables.outbox.pop(seq, None)
