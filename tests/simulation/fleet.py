"""The processes of the service: they start, serve, die, freeze and are replaced."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, TypeVar, cast

import orjson

from fsm.domain.dead_letters import Reason
from fsm.domain.errors import Fault
from fsm.domain.messages import Message
from fsm.domain.orders import Request, Submission
from fsm.domain.request_kinds import SUBJECTS
from handlers.commit import Limits, Ports
from handlers.dead_letters import dead_letter
from handlers.flows import flows_of
from handlers.ports.admission import NotAdmittedCode
from handlers.ports.bus import Delivery
from handlers.ports.controls import Control, FleetView
from handlers.ports.outcomes import Outcome
from handlers.ports.provider import Provider
from handlers.relay import LEFT_AFTER, OutboxPublisher, relay
from handlers.route import Dispatch, Told
from handlers.sweep import sweep
from payment_service.playground.memory.clock import SkewedClock
from payment_service.playground.memory.effects import Died
from payment_service.playground.memory.partners import MemoryPartners
from payment_service.playground.memory.payments import MemoryPayments
from payment_service.playground.memory.providers import MemoryProviders
from payment_service.playground.memory.services import MemoryServices
from providers.health.admission import AdmissionControl, Terms
from providers.health.breaker import BreakerTerms
from providers.health.observed import ObservedProviders
from providers.health.observed_payments import ObservedPayments
from tests.simulation.bus import SimBus
from tests.simulation.counterparties import SimCore
from tests.simulation.environment import CURRENT, Ground, Process
from tests.simulation.fault_injection import Door
from tests.simulation.payments import paid_by
from tests.simulation.rates import CALM, MINUTE, SECOND
from tests.simulation.store import SimStore

Result = TypeVar("Result")
GRACE: Final = timedelta(seconds=30)
GRACE_MICROS: Final = 30 * SECOND
SWEEPS_EVERY: Final = 15 * SECOND
LEFT: Final = LEFT_AFTER // timedelta(microseconds=1)


class Fleet:
    """All processes; what one of them does is lost with it."""

    def __init__(
        self,
        ground: Ground,
        door: Door,
        store: SimStore,
        bus: SimBus,
        core: SimCore,
        providers: MemoryProviders,
        services: MemoryServices,
        payments: MemoryPayments,
        partners: MemoryPartners,
    ) -> None:
        self.ground = ground
        self.store = store
        self.bus = bus
        self.core = core
        self.providers = providers
        self.services = services
        self.payments = payments
        self.paid_by = paid_by(payments)
        self.partners = partners
        self.processes: list[Process] = []
        self.requests: dict[str, Request] = {}
        self.answers: dict[str, Submission] = {}
        self.sweeper_off_until = 0
        self.paused: dict[str, Control] = {}
        self.crashes: list[str] = []
        self._sweep_at: int | None = None
        self._relay_at: int | None = None
        self._started = 0
        door.kills = self.kill
        bus.processes = self.processes
        bus.handle = self.handle
        bus.dead_letter = self._dead_letter

    # Lives.

    def start(self, odd: str = "") -> None:
        """Start a process with a picture of nothing."""
        self._started += 1
        odd = "" if self.ground.dials is CALM else odd
        process = Process(f"p{self._started}", odd)
        process.outbox_publisher = OutboxPublisher(
            self.bus, remove=self.store.remove_soon
        )
        process.ports = self._engine(process)
        self.processes.append(process)
        self.ground.note("starts", process.name)
        self.ground.spawn(process, process.outbox_publisher.run())
        self.bus.pump_at(self.ground.clock.micros)

    def _engine(self, process: Process) -> Ports:
        setting = self.ground.setting
        ack_wait = timedelta(microseconds=setting.ack_wait)
        limits = Limits(chain=ack_wait / 3, send_within=ack_wait / 6)
        if process.odd == "limits":
            limits = Limits(chain=timedelta(0), send_within=timedelta(seconds=1))
        providers, services = self.providers, self.services
        partners, payments = self.partners, self.payments
        if process.odd == "unconfigured":
            providers = MemoryProviders(*self.providers.every()[1:])
            services = MemoryServices(*self.services.every()[1:])
            partners = MemoryPartners()
            payments = MemoryPayments(*self.payments.every()[1:])
        off = int((self.ground.draw() - 0.5) * 2 * setting.skew)
        by = timedelta(microseconds=off)
        ports = Ports(
            flows=flows_of(self.paid_by),
            paid_by=self.paid_by,
            store=self.store,
            core=self.core,
            providers=providers,
            services=services,
            payments=payments,
            partners=partners,
            clock=SkewedClock(self.ground.clock, by) if off else self.ground.clock,
            limits=limits,
            watch=_Watch(self.ground),
        )
        return self._kept(process, ports) if setting.in_flight else ports

    def _kept(self, process: Process, ports: Ports) -> Ports:
        """Put a keeper at the gates of a process; it knows at once who is paused."""
        terms = {}
        for name in ports.providers.names():
            provider = ports.providers.get(name)
            if provider is not None:
                terms[name] = _terms(provider, self.ground.setting.in_flight)
        admission_control = AdmissionControl(
            terms, ports.clock, replica=process.name, listener=_Listener(self.ground)
        )
        process.admission_control = admission_control
        admission_control.heard(FleetView(paused=self.paused))
        return replace(
            ports,
            providers=ObservedProviders(ports.providers, admission_control),
            payments=ObservedPayments(ports.payments, admission_control),
            gate=admission_control,
        )

    def tell_of_pauses(self) -> None:
        """Have every process hear within a second who is paused and who is not."""
        for process in self.processes:
            if process.admission_control is not None:
                soon = self.ground.clock.micros + int(self.ground.draw() * SECOND)
                self.ground.loop.at(soon, self._hear, process)

    def _hear(self, process: Process) -> None:
        process.admission_control.heard(FleetView(paused=self.paused))

    def kill(self, process: Process, why: str) -> None:
        """End a process at once; another one is started in its place."""
        if process.dead:
            return
        process.dead = True
        self.processes.remove(process)
        self.ground.note("dies", f"{process.name} {why}")
        after = self.ground.between(SECOND, 5 * MINUTE)
        self.ground.loop.at(self.ground.clock.micros + after, self.start, process.odd)

    def heal(self) -> None:
        """Let everybody wake, and replace whoever is of another version."""
        self.sweeper_off_until = 0
        for process in [*self.processes]:
            process.frozen_until = 0
            if process.odd:
                self.kill(process, "is replaced")
        self.bus.pump_at(self.ground.clock.micros)
        self.wants_sweep(self.ground.clock.micros)
        self.wants_relay(self.ground.clock.micros)

    def some(self) -> Process | None:
        """Return a process that would answer."""
        now = self.ground.clock.micros
        awake = [p for p in self.processes if p.frozen_until <= now]
        return self.ground.random.choice(awake) if awake else None

    async def insist(
        self, act: Callable[[Process], Awaitable[Result]], *, patience: int = 1000
    ) -> Result:
        """Repeat a call from outside until it is answered, as every caller must."""
        for _ in range(patience):
            process = self.some()
            if process is None:
                await self.ground.loop.sleep(5 * SECOND)
                continue
            CURRENT.set(process)
            try:
                return await act(process)
            except (Fault, Died):
                await self.ground.loop.sleep(self.ground.between(SECOND, 5 * MINUTE))
        raise AssertionError("nobody ever answers")

    async def answer_to(self, request: Request) -> Submission:
        """Ask by message, again and again until some worker answers."""
        number = str(len(self.requests))
        self.requests[number] = request
        body = orjson.dumps({"order_id": request.order_id, "number": number})
        message = Message(
            subject=SUBJECTS[request.kind], body=body, message_id=f"request:{number}"
        )
        while number not in self.answers:
            self.bus.deliver_again(message)
            self.ground.seen["request by message"] += 1
            for _ in range(36):
                await self.ground.loop.sleep(5 * SECOND)
                if number in self.answers:
                    break
        return self.answers[number]

    async def _answered(self, delivery: Delivery, told: Told) -> None:
        number = str(delivery.fields()["number"])
        self.answers[number] = Submission(
            status=cast("Any", told["status"]),
            order_id=str(told["order_id"]),
            # A conflict is told as what was asked for, which has no order of its own.
            queue_id=cast("str | None", told.get("queue_id")),
        )

    def _read(self, delivery: Delivery) -> Request:
        if delivery.deliveries > 1:
            self.ground.seen["request resumed"] += 1
        return self.requests[str(delivery.fields()["number"])]

    # Work.

    async def handle(self, process: Process, delivery: Delivery) -> Outcome:
        dispatch = Dispatch(
            ports=process.ports, read_request=self._read, answer=self._answered
        )
        try:
            return await dispatch.handle(delivery)
        except Exception as error:
            self.crashes.append(f"{delivery.subject}: {type(error).__name__}: {error}")
            self.ground.note("CRASHES", f"{type(error).__name__}: {error}")
            raise

    async def _dead_letter(
        self, process: Process, delivery: Delivery, reason: Reason, error: str
    ) -> None:
        self.ground.seen[f"dead letter: {reason.value}"] += 1
        await dead_letter(
            delivery, reason, error, store=self.store, clock=process.ports.clock
        )

    # Sweeper and relay: they look at fixed times, and only where there may be work.

    def wants_sweep(self, micros: int) -> None:
        """Have the sweeper look at its first time from then on."""
        tick = -(-micros // SWEEPS_EVERY) * SWEEPS_EVERY
        tick = max(tick, self.ground.clock.micros)
        if self._sweep_at is None or tick < self._sweep_at:
            self._sweep_at = tick
            self.ground.loop.at(tick, self._sweep, tick)

    def _sweep(self, tick: int) -> None:
        if tick != self._sweep_at:
            return
        self._sweep_at = None
        now, process = self.ground.clock.micros, self.some()
        if now < self.sweeper_off_until or process is None:
            self.wants_sweep(max(self.sweeper_off_until, now + SWEEPS_EVERY))
            return
        self.ground.spawn(process, self._swept(process))

    async def _swept(self, process: Process) -> None:
        try:
            swept = await sweep(
                rows=self.store,
                store=self.store,
                publisher=self.bus,
                clock=process.ports.clock,
                grace=GRACE,
            )
            if swept.rows or swept.webhook or swept.expired:
                self.ground.seen["sweeper rescue of a row"] += swept.rows
                self.ground.seen["sweeper rescue of a webhook"] += swept.webhook
                self.ground.seen["webhook expired"] += swept.expired
                self.ground.note(
                    "sweep", f"{swept.rows} {swept.webhook} {swept.expired}"
                )
        except Fault:
            pass
        finally:
            following = self.store.next_micros(GRACE_MICROS)
            if following is not None:
                soon = self.ground.clock.micros + SWEEPS_EVERY
                self.wants_sweep(max(following, soon))

    def wants_relay(self, micros: int) -> None:
        """Have the relay look then."""
        if self._relay_at is None or micros < self._relay_at:
            self._relay_at = micros
            self.ground.loop.at(micros, self._relay, micros)

    def _relay(self, due: int) -> None:
        if due != self._relay_at:
            return
        self._relay_at = None
        if not self.store.tables.outbox:
            return
        process = self.some()
        if process is not None:
            self.ground.spawn(process, self._relayed())
        self.wants_relay(self.ground.clock.micros + 5 * SECOND)

    async def _relayed(self) -> None:
        try:
            gone = await relay(outbox=self.store, publisher=self.bus)
        except Fault:
            return
        if gone:
            self.ground.seen["outbox resend"] += gone
            self.ground.note("relay", str(gone))


def _terms(provider: Provider, in_flight: int) -> Terms:
    timeout = provider.timeout.total_seconds()
    return Terms(
        timeout=provider.timeout,
        breaker=BreakerTerms(
            window=600,
            failure_rate=0.7,
            min_calls=3,
            open=120,
            probes=1,
            hung_after=timeout / 2,
        ),
        in_flight_here=in_flight,
    )


class _Listener:
    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def kept_out(self, provider: str, code: NotAdmittedCode) -> None:
        del provider
        self._ground.seen[f"kept out: {code}"] += 1

    def turned(self, provider: str, state: str, because: str) -> None:
        self._ground.seen[f"provider is {state}"] += 1
        self._ground.note(f"provider is {state}", f"{provider}: {because}")


class _Watch:
    def __init__(self, ground: Ground) -> None:
        self._seen = ground.seen

    def recorded(self, work: Any) -> None:
        del work

    def conflicted(self) -> None:
        self._seen["conflict lost"] += 1

    def woke(self, lateness_seconds: float) -> None:
        if lateness_seconds > 60:
            self._seen["woke late"] += 1
