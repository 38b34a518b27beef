"""Keeps pull requests waiting at the server, so that a message never waits for one."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import orjson
from nats.aio.subscription import Subscription

from fsm.domain.errors import BusUnavailable
from payment_service.bus.nats_client import NatsClient, Receive
from payment_service.bus.protocol import (
    description_of,
    headers_of,
    number_of,
    publication,
    status_of,
)

HEARTBEATS_MISSED_MAX: Final = 2
RETRY_SECONDS_MIN: Final = 0.05
RETRY_SECONDS_MAX: Final = 5.0

IDLE_HEARTBEAT: Final = 100
REQUEST_TIMEOUT: Final = 408
NO_RESPONDERS: Final = 503
STILL_PENDING: Final = "Nats-Pending-Messages"
GONE: Final = ("consumer deleted", "consumer is push based")


@dataclass(frozen=True, slots=True, kw_only=True)
class PullTimes:
    """How long a request waits at the server, and how often the server says so.

    As long as one waits, a process that has gone deaf is given its share of messages.
    """

    expires_seconds: float = 10.0
    heartbeat_seconds: float = 5.0


class PullSubscription:
    """The pull requests of one consumer in this process.

    Messages go to `receive`; `room` says how many more may be asked for in all;
    `on_gone` is called when the server knows no such consumer.
    """

    def __init__(  # noqa: PLR0913 - each of them is a seam
        self,
        wire: NatsClient,
        *,
        stream: str,
        durable: str,
        times: PullTimes,
        room: Callable[[], int],
        receive: Receive,
        on_gone: Callable[[], None],
    ) -> None:
        self._wire = wire
        self._next = f"{wire.api}.CONSUMER.MSG.NEXT.{stream}.{durable}"
        wire.spelt.add(self._next)
        self._times = times
        self._room = room
        self._pass_on = receive
        self._on_gone = on_gone
        self._inbox = f"{wire.new_inbox()}."
        self._inbox_start = self._inbox.encode()
        self._subscription: Subscription | None = None
        self._generation = 0
        self._outstanding = 0
        self._heard_at = 0.0
        self._retry_seconds = RETRY_SECONDS_MIN
        self._retry: asyncio.TimerHandle | None = None
        self._is_open = False

    @property
    def outstanding(self) -> int:
        """Messages that were asked for and have not come."""
        return self._outstanding

    async def open(self) -> None:
        self._subscription = await self._wire.subscribe_raw(
            f"{self._inbox}*", self._receive
        )
        self._is_open = True
        self._wire.on_reconnected.append(self.renew)
        self.renew()

    async def close(self) -> None:
        """Ask for nothing more; what is under way is passed on before it returns."""
        if not self._is_open or self._subscription is None:
            return
        self._is_open = False
        self._cancel_retry()
        self._wire.on_reconnected.remove(self.renew)
        await self._wire.unsubscribe_raw(self._subscription)

    async def reopen(self) -> None:
        await self.close()
        self._inbox = f"{self._wire.new_inbox()}."
        self._inbox_start = self._inbox.encode()
        await self.open()

    def renew(self) -> None:
        """Forget all requests, which the server may have lost, and ask again."""
        self._generation += 1
        self._outstanding = 0
        self._cancel_retry()
        self.top_up()

    def top_up(self) -> None:
        """Ask for more once enough of what was asked for has come."""
        if not self._is_open or self._retry is not None:
            return
        room = self._room()
        missing = room - self._outstanding
        # Half a load at a time: a request for each message would double the traffic.
        if missing > 0 and (self._outstanding == 0 or missing * 2 >= room):
            self._ask(missing)

    def check(self) -> None:
        """Renew where the server has not even said that there is nothing."""
        silence = self._times.heartbeat_seconds * HEARTBEATS_MISSED_MAX
        now = asyncio.get_running_loop().time()
        if self._outstanding and now - self._heard_at > silence:
            self.renew()
        else:
            self.top_up()

    def _ask(self, batch: int) -> None:
        body = orjson.dumps(
            {
                "batch": batch,
                "expires": int(self._times.expires_seconds * 1e9),
                "idle_heartbeat": int(self._times.heartbeat_seconds * 1e9),
            }
        )
        reply = f"{self._inbox}{self._generation}"
        try:
            self._wire.send(publication(self._next, body, reply=reply))
        except BusUnavailable:
            # The reconnect asks again.
            return
        if self._outstanding == 0:
            self._heard_at = asyncio.get_running_loop().time()
        self._outstanding += batch

    def _receive(
        self, subject: bytes, reply: bytes, body: bytes, headers: bytes | None
    ) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        if subject.startswith(self._inbox_start):
            self._hear(subject[len(self._inbox_start) :], headers)
            return
        self._outstanding = max(0, self._outstanding - 1)
        self._retry_seconds = RETRY_SECONDS_MIN
        self._pass_on(subject, reply, body, headers)
        self.top_up()

    def _hear(self, generation: bytes, headers: bytes | None) -> None:
        status = status_of(headers)
        if status == IDLE_HEARTBEAT or generation != str(self._generation).encode():
            return
        unserved = number_of(headers_of(headers).get(STILL_PENDING, ""))
        if unserved is not None:
            self._outstanding = max(0, self._outstanding - unserved)
        if status == REQUEST_TIMEOUT and unserved is not None:
            self.top_up()
            return
        self._try_later()
        if status == NO_RESPONDERS or description_of(headers).lower().startswith(GONE):
            self._on_gone()

    def _try_later(self) -> None:
        """Start over after a while: leader moved, server stops, too many requests."""
        self._generation += 1
        self._outstanding = 0
        if self._retry is None and self._is_open:
            loop = asyncio.get_running_loop()
            self._retry = loop.call_later(self._retry_seconds, self.renew)
            self._retry_seconds = min(self._retry_seconds * 2, RETRY_SECONDS_MAX)

    def _cancel_retry(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
