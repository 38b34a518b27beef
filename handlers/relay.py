"""Publishes the outbox: right after the commit, and what processes that died left."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from fsm.domain.errors import Fault
from handlers.dead_letters import dead_letter_of_unfit
from handlers.ports.bus import Publisher
from handlers.ports.clock import Clock
from handlers.ports.store import Outbox, Store, Unsent

BACKLOG_MAX: Final = 20_000
BATCH: Final = 500
LEFT_AFTER: Final = timedelta(seconds=3)
"""A row this old was not published by the process that wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRows:
    """What became of some rows of the outbox; ``last`` is the highest number seen."""

    rows: int
    gone: int
    last: int

    @property
    def is_stuck(self) -> bool:
        """True where rows were tried and none was taken."""
        return self.rows > 0 and self.gone == 0


class Relay:
    """Goes through the outbox page by page, and then again from its beginning.

    Rows that NATS does not take stay, and stand before no other: events that a full
    stream refuses must not hold up wake-ups. What no server will ever take is set aside
    as a dead letter, once.
    """

    def __init__(
        self, outbox: Outbox, publisher: Publisher, *, store: Store, clock: Clock
    ) -> None:
        self._outbox = outbox
        self._publisher = publisher
        self._store = store
        self._clock = clock
        self._after = 0

    async def go_on(self, *, limit: int = BATCH) -> PublishedRows:
        """Publish the next page of what was left."""
        rows, refused = await _publish(
            self._outbox, self._publisher, LEFT_AFTER, after=self._after, limit=limit
        )
        gone = len(rows) - len(refused)
        for row in refused:
            gone += await self._set_aside(row)
        last = rows[-1].seq if rows else self._after
        self._after = last if len(rows) >= limit else 0
        return PublishedRows(rows=len(rows), gone=gone, last=last)

    async def _set_aside(self, row: Unsent) -> int:
        """Bury what can never be published; its letter first, so that none is lost.

        One of a bundle is given a row of its own first, and buried when that is seen.
        """
        because = self._publisher.why_unfit(row.message)
        if because is None:
            return 0
        if row.bundled:
            await self._outbox.unbundle([row.seq], taken=())
            return 0
        letter, copies = dead_letter_of_unfit(row.message, because, self._clock)
        await self._store.dead_letter(letter, copies)
        await self._outbox.sent([row.seq])
        return 1


async def relay(
    *, outbox: Outbox, publisher: Publisher, older_than: timedelta = LEFT_AFTER
) -> int:
    """Publish one batch of what was left; return how many messages are gone."""
    rows, refused = await _publish(outbox, publisher, older_than, after=0, limit=BATCH)
    return len(rows) - len(refused)


async def _publish(
    outbox: Outbox,
    publisher: Publisher,
    older_than: timedelta,
    *,
    after: int,
    limit: int,
) -> tuple[Sequence[Unsent], Sequence[Unsent]]:
    """Publish some rows; return them, and those that were not acknowledged.

    One goes only after its acknowledgement. A second relay at work at the same time
    publishes under the same ids.
    """
    rows = await outbox.unsent(older_than=older_than, limit=limit, after=after)
    if not rows:
        return (), ()
    acknowledged = await publisher.publish([row.message for row in rows])
    taken = [row for row, ok in zip(rows, acknowledged, strict=True) if ok]
    refused = [row for row, ok in zip(rows, acknowledged, strict=True) if not ok]
    await outbox.sent(_whole(taken, refused))
    torn = {row.seq for row in taken} & {row.seq for row in refused}
    if torn:
        ids = [row.message.message_id for row in taken if row.seq in torn]
        await outbox.unbundle(sorted(torn), taken=ids)
    return rows, refused


def _whole(taken: Sequence[Unsent], refused: Sequence[Unsent]) -> list[int]:
    """Return the rows of which nothing was refused."""
    left = {row.seq for row in refused}
    return [seq for seq in dict.fromkeys(row.seq for row in taken) if seq not in left]


class OutboxPublisher:
    """Publishes what this process has just committed, in batches, in order.

    It holds a bounded backlog; what does not fit, or is not acknowledged, stays in
    the outbox for the relay. ``remove`` is told which rows may go.
    """

    def __init__(
        self, publisher: Publisher, *, remove: Callable[[Sequence[int]], None]
    ) -> None:
        self._publisher = publisher
        self._remove = remove
        self._backlog: list[Unsent] = []
        self._stirred = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def enqueue(self, rows: Sequence[Unsent]) -> None:
        """Take rows that have just been committed."""
        if len(self._backlog) + len(rows) > BACKLOG_MAX:
            return
        self._backlog.extend(rows)
        self._idle.clear()
        self._stirred.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            batch, self._backlog = self._backlog, []
            try:
                await self._deliver(batch)
            except Fault:
                # The rows are in the outbox; the relay has more patience.
                continue
            finally:
                if not self._backlog:
                    self._idle.set()

    async def _deliver(self, batch: Sequence[Unsent]) -> None:
        if not batch:
            return
        acknowledged = await self._publisher.publish([row.message for row in batch])
        told = list(zip(batch, acknowledged, strict=True))
        taken, refused = [r for r, ok in told if ok], [r for r, ok in told if not ok]
        self._remove(_whole(taken, refused))

    async def flush(self) -> None:
        """Return once everything handed so far has been tried."""
        await self._idle.wait()
