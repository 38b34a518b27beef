"""Turns deliveries into handler calls and outcomes into acks. No other module acks."""

import asyncio
import secrets
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import orjson

from fsm.domain.dead_letters import Reason
from fsm.domain.errors import BusUnavailable
from handlers.ports.bus import Delivery
from handlers.ports.outcomes import Done, Outcome, Park, Retry, at_last
from payment_service.bus.nats_client import NatsClient
from payment_service.bus.protocol import headers_of, publication, text_of
from payment_service.bus.pull_subscription import PullSubscription, PullTimes
from payment_service.bus.subjects import Names

BACKOFF_SECONDS_MIN: Final = 1.0
BACKOFF_SECONDS_MAX: Final = 30.0
DELAY_SECONDS_MIN: Final = 0.05
DELAY_SECONDS_MAX: Final = 300.0
"""A longer one would hold a place among the pending ones; wake-ups are rows."""

HAND_BACK_SECONDS: Final = 0.1
FLUSH_SECONDS_MAX: Final = 5.0
REMEMBERED_MAX: Final = 10_000
V2_TOKENS_MIN: Final = 11

Handle = Callable[[Delivery], Awaitable[Outcome]]
DeadLettering = Callable[[Delivery, Reason, str], Awaitable[None]]
"""Makes a dead letter durable before it returns."""

OnHandled = Callable[[Delivery, Outcome, float], None]
"""Hears what became of a delivery: a ``Park`` has been buried."""

OnError = Callable[[Delivery, Exception], None]


@dataclass(frozen=True, slots=True)
class DurableConsumer:
    """A durable consumer, by the names the server knows."""

    stream: str
    durable: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerLimits:
    """How much at once, how often, how long."""

    in_flight_max: int
    ack_wait: timedelta
    max_deliver: int
    prefetch: int = 16
    handler_seconds_max: float = 300.0

    @property
    def capacity(self) -> int:
        return self.in_flight_max + self.prefetch

    @property
    def beat_seconds(self) -> float:
        return self.ack_wait.total_seconds() / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """Who hears what happens; none of them may raise."""

    on_handled: OnHandled
    on_error: OnError
    on_gone: Callable[[], None]


@dataclass(slots=True, eq=False)
class _Held:
    """A delivery in this process, from its arrival to its acknowledgement."""

    delivery: Delivery
    reply: str
    beaten_at: float
    began_at: float | None = None


