"""Builds the parts of one process, connects them, and closes them again."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import structlog

from fsm.domain.errors import Fault
from fsm.domain.four_eyes import FourEyes
from fsm.domain.roster import four_eyes_of
from fsm.engine.records import replace
from handlers.commit import Limits, Ports
from handlers.flows import flows_of
from handlers.ports.clock import send_within
from handlers.relay import OutboxPublisher
from payment_service import bus
from payment_service.api.keyring import Keyring
from payment_service.observability import tracing
from payment_service.observability.measured import (
    MeasuredCore,
    MeasuredServices,
    StepWatch,
    call_note,
)
from payment_service.observability.metrics import Metrics
from payment_service.settings import ROLES, Settings, proxies
from payment_service.storage.clock import DatabaseClock
from payment_service.storage.controls import PostgresControls
from payment_service.storage.database import Database
from payment_service.storage.operator_store import PostgresOperatorStore
from payment_service.storage.people import PostgresPeople
from payment_service.storage.reads import PostgresReads
from payment_service.storage.session import NAME
from payment_service.storage.store import PostgresStore
from payment_service.storage.sweeps import PostgresSweeps
from payment_service.wiring.bus_health import BusHealth
from payment_service.wiring.health import admission_control_of
from payment_service.wiring.nats import connect_nats, topology_of
from payment_service.wiring.partner_files import file_note
from payment_service.wiring.people import KeyFollower
from payment_service.wiring.trust import Trust, require_trust
from providers.config import Config
from providers.core import HttpCore
from providers.health.admission import AdmissionControl
from providers.health.observed import ObservedProviders
from providers.health.observed_partners import ObservedPartners
from providers.health.observed_payments import ObservedPayments
from providers.http.outbound import Outbound
from providers.registry import build_partners, build_payments, build_providers
from providers.services import build_services

LOG: Final = structlog.get_logger("payment_service")
UNSIGNED_TOLD: Final = 10


@dataclass(slots=True)
class Service:
    """The parts of one process; :func:`open_service` makes and closes them."""

    settings: Settings
    config: Config
    database: Database
    clock: DatabaseClock
    store: PostgresStore
    wire: bus.NatsClient
    names: bus.Names
    topology: bus.Topology
    publisher: bus.JetStreamPublisher
    outbox_publisher: OutboxPublisher
    metrics: Metrics
    bus_health: BusHealth
    operator_store: PostgresOperatorStore
    reads: PostgresReads
    sweeps: PostgresSweeps
    outbound: Outbound
    ports: Ports
    admission_control: AdmissionControl
    controls: PostgresControls
    people: PostgresPeople
    keyring: Keyring
    follower: KeyFollower
    stopping: asyncio.Event
    broken: list[str]
    trust: Trust = field(default_factory=Trust)
    roles: frozenset[str] = frozenset()
    nudges: list[Callable[[], None]] = field(default_factory=list)
    followers: list[asyncio.Task[None]] = field(default_factory=list)
    store_lost: asyncio.Event = field(default_factory=asyncio.Event)

    async def four_eyes(self) -> FourEyes:
        """Return from which amounts two decide, as the database says it now."""
        thresholds = await self.people.thresholds()
        return four_eyes_of(thresholds, self.settings.four_eyes_from)

    def give_up(self, reason: str) -> None:
        """End the process: what is dead in it cannot be mended from inside."""
        LOG.error("service.given_up", because=reason)
        self.broken.append(reason)
        self.stopping.set()

    async def troubles(self) -> Sequence[str]:
        """Return what keeps this process from working; empty where nothing does."""
        found = []
        if self.stopping.is_set():
            found.append("the process is stopping")
        if "api" not in self.roles:
            found += self.bus_health.problems(self.wire, self.publisher)
        try:
            await self.database.require_write()
        except Fault as fault:
            found.append(str(fault))
        return found


def _tell_unsigned(names: list[str]) -> None:
    """Tell of what somebody wrote past the service: such keys are not taken."""
    LOG.error("keys.unsigned", count=len(names), names=names[:UNSIGNED_TOLD])


def _tell_forged(subjects: Sequence[str]) -> None:
    """Tell of requests in the outbox that nobody here has put there."""
    LOG.error(
        "outbox.forged", count=len(subjects), subjects=[*subjects][:UNSIGNED_TOLD]
    )


@asynccontextmanager
async def open_service(
    settings: Settings, config: Config, roles: Collection[str] = ()
) -> AsyncIterator[Service]:
    """Connect to everything, make the streams, and close it all on leaving.

    :raises StoreUnavailable: PostgreSQL cannot be reached.
    :raises BusUnavailable: NATS cannot be reached, or refuses the streams.
    :raises OldServer: NATS is too old.
    :raises ConfigError: a provider's adapter cannot be found or used, or NATS is
        trusted that lets anybody in.
    :raises SettingsError: a proxy, or whom TLS is to trust, cannot be read.
    """
    ways_out = proxies()
    async with AsyncExitStack() as stack:
        metrics = Metrics()
        bus_health = BusHealth(metrics)
        database = await open_database(settings, roles, stack)
        clock = DatabaseClock(database)
        await clock.calibrate()
        outbound = await stack.enter_async_context(
            Outbound(tracing.current_trace_parent, proxies=ways_out)
        )
        stopping = asyncio.Event()
        broken: list[str] = []
        wire = await _connected(settings, stack, stopping, broken)
        wire.on_unreadable.append(bus_health.unreadable)
        metrics.process_deaf.set_function(lambda: float(bus_health.is_deaf(wire)))
        names = bus.Names(settings.subject_prefix)
        await require_trust(wire, names, settings, config)
        topology = topology_of(settings)
        for change in await bus.ensure(bus.JetStreamApi(wire), topology):
            LOG.info("bus.healed", name=change.name, what=change.what)
        publisher = bus.JetStreamPublisher(
            wire,
            names,
            schedules=settings.schedules,
            on_refused=bus_health.refused,
            answers=settings.reply_subjects,
        )
        await publisher.start()
        store = PostgresStore(database, keys=settings.audit_keys)
        outbox_publisher = OutboxPublisher(publisher, remove=store.remove_soon)
        store.on_committed = outbox_publisher.enqueue
        admission_control = admission_control_of(config, clock, metrics)
        people = PostgresPeople(
            database, settings.audit_keys, on_unsigned=_tell_unsigned
        )
        keyring = Keyring(settings.api_keys, clock)
        yield Service(
            settings=settings,
            config=config,
            database=database,
            clock=clock,
            store=store,
            wire=wire,
            names=names,
            topology=topology,
            publisher=publisher,
            outbox_publisher=outbox_publisher,
            metrics=metrics,
            bus_health=bus_health,
            operator_store=PostgresOperatorStore(
                database, settings.audit_keys, on_committed=outbox_publisher.enqueue
            ),
            reads=PostgresReads(database),
            sweeps=PostgresSweeps(
                database, settings.audit_keys, on_forged=_tell_forged
            ),
            outbound=outbound,
            ports=_observed(
                _engine(settings, config, store, clock, metrics, outbound),
                admission_control,
                metrics,
            ),
            admission_control=admission_control,
            controls=PostgresControls(database, settings.audit_keys),
            people=people,
            keyring=keyring,
            follower=KeyFollower(people, keyring),
            stopping=stopping,
            broken=broken,
            trust=Trust(lambda holds: metrics.distrusted.set(not holds)),
        )


async def open_database(
    settings: Settings, roles: Collection[str], stack: AsyncExitStack
) -> Database:
    """Connect to PostgreSQL until the stack is left."""
    if settings.database_url is None:
        raise ValueError("PAYMENT_DATABASE_URL is missing")
    database = Database(
        settings.database_url.get_secret_value(),
        prepare=settings.database_prepare,
        name=" ".join((NAME, *(role for role in ROLES if role in roles))),
    )
    await database.open()
    stack.push_async_callback(database.close)
    return database


async def _connected(
    settings: Settings,
    stack: AsyncExitStack,
    stopping: asyncio.Event,
    broken: list[str],
) -> bus.NatsClient:
    def closed(reason: str) -> None:
        broken.append(f"the NATS connection is closed: {reason}")
        stopping.set()

    wire = await connect_nats(
        settings,
        name="payment-service",
        on_closed=closed,
        on_error=lambda error: LOG.warning("bus.error", error=error),
    )
    stack.push_async_callback(wire.close)
    return wire


def _observed(
    ports: Ports, admission_control: AdmissionControl, metrics: Metrics
) -> Ports:
    """Ask the keeper before each new attempt, and have it hear how they end."""
    note = call_note(metrics)
    return replace(
        ports,
        providers=ObservedProviders(ports.providers, admission_control, note),
        partners=ObservedPartners(ports.partners, admission_control, note),
        payments=ObservedPayments(ports.payments, admission_control, note),
        gate=admission_control,
    )


def _engine(
    settings: Settings,
    config: Config,
    store: PostgresStore,
    clock: DatabaseClock,
    metrics: Metrics,
    outbound: Outbound,
) -> Ports:
    token = settings.core_token.get_secret_value() if settings.core_token else None
    core = HttpCore(
        outbound,
        base_url=settings.core_url or "",
        token=token,
        timeout=settings.core_timeout,
        authority=settings.core_ca,
    )
    providers = build_providers(config, outbound, public_url=settings.public_url)
    partners = build_partners(config, outbound, note=file_note(metrics))
    paid_by = config.checkout.paid_by
    return Ports(
        flows=flows_of(paid_by),
        paid_by=paid_by,
        payments=build_payments(config, outbound),
        store=store,
        core=MeasuredCore(core, metrics),
        providers=providers,
        partners=partners,
        services=MeasuredServices(build_services(config, outbound), metrics),
        clock=clock,
        limits=Limits(
            chain=settings.ack_wait / 3, send_within=send_within(settings.ack_wait)
        ),
        watch=StepWatch(metrics),
        keys=settings.audit_keys,
    )
