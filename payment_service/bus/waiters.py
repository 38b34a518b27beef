"""Lets a request wait for the end of an order, told by the events that pass by."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Final

import orjson
from nats.aio.subscription import Subscription

from fsm.domain.errors import Fault
from payment_service.bus.nats_client import NatsClient
from payment_service.bus.subjects import Names

WAITERS_MAX: Final = 10_000
FINAL_EVENTS: Final = ("completed", "failed", "cancelled")


class TooManyWaiters(Fault):
    """No room for one more; the state can be asked for again instead."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} requests are waiting already")


class OrderWaiters:
    """Wakes those who wait for an order or a queue; the state is in the store.

    Events may be missed and ids may be shared, so a waiter sets itself a time limit and
    looks for itself afterwards.
    """

    def __init__(
        self, wire: NatsClient, names: Names, *, waiters_max: int = WAITERS_MAX
    ) -> None:
        self._wire = wire
        self._names = names
        self._waiters_max = waiters_max
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._count = 0
        self._subscriptions: list[Subscription] = []

    async def start(self) -> None:
        for event in FINAL_EVENTS:
            subject = self._names.subject(f"order.event.*.{event}")
            self._subscriptions.append(
                await self._wire.subscribe_raw(subject, self._receive)
            )

    async def stop(self) -> None:
        for subscription in self._subscriptions:
            await self._wire.unsubscribe_raw(subscription)
        self._subscriptions.clear()

    @asynccontextmanager
    async def expect(self, ids: Collection[str]) -> AsyncIterator[asyncio.Event]:
        """Give an event that is set when any of the orders or queues has ended.

        :raises TooManyWaiters: as many as there may be are waiting.
        """
        if self._count >= self._waiters_max:
            raise TooManyWaiters(self._waiters_max)
        event = asyncio.Event()
        self._count += 1
        for key in ids:
            self._waiting.setdefault(key, set()).add(event)
        try:
            yield event
        finally:
            self._count -= 1
            self._forget(ids, event)

    def _forget(self, ids: Collection[str], event: asyncio.Event) -> None:
        for key in ids:
            events = self._waiting.get(key, set())
            events.discard(event)
            if not events:
                self._waiting.pop(key, None)

    def _receive(
        self, _subject: bytes, _reply: bytes, body: bytes, _headers: bytes | None
    ) -> None:
        if not self._waiting:
            return
        try:
            event = orjson.loads(body)
        except orjson.JSONDecodeError:
            return
        if isinstance(event, dict):
            self._wake(event.get("order_id"))
            self._wake(event.get("queue_id"))

    def _wake(self, key: object) -> None:
        if isinstance(key, str):
            for event in self._waiting.get(key, ()):
                event.set()