class Consumer:
    """Runs up to `in_flight_max` handlers on the messages of one durable consumer."""

    def __init__(  # noqa: PLR0913 - each of them is a seam
        self,
        wire: NatsClient,
        names: Names,
        source: DurableConsumer,
        *,
        limits: ConsumerLimits,
        handle: Handle,
        dead_letter: DeadLettering,
        listeners: Listeners,
        times: PullTimes | None = None,
    ) -> None:
        self.source = source
        self.received = 0
        self._wire = wire
        self._names = names
        self._limits = limits
        self._handle = handle
        self._dead_letter = dead_letter
        self._listeners = listeners
        self._times = times or PullTimes()
        self._pulls = PullSubscription(
            wire,
            stream=source.stream,
            durable=source.durable,
            times=self._times,
            room=self._room,
            receive=self._receive,
            on_gone=listeners.on_gone,
        )
        self._held: set[_Held] = set()
        self._queued: deque[_Held] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._not_dead_lettered: OrderedDict[str, Park] = OrderedDict()
        self._beating: asyncio.Task[None] | None = None
        self._is_paused = False
        self._is_stopping = False

    @property
    def in_flight(self) -> int:
        return len(self._running)

    @property
    def is_waiting(self) -> bool:
        """Whether a message that the server has would be taken at once."""
        return not self._is_paused and len(self._running) < self._limits.in_flight_max

    async def start(self) -> None:
        await self._pulls.open()
        self._beating = asyncio.get_running_loop().create_task(self._beat())

    async def stop(self, grace: timedelta) -> None:
        """Take nothing more, hand back what has not begun, wait for what has.

        Handlers that are not through after `grace` are cancelled; their messages are
        delivered again.
        """
        self._is_stopping = True
        await self._pulls.close()
        while self._queued:
            self._hand_back(self._queued.popleft())
        if self._running:
            await asyncio.wait(self._running, timeout=grace.total_seconds())
        await self._cancel()
        await self._flush()

    def pause(self) -> None:
        """Begin nothing more: deliveries do not wear out while the store is down."""
        self._is_paused = True

    def resume(self) -> None:
        self._is_paused = False
        while self._queued and self.is_waiting:
            self._begin(self._queued.popleft())
        self._pulls.top_up()

    def renew(self) -> None:
        """Ask the server anew, which may have forgotten that we are waiting."""
        self._pulls.renew()

    async def reopen(self) -> None:
        """Subscribe and ask anew, in case the server has lost the subscription."""
        if not self._is_stopping:
            await self._pulls.reopen()

    def _room(self) -> int:
        return 0 if self._is_paused else self._limits.capacity - len(self._held)

    def _receive(
        self, subject: bytes, reply: bytes, body: bytes, headers: bytes | None
    ) -> None:
        self.received += 1
        held = self._hold(text_of(subject), text_of(reply), body, headers)
        if self._is_stopping:
            self._hand_back(held)
        elif self.is_waiting:
            self._begin(held)
        else:
            self._queued.append(held)

    def _hold(
        self, subject: str, reply: str, body: bytes, headers: bytes | None
    ) -> _Held:
        deliveries, identity = _origin(reply)
        delivery = Delivery(
            subject=self._names.bare(subject),
            body=body,
            headers=headers_of(headers),
            deliveries=deliveries,
            identity=identity,
        )
        held = _Held(delivery, reply, beaten_at=_now())
        self._held.add(held)
        return held

    def _begin(self, held: _Held) -> None:
        held.began_at = _now()
        task = asyncio.get_running_loop().create_task(self._work(held))
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        while self._queued and self.is_waiting:
            held = self._queued.popleft()
            if self._is_ours(held):
                self._begin(held)
            else:
                self._held.discard(held)
        self._pulls.top_up()

    def _is_ours(self, held: _Held) -> bool:
        # After a long stall the server has given it to somebody else.
        return _now() - held.beaten_at < self._limits.ack_wait.total_seconds()

    async def _work(self, held: _Held) -> None:
        began = _now()
        try:
            outcome = await self._outcome(held.delivery)
            self._settle(held, outcome)
        finally:
            self._held.discard(held)
        self._listeners.on_handled(held.delivery, outcome, _now() - began)

    async def _outcome(self, delivery: Delivery) -> Outcome:
        """Handle it; bury what never ends, ends in vain too often, or asks for it."""
        limit = self._limits.max_deliver
        if delivery.deliveries > limit:
            return await self._dead_lettered(delivery, self._unopened(delivery))
        outcome = await self._guarded(delivery, self._handle(delivery))
        if delivery.deliveries >= limit:
            outcome = at_last(outcome)
        if isinstance(outcome, Park):
            return await self._dead_lettered(delivery, outcome)
        return outcome

    async def _guarded(self, delivery: Delivery, work: Awaitable[Outcome]) -> Outcome:
        """Whatever goes wrong with one message is tried again, and harms no other."""
        try:
            return await work
        except Exception as error:  # noqa: BLE001 - the only one in the service
            self._listeners.on_error(delivery, error)
            return Retry(because=f"{type(error).__name__}: {error}")

    async def _dead_lettered(self, delivery: Delivery, park: Park) -> Outcome:
        outcome = await self._guarded(delivery, self._make_durable(delivery, park))
        if outcome is not park:
            self._remember(delivery, park)
        return outcome

    async def _make_durable(self, delivery: Delivery, park: Park) -> Outcome:
        await self._dead_letter(delivery, park.reason, park.because)
        return park

    def _unopened(self, delivery: Delivery) -> Park:
        remembered = self._not_dead_lettered.pop(delivery.identity, None)
        return remembered or Park(
            because=f"delivered {delivery.deliveries} times and never finished",
            reason=Reason.CRASHED,
        )

    def _remember(self, delivery: Delivery, park: Park) -> None:
        # Its handler has come to an end; the next delivery must not say it crashed.
        self._not_dead_lettered[delivery.identity] = park
        if len(self._not_dead_lettered) > REMEMBERED_MAX:
            self._not_dead_lettered.popitem(last=False)

    def _settle(self, held: _Held, outcome: Outcome) -> None:
        match outcome:
            case Done():
                self._answer(held, b"+ACK")
            case Park(reason=reason):
                self._answer(held, b"+TERM " + reason.value.encode())
            case Retry(delay=delay):
                self._answer(held, _nak(_bounded(delay, held.delivery.deliveries)))

    def _hand_back(self, held: _Held) -> None:
        self._held.discard(held)
        self._answer(held, _nak(HAND_BACK_SECONDS))

    def _answer(self, held: _Held, answer: bytes) -> None:
        # Without a connection the server will deliver it again, which is harmless.
        with suppress(BusUnavailable):
            self._wire.send(publication(held.reply, answer))

    async def _beat(self) -> None:
        """Tell the server what is still in good hands, so that nobody else gets it."""
        tick = min(self._limits.beat_seconds, self._times.heartbeat_seconds)
        while True:
            await asyncio.sleep(tick)
            for held in self._held:
                self._beat_for(held)
            self._pulls.check()

    def _beat_for(self, held: _Held) -> None:
        now = _now()
        began = now if held.began_at is None else held.began_at
        is_due = now - held.beaten_at >= self._limits.beat_seconds
        is_hopeless = now - began > self._limits.handler_seconds_max
        if not is_due or is_hopeless or not self._is_ours(held):
            return
        held.beaten_at = now
        self._answer(held, b"+WPI")

    async def _cancel(self) -> None:
        tasks = [*self._running]
        if self._beating is not None:
            tasks.append(self._beating)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _flush(self) -> None:
        """Return when the server has read the acknowledgements."""
        with suppress(BusUnavailable):
            await self._wire.round_trip(FLUSH_SECONDS_MAX)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _origin(reply: str) -> tuple[int, str]:
    """Return how often, and which: stream, sequence and time tell it from all others.

    The subject is ``$JS.ACK.stream.consumer.deliveries.sequence.….time.pending``; newer
    servers put domain and account before the stream, and may add to the end.
    """
    tokens = reply.split(".")
    stream = 2 if len(tokens) < V2_TOKENS_MIN else 4
    deliveries, sequence, time = (tokens[stream + i] for i in (2, 3, 5))
    return int(deliveries), f"{tokens[stream]}.{sequence}.{time}"


def _bounded(delay: timedelta | None, deliveries: int) -> float:
    """Return seconds to wait; never none, or a poor message would spin."""
    if delay is not None:
        return min(max(delay.total_seconds(), DELAY_SECONDS_MIN), DELAY_SECONDS_MAX)
    doubled = BACKOFF_SECONDS_MIN * 2.0 ** min(deliveries - 1, 16)
    ceiling = min(doubled, BACKOFF_SECONDS_MAX)
    jitter = secrets.randbelow(1_000) / 1_000
    return max(BACKOFF_SECONDS_MIN, ceiling * (0.5 + jitter / 2))


def _nak(seconds: float) -> bytes:
    return b"-NAK " + orjson.dumps({"delay": int(seconds * 1e9)})
