"""One process of the service over a real database and stream, until it dies."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Self, TypeVar, cast

from fsm.domain.errors import (
    BusUnavailable,
    PaymentServiceError,
    StoreUnavailable,
)
from fsm.domain.messages import Message
from handlers.commit import Limits, Ports
from handlers.flows import FLOWS
from handlers.ports.bus import Delivery
from handlers.ports.core import Core
from handlers.ports.outcomes import Outcome, Retry
from handlers.ports.partners import Partners
from handlers.ports.provider import Providers
from handlers.ports.services import StepServices
from handlers.ports.store import Store, Unsent
from handlers.relay import OutboxPublisher, relay
from handlers.sweep import sweep
from payment_service import bus
from payment_service.bus.consumer import _Held
from payment_service.observability.metrics import Metrics
from payment_service.playground.memory.effects import FailureForm
from payment_service.storage.clock import DatabaseClock
from payment_service.storage.database import Database
from payment_service.storage.store import PostgresStore
from payment_service.storage.sweeps import PostgresSweeps
from payment_service.wiring.forwarded import ForwardedUseCases
from payment_service.wiring.forwarders import Forwarders
from payment_service.wiring.roles import cancel_all
from payment_service.wiring.router import Router
from tests.crashes.door import ACK, Door

ACK_WAIT: Final = timedelta(seconds=2)
MAX_DELIVER: Final = 8
RELAY_EVERY: Final = timedelta(milliseconds=300)
LEFT_AFTER: Final = timedelta(milliseconds=500)
SWEEP_EVERY: Final = timedelta(milliseconds=300)
SWEEP_GRACE: Final = timedelta(milliseconds=700)
TIDY_EVERY: Final = timedelta(milliseconds=200)
FLUSH_SECONDS_MAX: Final = 2.0
CONNECTIONS_MAX: Final = 3
READS: Final = frozenset(
    {"load", "queue_of", "completed", "pending_webhooks", "find_webhook"}
)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a service is at home: a migrated database, a NATS server, a prefix."""

    database_url: str
    nats_url: str
    prefix: str

    @property
    def names(self) -> bus.Names:
        return bus.Names(self.prefix)

    @property
    def topology(self) -> bus.Topology:
        return bus.wanted(self.names, replicas=1, ack_wait=ACK_WAIT)


class CrashStore:
    """PostgreSQL's store behind the door: what is not known to read, commits.

    What a commit put into the outbox is handed on once its caller knows of it.
    """

    def __init__(
        self, store: PostgresStore, door: Door, outbox_publisher: OutboxPublisher
    ) -> None:
        self._store = store
        self._door = door
        self._outbox_publisher = outbox_publisher
        self._committed: list[Unsent] = []
        store.on_committed = self._committed.extend

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method: Callable[..., Awaitable[Any]] = getattr(self._store, name)
        if name in READS:
            return method

        async def committed(*given: object) -> object:
            return await self._commit(f"store.{name}", lambda: method(*given))

        return committed

    async def _commit(self, name: str, act: Callable[[], Awaitable[Result]]) -> Result:
        def failed(done: bool) -> Result:
            self._committed.clear()
            raise StoreUnavailable(f"{name}: the connection is gone, done: {done}")

        result = await self._door.through(name, act, failed)
        rows, self._committed[:] = [*self._committed], []
        if rows:
            self._outbox_publisher.enqueue(rows)
        return result


class CrashPublisher:
    """Implements ``ports.bus.Publisher``: JetStream behind the door."""

    def __init__(self, publisher: bus.JetStreamPublisher, door: Door) -> None:
        self._publisher = publisher
        self._door = door

    async def publish(self, messages: Sequence[Message]) -> Sequence[bool]:
        if not messages:
            return []
        return await self._door.through(
            "bus.publish",
            lambda: self._publisher.publish(messages),
            lambda _: [False] * len(messages),
        )

    def why_unfit(self, message: Message) -> str | None:
        return self._publisher.why_unfit(message)

    async def reply(self, subject: str, body: bytes) -> bool:
        return await self._publisher.reply(subject, body)


class CrashConsumer(bus.Consumer):
    """Acknowledges through the door.

    Nobody hears of an acknowledgement, so what is lost of it is the message itself.
    """

    door: Door
    last_words = False

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """All that it has under way."""
        beating = [] if self._beating is None else [self._beating]
        return [*self._running, *beating]

    async def _outcome(self, delivery: Delivery) -> Outcome:
        outcome = await super()._outcome(delivery)
        if isinstance(outcome, Retry):
            return outcome
        form = await self.door.strikes(ACK)
        if form is FailureForm.NOT_DONE_DIED:
            await self.door.die()
        self._form = form
        return outcome

    def _settle(self, held: _Held, outcome: Outcome) -> None:
        form, self._form = self._form, None
        if form is FailureForm.DONE_LOST:
            return
        super()._settle(held, outcome)
        if form is FailureForm.DONE_DIED:
            self.last_words = True
            self.door.died.set()

    _form: FailureForm | None = None


