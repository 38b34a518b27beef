"""A bus in memory: it redelivers, repeats, reorders, loses, and rings on time."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Final

from fsm.domain.dead_letters import Reason
from fsm.domain.messages import DEAD_LETTER, Message
from handlers.ports.bus import Delivery
from handlers.ports.outcomes import Done, Outcome, Park, Retry, at_last
from payment_service.playground.memory.clock import VirtualClock
from payment_service.playground.memory.effects import Effects

DEDUPLICATED_FOR: Final = timedelta(minutes=2)
BACKOFF_MAX: Final = timedelta(seconds=30)
DELAY_MAX: Final = timedelta(minutes=5)

Handle = Callable[[Delivery], Awaitable[Outcome]]
DeadLettering = Callable[[Delivery, Reason, str], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chaos:
    """How badly it treats messages: chances from 0 to 1, by a seed."""

    seed: int = 0
    repeats: float = 0.0
    loses: float = 0.0
    reorders: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class _Stored:
    """A message in the work stream; not ready while somebody has it."""

    number: int
    message: Message
    ready_at: datetime
    deliveries: int = 0


@dataclass(slots=True, kw_only=True)
class Streams:
    """What was published, by where it went."""

    events: list[Message] = field(default_factory=list)
    letters: list[Message] = field(default_factory=list)
    replies: list[tuple[str, bytes]] = field(default_factory=list)


class MemoryBus:
    """Implements ``ports.bus.Publisher`` and delivers what it was given.

    Without ``schedules`` a message for later counts as acknowledged and never rings.
    """

    def __init__(
        self,
        clock: VirtualClock,
        effects: Effects | None = None,
        *,
        ack_wait: timedelta = timedelta(seconds=30),
        max_deliver: int = 8,
        schedules: bool = True,
        chaos: Chaos | None = None,
    ) -> None:
        self.streams = Streams()
        self.outcomes: list[tuple[str, Outcome]] = []
        self._clock = clock
        self._effects = effects or Effects()
        self._ack_wait = ack_wait
        self._max_deliver = max_deliver
        self._schedules = schedules
        self._chaos = chaos or Chaos()
        self._random = Random(self._chaos.seed)
        self._work: list[_Stored] = []
        self._timers: dict[str, Message] = {}
        self._seen: dict[str, datetime] = {}
        self._numbers = 0
        self._down = False
        self.unfit: dict[str, str] = {}
        """Why messages are never taken, by their id."""

    def goes_down(self) -> None:
        self._down = True

    def comes_back(self) -> None:
        self._down = False

    def wipe(self) -> None:
        """Lose everything that was ever stored."""
        self._work.clear()
        self._timers.clear()
        self._seen.clear()

    async def publish(self, messages: Sequence[Message]) -> Sequence[bool]:
        if self._down or not messages:
            return [False] * len(messages)
        return await self._effects.do(
            "bus.publish",
            lambda: [self._take(message) for message in messages],
            lambda _: [False] * len(messages),
        )

    def why_unfit(self, message: Message) -> str | None:
        return self.unfit.get(message.message_id)

    async def reply(self, subject: str, body: bytes) -> bool:
        self.streams.replies.append((subject, body))
        return True

    def deliver_again(self, message: Message) -> None:
        """Store a message once more, whatever was deduplicated."""
        self._store(message)

    def next_at(self) -> datetime | None:
        """Return when something is to be delivered; None where nothing is."""
        times = [stored.ready_at for stored in self._work]
        times += [m.at for m in self._timers.values() if m.at is not None]
        return min(times, default=None)

    async def deliver(self, handle: Handle, dead_letter: DeadLettering) -> bool:
        """Deliver one message that is ready; False where none is.

        Where the handler dies the message comes again after the ack wait.
        """
        self._ring()
        stored = self._ready()
        if stored is None:
            return False
        stored.deliveries += 1
        stored.ready_at = self._clock.now() + self._ack_wait
        delivery = _delivery(stored)
        outcome = await self._outcome(delivery, handle, dead_letter)
        self.outcomes.append((delivery.subject, outcome))
        self._settle(stored, outcome)
        return True

    async def _outcome(
        self, delivery: Delivery, handle: Handle, dead_letter: DeadLettering
    ) -> Outcome:
        if delivery.deliveries > self._max_deliver:
            because = f"delivered {delivery.deliveries} times and never finished"
            await dead_letter(delivery, Reason.CRASHED, because)
            return Park(because=because, reason=Reason.CRASHED)
        outcome = await handle(delivery)
        if delivery.deliveries >= self._max_deliver:
            outcome = at_last(outcome)
        if isinstance(outcome, Park):
            await dead_letter(delivery, outcome.reason, outcome.because)
        return outcome

    def _settle(self, stored: _Stored, outcome: Outcome) -> None:
        match outcome:
            case Done() | Park():
                # A stream that was wiped meanwhile does not have it.
                if stored in self._work:
                    self._work.remove(stored)
            case Retry(delay=delay):
                doubled = timedelta(seconds=2 ** min(stored.deliveries - 1, 6))
                wait = min(doubled, BACKOFF_MAX) if delay is None else delay
                stored.ready_at = self._clock.now() + min(wait, DELAY_MAX)

    def _take(self, message: Message) -> bool:
        if message.message_id in self.unfit:
            return False
        if message.at is not None:
            if self._schedules and message.schedule is not None:
                self._timers[message.schedule] = message
            return True
        now = self._clock.now()
        seen = self._seen.get(message.message_id)
        if seen is not None and now - seen < DEDUPLICATED_FOR:
            return True
        self._seen[message.message_id] = now
        if message.subject.startswith("order.event."):
            self.streams.events.append(message)
        elif message.subject == DEAD_LETTER:
            self.streams.letters.append(message)
        elif self._random.random() >= self._chaos.loses:
            self._store(message)
            if self._random.random() < self._chaos.repeats:
                self._store(message)
        return True

    def _store(self, message: Message) -> None:
        self._numbers += 1
        stored = _Stored(
            number=self._numbers, message=message, ready_at=self._clock.now()
        )
        self._work.append(stored)

    def _ring(self) -> None:
        now = self._clock.now()
        for name, message in list(self._timers.items()):
            if message.at is not None and message.at <= now:
                del self._timers[name]
                self._store(message)

    def _ready(self) -> _Stored | None:
        now = self._clock.now()
        ready = [stored for stored in self._work if stored.ready_at <= now]
        if not ready:
            return None
        if self._chaos.reorders:
            return self._random.choice(ready)
        return min(ready, key=lambda stored: (stored.ready_at, stored.number))


def _delivery(stored: _Stored) -> Delivery:
    return Delivery(
        subject=stored.message.subject,
        body=stored.message.body,
        headers=stored.message.headers,
        deliveries=stored.deliveries,
        identity=f"ORDER_TASKS.{stored.number}",
    )
