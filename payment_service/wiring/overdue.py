"""Drives rows that are overdue where no wake-up comes: the rows are the truth.

Where NATS refuses wake-ups, is full, away or without JetStream, the sweeper rings in
vain. Each worker looks for rows that are overdue by so much that a sweeper would have
woken them, takes a few, and handles the wake-up it would have been sent. Taking them
moves their time, so replicas share them; versions keep two from doing the same step.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog

from fsm.domain.messages import Message
from handlers.parked import Taking
from handlers.ports.bus import Delivery
from handlers.ports.outcomes import Park
from handlers.route import KNOWN
from handlers.sweep import Swept, wake_overdue
from payment_service.settings import Settings
from payment_service.storage.parked import PostgresShelf
from payment_service.storage.readable import known_words
from payment_service.wiring.router import Router
from payment_service.wiring.service import Service

LOG: Final = structlog.get_logger("payment_service")
AT_ONCE_MAX: Final = 50
BATCH: Final = 100
SWEEPS_MISSED: Final = 2
AGAIN: Final = 2
"""Delivered before: it goes on with whatever is due, as after a worker's death."""


class OverdueDriver:
    """Stands in for a publisher, and handles what it is given in this process."""

    def __init__(self, router: Router) -> None:
        self.router = router
        self._slots = asyncio.Semaphore(AT_ONCE_MAX)
        self._driving: set[asyncio.Task[None]] = set()
        self._is_stopping = False

    async def publish(self, messages: Sequence[Message]) -> Sequence[bool]:
        """Handle all of them; what fails is overdue again after a while."""
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(self._drive(message)) for message in messages]
        self._driving.update(tasks)
        for task in tasks:
            task.add_done_callback(self._driving.discard)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for message, result in zip(messages, results, strict=True):
            if isinstance(result, Exception):
                LOG.error("overdue.failed", subject=message.subject, exc_info=result)
        return [True] * len(messages)

    async def reply(self, subject: str, body: bytes) -> bool:
        """Nobody asked."""
        del subject, body
        return True

    def why_unfit(self, message: Message) -> str | None:
        """Say nothing against any: none of them goes anywhere."""
        del message
        return None

    async def stop(self, grace: timedelta) -> None:
        """Begin nothing more, and wait for what has begun."""
        self._is_stopping = True
        if self._driving:
            await asyncio.wait(self._driving, timeout=grace.total_seconds())

    async def _drive(self, message: Message) -> None:
        async with self._slots:
            if self._is_stopping:
                return
            delivery = Delivery(
                subject=message.subject,
                body=message.body,
                headers=message.headers,
                deliveries=AGAIN,
                identity=message.message_id,
            )
            outcome = await self.router.handle(delivery)
            if isinstance(outcome, Park):
                await self.router.dead_letter(delivery, outcome.reason, outcome.because)


def overdue_after(settings: Settings) -> timedelta:
    """Return by how much a row is overdue that no sweeper can have woken."""
    return settings.sweep_grace + settings.sweep_interval * SWEEPS_MISSED


async def take_parked(service: Service, driver: OverdueDriver) -> None:
    """Drive what is parked, since another version did not know it and this one does."""
    words = known_words(service.ports.rules) | {f"subject {each}" for each in KNOWN}
    taking = Taking(
        shelf=PostgresShelf(service.database, service.ports.keys, words),
        store=service.store,
        publisher=driver,
        clock=service.clock,
        rules=service.ports.rules,
        handle=driver.router.handle,
        dead_letter=driver.router.dead_letter,
    )
    if count := await taking.go_on():
        LOG.info("parked.taken", count=count)


async def drive_overdue(service: Service, overdue_driver: OverdueDriver) -> None:
    """Drive what is overdue by more than a sweeper would have let it be.

    A worker that NATS delivers nothing to does not leave it to the sweeper: what that
    rings for may reach nobody.
    """
    await take_parked(service, overdue_driver)
    is_deaf = service.bus_health.is_deaf(service.wire)
    grace = service.settings.sweep_grace / 2
    if not is_deaf:
        grace = overdue_after(service.settings)
    while not service.stopping.is_set():
        swept: Swept = await wake_overdue(
            rows=service.sweeps,
            publisher=overdue_driver,
            clock=service.clock,
            grace=grace,
            limit=BATCH,
        )
        count = swept.rows + swept.webhook
        if count:
            service.metrics.driven_overdue.inc(count)
            LOG.warning("overdue.driven", rows=swept.rows, webhook=swept.webhook)
        if not swept.full:
            return