class Life:
    """A process with every role: worker, relay, sweeper and what serves the API."""

    def __init__(
        self,
        place: Place,
        door: Door,
        *,
        core: Core,
        providers: Providers,
        services: StepServices,
        partners: Partners,
    ) -> None:
        self._place = place
        self._door = door
        self._core = core
        self._providers = providers
        self._services = services
        self._partners = partners
        self._loops: list[asyncio.Task[None]] = []

    async def begin(self) -> Self:
        """Connect to everything and be at work."""
        self.database = Database(
            self._place.database_url, connections_max=CONNECTIONS_MAX
        )
        await self.database.open()
        clock = DatabaseClock(self.database)
        await clock.calibrate()
        self.wire = await bus.connect(
            [self._place.nats_url], name="crashes", on_closed=lambda _: None
        )
        await bus.ensure(bus.JetStreamApi(self.wire), self._place.topology)
        publisher = bus.JetStreamPublisher(
            self.wire, self._place.names, schedules=True, on_refused=lambda *_: None
        )
        await publisher.start()
        self.publisher = CrashPublisher(publisher, self._door)
        self.rows = PostgresStore(self.database)
        self.outbox_publisher = OutboxPublisher(
            self.publisher, remove=self.rows.remove_soon
        )
        self.store = cast(
            "Store", CrashStore(self.rows, self._door, self.outbox_publisher)
        )
        self.sweeps = PostgresSweeps(self.database)
        self.ports = Ports(
            flows=FLOWS,
            store=self.store,
            core=self._core,
            providers=self._providers,
            services=self._services,
            partners=self._partners,
            clock=clock,
            limits=Limits(chain=ACK_WAIT / 3, send_within=ACK_WAIT / 6),
        )
        self.consumers = [*map(self._consumer, self._place.topology.consumers)]
        for consumer in self.consumers:
            await consumer.start()
        self._loops = [asyncio.create_task(loop) for loop in self._work()]
        return self

    async def end(self) -> None:
        """Die: nothing is handed back, nothing is finished."""
        if any(consumer.last_words for consumer in self.consumers):
            with suppress(BusUnavailable):
                await self.wire.round_trip(FLUSH_SECONDS_MAX)
        self.wire.lost()
        for consumer in self.consumers:
            consumer._pulls._is_open = False
            consumer._pulls._cancel_retry()
        working = [task for c in self.consumers for task in c.tasks]
        await cancel_all([*self._loops, *working])
        await self.wire.close()
        await self.database.close()

    @property
    def in_flight(self) -> int:
        return sum(consumer.in_flight for consumer in self.consumers)

    def _consumer(self, durable: bus.Durable) -> CrashConsumer:
        router = Router.of(
            self.ports,
            forwarded=ForwardedUseCases(ports=self.ports, forwarders=Forwarders()),
            publisher=self.publisher,
            metrics=Metrics(),
        )
        consumer = CrashConsumer(
            self.wire,
            self._place.names,
            bus.DurableConsumer(stream=durable.stream, durable=durable.name),
            limits=bus.ConsumerLimits(
                in_flight_max=100, ack_wait=ACK_WAIT, max_deliver=MAX_DELIVER
            ),
            handle=router.handle,
            dead_letter=router.dead_letter,
            listeners=bus.Listeners(
                on_handled=lambda *_: None,
                on_error=lambda *_: None,
                on_gone=self._nudge,
            ),
        )
        consumer.door = self._door
        return consumer

    def _nudge(self) -> None:
        self._dog.nudge()

    def _work(self) -> list[Coroutine[Any, Any, None]]:
        self._dog = bus.Watchdog(
            self.wire,
            self._place.topology,
            self.consumers,
            listeners=bus.WatchListeners(
                on_healed=lambda _: None,
                on_trouble=lambda _: None,
                give_up=lambda _: self._door.died.set(),
            ),
        )
        return [
            self.outbox_publisher.run(),
            self._dog.run(),
            _every(RELAY_EVERY, self._relay),
            _every(SWEEP_EVERY, self._sweep),
            _every(TIDY_EVERY, self._tidy),
        ]

    async def _relay(self) -> None:
        await relay(outbox=self.sweeps, publisher=self.publisher, older_than=LEFT_AFTER)

    async def _sweep(self) -> None:
        await sweep(
            rows=self.sweeps,
            store=self.store,
            publisher=self.publisher,
            clock=self.ports.clock,
            grace=SWEEP_GRACE,
        )

    async def _tidy(self) -> None:
        await self.sweeps.sent(self.rows.take_removable())


async def _every(period: timedelta, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        with suppress(PaymentServiceError):
            await work()
        await asyncio.sleep(period.total_seconds())
