"""What goes wrong at large, now and then: outages, wipes, kills, amnesia."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from handlers.ports.controls import Control
from payment_service.playground.memory.tables import MemoryTables
from tests.simulation.actors import People
from tests.simulation.counterparties import SimProvider
from tests.simulation.environment import NOWHERE, Ground
from tests.simulation.fault_injection import Door
from tests.simulation.fleet import Fleet
from tests.simulation.partners import SimPartner
from tests.simulation.payments import SimPayment
from tests.simulation.rates import DAY, HOUR, MINUTE, SECOND
from tests.simulation.services import SimService

PAUSED_MAX: Final = 12 * HOUR
FORGETS_MAX: Final = 5 * SECOND
TIMES_MAX: Final = 12
"""How often a kind of event comes at most, however long the faulty phase is."""


class Chaos:
    """Strikes at times drawn beforehand, until the faults are healed."""

    def __init__(
        self, ground: Ground, door: Door, fleet: Fleet, people: People
    ) -> None:
        self.ground = ground
        self.door = door
        self.fleet = fleet
        self.people = people
        self.on_forgotten: Callable[[MemoryTables, MemoryTables], None] = lambda *_: (
            None
        )
        self._forgets = 0
        self._remembered = False

    def plan(self) -> None:
        """Draw when what strikes."""
        strikes: dict[str, Callable[[], None]] = {
            "bus_down": self._bus_down,
            "bus_wiped": self._bus_wiped,
            "core_down": self._core_down,
            "store_down": self._store_down,
            "provider_down": self._provider_down,
            "sweeper_off": self._sweeper_off,
            "killed": self._killed,
            "letters_read": self._letters_read,
            "provider_paused": self._provider_paused,
        }
        for name, strike in strikes.items():
            self._many(getattr(self.ground.dials, name), strike)
        if self.ground.setting.checkouts:
            self._many(self.ground.dials.provider_down, self._service_down)
        if self.ground.setting.charging:
            self._many(self.ground.dials.provider_down, self._payment_down)
        if self.ground.setting.links:
            self._many(self.ground.dials.provider_down, self._partner_down)
        if self.ground.dials.amnesia:
            self._forgets = 1 + int(self.ground.draw() * 2)

    def _many(self, rate: float, strike: Callable[[], None]) -> None:
        """Draw when it strikes, ``rate`` times a day."""
        span = self.ground.setting.faulty
        many = min(rate * max(span / DAY, 1.0), TIMES_MAX)
        for _ in range(int(many + self.ground.draw()) if rate else 0):
            self.ground.loop.at(int(self.ground.draw() * span), strike)

    def _a_while(self) -> int:
        return self.ground.between(SECOND, HOUR)

    def _bus_down(self) -> None:
        self.ground.struck("bus down")
        self.fleet.bus.goes_down()
        self.ground.loop.at(self.ground.clock.micros + self._a_while(), self.bus_back)

    def bus_back(self) -> None:
        self.fleet.bus.comes_back()
        self.fleet.bus.pump_at(self.ground.clock.micros)

    def _bus_wiped(self) -> None:
        self.ground.struck("stream wiped")
        self.fleet.bus.wipe()

    def _core_down(self) -> None:
        self.ground.struck("core down")
        self.door.core_down_until = self.ground.clock.micros + self._a_while()

    def _store_down(self) -> None:
        self.ground.struck("store down")
        down = self.ground.between(SECOND, 10 * MINUTE)
        self.door.store_down_until = self.ground.clock.micros + down

    def _provider_down(self) -> None:
        provider = self.ground.random.choice(self.fleet.providers.every())
        if isinstance(provider, SimProvider):
            provider.line.hangs = self.ground.draw() < 0.5
            how = "hangs" if provider.line.hangs else "refuses connections"
            self.ground.struck(f"provider down: {how}", provider.name)
            provider.line.down_until = self.ground.clock.micros + self._a_while()

    def _partner_down(self) -> None:
        for partner in self.fleet.partners.every():
            if isinstance(partner, SimPartner):
                partner.line.hangs = self.ground.draw() < 0.5
                self.ground.struck("partner down", partner.name)
                until = self.ground.clock.micros + self._a_while()
                partner.line.down_until = until

    def _service_down(self) -> None:
        service = self.ground.random.choice(self.fleet.services.every())
        if isinstance(service, SimService):
            service.line.hangs = self.ground.draw() < 0.5
            self.ground.struck("service down", service.name)
            service.line.down_until = self.ground.clock.micros + self._a_while()

    def _payment_down(self) -> None:
        payment = self.ground.random.choice(self.fleet.payments.every())
        if isinstance(payment, SimPayment):
            payment.line.hangs = self.ground.draw() < 0.5
            self.ground.struck("payment down", payment.name)
            payment.line.down_until = self.ground.clock.micros + self._a_while()

    def _provider_paused(self) -> None:
        """Pause providers, until somebody resumes them or until their time is over."""
        if not self.ground.setting.in_flight:
            return
        names = self.fleet.providers.names()
        if self.ground.draw() < 0.5:
            names = [self.ground.random.choice(names)]
        now, length = self.ground.clock.now(), int(self.ground.draw() * PAUSED_MAX)
        timed = self.ground.draw() < 0.5
        until = now + timedelta(microseconds=length) if timed else None
        for name in names:
            self.ground.struck("provider paused", name)
            self.fleet.paused[name] = Control(
                provider=name, reason="chaos", until=until, by="user:chaos", at=now
            )
        self.fleet.tell_of_pauses()
        if not timed:
            self.ground.loop.at(
                self.ground.clock.micros + length, self._providers_resumed, names
            )

    def _providers_resumed(self, names: list[str]) -> None:
        for name in names:
            self.fleet.paused.pop(name, None)
        self.fleet.tell_of_pauses()

    def _sweeper_off(self) -> None:
        self.ground.struck("sweeper off")
        off = self.ground.between(MINUTE, 6 * HOUR)
        self.fleet.sweeper_off_until = self.ground.clock.micros + off

    def _killed(self) -> None:
        process = self.fleet.some()
        if process is not None:
            self.ground.struck("process killed", process.name)
            self.fleet.kill(process, "kill -9")

    def _letters_read(self) -> None:
        self.ground.spawn(NOWHERE, self.people.read_letters())
        self.ground.spawn(NOWHERE, self.people.read_cases())

    # Amnesia: what is remembered of one commit is all there is some seconds later.

    def after_commit(self) -> None:
        """Take the picture to which the database will fall back, at some commits."""
        if not self._forgets or self._remembered or self.ground.draw() > 0.02:
            return
        self._forgets -= 1
        self._remembered = True
        snapshot = self.fleet.store.snapshot()
        lost = 1 + int(self.ground.draw() * FORGETS_MAX)
        self.ground.loop.at(self.ground.clock.micros + lost, self._forget, snapshot)

    def _forget(self, snapshot: MemoryTables) -> None:
        self._remembered = False
        before = self.fleet.store.tables
        self.ground.struck("database amnesia")
        self.fleet.store.restore(snapshot)
        self.on_forgotten(before, self.fleet.store.tables)
        if self.ground.draw() < 0.5:
            for process in [*self.fleet.processes]:
                self.fleet.kill(process, "its database has failed over")
        self.fleet.wants_sweep(self.ground.clock.micros)
        self.fleet.wants_relay(self.ground.clock.micros)

    def heal(self) -> None:
        """End every outage."""
        self._forgets = 0
        self.bus_back()
        self.door.core_down_until = self.door.store_down_until = 0
        for provider in self.fleet.providers.every():
            if isinstance(provider, SimProvider):
                provider.line.down_until = 0
        for service in self.fleet.services.every():
            if isinstance(service, SimService):
                service.line.down_until = 0
        for payment in self.fleet.payments.every():
            if isinstance(payment, SimPayment):
                payment.line.down_until = 0
        self.fleet.paused.clear()
        self.fleet.tell_of_pauses()
