"""The bus's twin under load: it loses, repeats, delays, rings wrongly, is wiped."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Final

from fsm.domain.dead_letters import Reason
from fsm.domain.messages import DEAD_LETTER, Message
from handlers.ports.bus import Delivery
from handlers.ports.outcomes import Done, Outcome, Park, Retry
from payment_service.playground.memory.bus import (
    DEDUPLICATED_FOR,
    MemoryBus,
    _delivery,
    _Stored,
)
from payment_service.playground.memory.effects import Died
from tests.simulation.environment import Ground, Process
from tests.simulation.fault_injection import Door
from tests.simulation.rates import HOUR, MINUTE, SECOND
from tests.simulation.store import micros_of

DEDUPLICATED: Final = DEDUPLICATED_FOR // timedelta(microseconds=1)

Handle = Callable[[Process, Delivery], Awaitable[Outcome]]
DeadLettering = Callable[[Process, Delivery, Reason, str], Awaitable[None]]


class SimBus(MemoryBus):
    """Delivers to several processes at once; whoever is silent loses the message."""

    def __init__(self, ground: Ground, door: Door) -> None:
        setting = ground.setting
        super().__init__(
            ground.clock,
            door,
            ack_wait=timedelta(microseconds=setting.ack_wait),
            max_deliver=setting.max_deliver,
        )
        self.ground = ground
        self.door = door
        self.processes: list[Process] = []
        self.handle: Handle
        self.dead_letter: DeadLettering
        self.on_handled: Callable[[Delivery, Outcome], None] = lambda *_: None
        self._pump_at: int | None = None
        self._sent_at: dict[str, int] = {}

    def wipe(self) -> None:
        super().wipe()
        self._sent_at.clear()

    async def publish(self, messages: Sequence[Message]) -> Sequence[bool]:
        if self._down:
            return [False] * len(messages)
        return await super().publish(messages)

    def _take(self, message: Message) -> bool:
        if message.at is not None:
            self._schedule(message)
            return True
        ground = self.ground
        now = ground.clock.micros
        seen = self._sent_at.get(message.message_id)
        if seen is not None and now - seen < DEDUPLICATED:
            ground.seen["duplicate publish suppressed"] += 1
            return True
        if seen is not None:
            ground.seen["outbox resend stored again"] += 1
        self._sent_at[message.message_id] = now
        if message.subject.startswith("order.event."):
            self.streams.events.append(message)
        elif message.subject == DEAD_LETTER:
            self.streams.letters.append(message)
        else:
            self._work_for(message)
        return True

    def _work_for(self, message: Message) -> None:
        ground, dials = self.ground, self.ground.dials
        if ground.chance(dials.lost):
            ground.struck("message lost", message.subject)
            return
        delay = 0
        if ground.chance(dials.delayed):
            delay = ground.between(SECOND, 10 * MINUTE)
            ground.struck("message delayed", message.subject)
        self._put(message, delay)
        if ground.chance(dials.repeated):
            ground.struck("message repeated", message.subject)
            self._put(message, ground.between(0, 10 * MINUTE))

    def _put(self, message: Message, delay: int = 0) -> None:
        self._store(message)
        at = self.ground.clock.micros + delay
        stored = self._work[-1]
        stored.ready_at = at  # type: ignore[assignment] # here in µs, for speed
        self.pump_at(at)

    def deliver_again(self, message: Message) -> None:
        self._put(message)

    # Schedules.

    def _schedule(self, message: Message) -> None:
        ground, dials = self.ground, self.ground.dials
        name, at = message.schedule, message.at
        if name is None or at is None:
            return
        self._timers[name] = message
        redrives = micros_of(ground, at) + dials.bus_skew
        if dials.bus_skew:
            ground.faults["clock skew of NATS"] += 1
        if ground.chance(dials.timer_lost):
            ground.struck("timer lost", name)
            return
        if ground.chance(dials.timer_late):
            redrives += ground.between(SECOND, HOUR)
            ground.struck("timer late", name)
        elif ground.chance(dials.timer_early):
            redrives -= ground.between(SECOND, HOUR)
            ground.struck("timer early", name)
        self._ring_at(redrives, message)
        if ground.chance(dials.timer_twice):
            ground.struck("timer twice", name)
            self._ring_at(redrives + ground.between(0, HOUR), message)

    def _ring_at(self, micros: int, message: Message) -> None:
        late = max(micros, self.ground.clock.micros + 1)
        self.ground.loop.at(late, self._rings, message)

    def _rings(self, message: Message) -> None:
        # A stream that was wiped meanwhile does not have it.
        if (
            message.schedule is not None
            and self._timers.get(message.schedule) is message
        ):
            self._put(message)

    # Deliveries.

    def pump_at(self, micros: int) -> None:
        """Have a look at what is ready then."""
        if self._pump_at is None or micros < self._pump_at:
            self._pump_at = micros
            self.ground.loop.at(micros, self._pump, micros)

    def _pump(self, due: int) -> None:
        if due == self._pump_at:
            self._pump_at = None
            self.pump()

    def pump(self) -> None:
        """Hand everything that is ready to processes that have hands free."""
        if self._down:
            return
        work = self._work
        while work:
            now = self.ground.clock.micros
            ready = [s for s in work if s.ready_at <= now]  # type: ignore[operator]
            if not ready:
                self.pump_at(min(s.ready_at for s in work))  # type: ignore[arg-type]
                return
            process = self._free()
            if process is None:
                return
            place = int(self.ground.draw() * len(ready)) if len(ready) > 1 else 0
            self._hand(ready[place], process)

    def _free(self) -> Process | None:
        now, slots = self.ground.clock.micros, self.ground.setting.slots
        free = [
            p
            for p in self.processes
            if not p.dead and p.busy < slots and p.frozen_until <= now
        ]
        if len(free) < 2:
            return free[0] if free else None
        return free[int(self.ground.draw() * len(free))]

    def _hand(self, stored: _Stored, process: Process) -> None:
        ground = self.ground
        stored.deliveries += 1
        stored.ready_at = ground.clock.micros + ground.setting.ack_wait  # type: ignore[assignment]
        process.busy += 1
        delivery = _delivery(stored)
        ground.note(
            f"deliver {delivery.subject} #{delivery.deliveries}", delivery.identity
        )
        ground.spawn(process, self._served(stored, delivery, process))

    async def _served(
        self, stored: _Stored, delivery: Delivery, process: Process
    ) -> None:
        beating = [True]
        if self.ground.setting.beats:
            self._beat_later(stored, process, beating)
        try:
            outcome = await self._outcome_in(process, delivery)
            self.on_handled(delivery, outcome)
            if self.ground.chance(self.ground.dials.ack_lost):
                self.ground.struck("acknowledgement lost", delivery.identity)
            else:
                self._settle(stored, outcome)
        finally:
            beating[0] = False
            process.busy -= 1
            self.pump_at(self.ground.clock.micros)

    async def _outcome_in(self, process: Process, delivery: Delivery) -> Outcome:
        async def handle(given: Delivery) -> Outcome:
            return await self.handle(process, given)

        async def dead_letter(given: Delivery, reason: Reason, error: str) -> None:
            await self.dead_letter(process, given, reason, error)

        try:
            return await self._outcome(delivery, handle, dead_letter)
        except Died:
            raise
        except Exception as error:  # noqa: BLE001 - as the consumer does
            return Retry(because=f"{type(error).__name__}: {error}")

    def _beat_later(
        self, stored: _Stored, process: Process, beating: list[bool]
    ) -> None:
        third = self.ground.setting.ack_wait // 3

        def beat() -> None:
            if not beating[0] or process.dead:
                return
            now = self.ground.clock.micros
            if process.frozen_until <= now:
                stored.ready_at = now + 3 * third  # type: ignore[assignment]
            self.ground.loop.at(now + third, beat)

        self.ground.loop.at(self.ground.clock.micros + third, beat)

    def _settle(self, stored: _Stored, outcome: Outcome) -> None:
        match outcome:
            case Done() | Park():
                if stored in self._work:
                    self._work.remove(stored)
            case Retry(delay=delay):
                doubled = SECOND * 2 ** min(stored.deliveries - 1, 6)
                wait = min(doubled, 30 * SECOND)
                if delay is not None:
                    wait = int(delay.total_seconds() * 1_000_000)
                at = self.ground.clock.micros + max(min(wait, 5 * MINUTE), 50_000)
                stored.ready_at = at

    def timers(self) -> Any:
        """Return what is scheduled."""
        return self._timers
