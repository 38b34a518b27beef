"""The load: orders of some kinds over NATS, each timed until its last event."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from ops.bench.world import Stage
from payment_service.bus import NatsClient
from payment_service.bus.protocol import publication, publication_with_headers

UNIT: Final = ("first", "second", "third")
"""Two decline, the third approves: 10 calls and 10 durable steps."""

SINGLE: Final = ("third",)
WAITING: Final = ("slow",)
FINAL_EVENTS: Final = ("completed", "failed", "cancelled")
SILENCE_SECONDS_MAX: Final = 60.0


class LoadFailed(RuntimeError):
    """The service did not do with the load what it was measured for."""


@dataclass(frozen=True, slots=True)
class Timed:
    """What became of some orders: how long each took, and all of them together."""

    seconds: float
    latencies: Sequence[float]
    replies: Sequence[float] = ()
    """Of each reply, how long after the publication it came."""

    @property
    def rate(self) -> float:
        """Return orders a second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0


def request(order_id: str, cascade: Sequence[str]) -> bytes:
    """Return the request as an upstream core service would send it."""
    return orjson.dumps(
        {
            "order_id": order_id,
            "merchant_id": "m-bench",
            "customer_id": f"c-{order_id[-3:]}",
            "amount": 12_550,
            "currency": "EUR",
            "destination": {"type": "card", "token": f"tok_{order_id}"},
            "cascade": [{"provider": name, "terminal_id": "t-1"} for name in cascade],
            "metadata": {"channel": "bench"},
        }
    )


def checkout(order_id: str, _cascade: Sequence[str] = ()) -> bytes:
    """Return a checkout's request, as a shop would send it."""
    return orjson.dumps(
        {
            "order_id": order_id,
            "merchant_id": "m-bench",
            "customer_id": f"c-{order_id[-3:]}",
            "amount": 2_450,
            "currency": "EUR",
            "payment_method": {"type": "card", "token": f"tok_{order_id}"},
            "items": [{"sku": "sku-1", "quantity": 2, "unit_amount": 1_100}],
            "delivery": {"country": "LV"},
            "fees": [{"code": "delivery", "amount": 250}],
            "metadata": {"channel": "bench"},
        }
    )


def link(order_id: str, _cascade: Sequence[str] = ()) -> bytes:
    """Return the request for a partner link, of a card of its own."""
    return orjson.dumps(
        {
            "order_id": order_id,
            "merchant_id": "m-bench",
            "customer_id": f"c-{order_id[-3:]}",
            "partner": "northbank",
            "card": {"token": f"tok_{order_id}", "bin": "451412", "country": "CA"},
            "metadata": {"channel": "bench"},
        }
    )


MADE: Final[Mapping[str, Callable[[str, Sequence[str]], bytes]]] = {
    "withdrawal": request,
    "checkout": checkout,
    "partner_link": link,
}
"""By kind of order, what makes a request of its id and its cascade."""


@dataclass(slots=True)
class _Run:
    """One measurement under way."""

    orders: int
    done: asyncio.Future[None]
    latencies: list[float] = field(default_factory=list)
    replies: list[float] = field(default_factory=list)
    heard_at: float = 0.0


class Load:
    """Publishes requests and hears their last events; open it before use."""

    def __init__(
        self,
        wire: NatsClient,
        stage: Stage,
        *,
        label: str = "",
        kind: str = "withdrawal",
    ) -> None:
        self._wire = wire
        self._made = MADE[kind]
        asked = kind.replace("_", ".")
        self._subject = stage.names.subject(f"{asked}.requested")
        self._events = [
            stage.names.subject(f"order.event.{kind}.{e}") for e in FINAL_EVENTS
        ]
        self._acks = wire.new_inbox()
        self._replies = wire.new_inbox()
        self._sent_at: dict[str, float] = {}
        self._run: _Run | None = None
        self._next: Callable[[], None] = lambda: None
        self._serial = 0
        self._label = label or stage.prefix
        self.last = ""
        self.unacknowledged = 0
        self.replied_at: dict[str, float] = {}
        """By order, on the wall clock, which the database's commits are told by."""

        self.on_final: Callable[[str], None] = lambda _: None

    async def open(self) -> None:
        """Subscribe to what ends an order, to acknowledgements and to replies."""
        for subject in self._events:
            await self._wire.subscribe_raw(subject, self._hear)
        await self._wire.subscribe_raw(self._acks, self._acknowledged)
        await self._wire.subscribe_raw(self._replies, self._replied)
        await self._wire.round_trip(5.0)

    async def close(self) -> None:
        """Close the connection that it was given."""
        await self._wire.close()

    def publish(self, cascade: Sequence[str], *, reply: bool = False) -> str:
        """Send one request now; return its order id."""
        self._serial += 1
        order_id = self.last = f"{self._label}-{self._serial:07d}"
        body = self._made(order_id, cascade)
        self._sent_at[order_id] = time.perf_counter()
        self.unacknowledged += 1
        if reply:
            headers = (("X-Reply-To", self._replies),)
            frame = publication_with_headers(
                self._subject, body, reply=self._acks, headers=headers
            )
        else:
            frame = publication(self._subject, body, reply=self._acks)
        self._wire.send(frame)
        return order_id

    async def closed(
        self, orders: int, in_flight: int, cascade: Sequence[str] = UNIT
    ) -> Timed:
        """Keep so many orders in flight until so many have ended."""
        left = orders

        def another() -> None:
            nonlocal left
            if left > 0:
                left -= 1
                self.publish(cascade)

        run, began = self._begun(orders), time.perf_counter()
        self._next = another
        for _ in range(min(in_flight, orders)):
            another()
        return await self._finished(run, began)

    async def paced(
        self, orders: int, per_second: float, cascade: Sequence[str] = UNIT
    ) -> Timed:
        """Send at a steady pace, whatever has or has not ended."""
        run, began = self._begun(orders), time.perf_counter()
        due = deque(began + n / per_second for n in range(orders))
        while due:
            while due and due[0] <= time.perf_counter():
                due.popleft()
                self.publish(cascade)
            await asyncio.sleep(0.001)
        return await self._finished(run, began)

    async def one_by_one(
        self, orders: int, cascade: Sequence[str], *, reply: bool = False
    ) -> Timed:
        """Send the next only when the one before has ended."""
        run, began = self._begun(orders), time.perf_counter()

        def another() -> None:
            if len(run.latencies) < orders:
                self.publish(cascade, reply=reply)

        self._next = another
        another()
        return await self._finished(run, began)

    def _begun(self, orders: int) -> _Run:
        loop = asyncio.get_running_loop()
        self._run = _Run(orders, loop.create_future(), heard_at=time.perf_counter())
        self._next = lambda: None
        return self._run

    async def _finished(self, run: _Run, began: float) -> Timed:
        while not run.done.done():
            await asyncio.wait({run.done}, timeout=1.0)
            silent = time.perf_counter() - run.heard_at
            if not run.done.done() and silent > SILENCE_SECONDS_MAX:
                missing = run.orders - len(run.latencies)
                raise LoadFailed(f"{missing} of {run.orders} orders did not end")
        run.done.result()
        return Timed(run.heard_at - began, run.latencies, run.replies)

    def _hear(
        self, subject: bytes, _reply: bytes, body: bytes, _headers: bytes | None
    ) -> None:
        now = time.perf_counter()
        order_id = orjson.loads(body)["order_id"]
        sent_at = self._sent_at.pop(order_id, None)
        run = self._run
        if sent_at is None or run is None or run.done.done():
            return
        if not subject.endswith(b".completed"):
            run.done.set_exception(LoadFailed(f"{order_id}: {subject.decode()}"))
            return
        run.heard_at = now
        run.latencies.append(now - sent_at)
        self.on_final(order_id)
        if len(run.latencies) == run.orders:
            run.done.set_result(None)
        else:
            self._next()

    def _acknowledged(
        self, _subject: bytes, _reply: bytes, body: bytes, _headers: bytes | None
    ) -> None:
        self.unacknowledged -= 1
        if b'"error"' in body and self._run and not self._run.done.done():
            self._run.done.set_exception(LoadFailed(body.decode()))

    def _replied(
        self, _subject: bytes, _reply: bytes, body: bytes, _headers: bytes | None
    ) -> None:
        order_id = orjson.loads(body)["order_id"]
        self.replied_at[order_id] = time.time()
        sent_at = self._sent_at.get(order_id)
        if sent_at is not None and self._run is not None:
            self._run.replies.append(time.perf_counter() - sent_at)
