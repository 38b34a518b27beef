"""What each role of a process does: worker, relay, sweeper; the API has its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, Final

import structlog

from fsm.domain.errors import Fault, PaymentServiceError
from handlers.pace import limited
from handlers.ports.bus import Delivery
from handlers.relay import BATCH, Relay
from handlers.sweep import BATCH as SWEEP_BATCH
from handlers.sweep import sweep
from payment_service import bus
from payment_service.observability.repeats import Repeats
from payment_service.storage.gauges import standing
from payment_service.wiring.anchoring import anchoring_of
from payment_service.wiring.forwarded import ForwardedUseCases
from payment_service.wiring.forwarders import Forwarders
from payment_service.wiring.health import (
    BEAT_EVERY,
    HEALTH_TIDY_EVERY,
    follow,
    take_leave,
)
from payment_service.wiring.overdue import OverdueDriver, drive_overdue, overdue_after
from payment_service.wiring.people import LOOK_EVERY, USES_EVERY
from payment_service.wiring.router import Router
from payment_service.wiring.service import Service
from payment_service.wiring.trust import keep_asking, trusting

LOG: Final = structlog.get_logger("payment_service")
STEPS_IN_FLIGHT_MAX: Final = 1000
REQUESTS_IN_FLIGHT_MAX: Final = 1000
TIMERS_IN_FLIGHT_MAX: Final = 1000
TIMERS_AT_WORK_MAX: Final = 32
"""Those that wait for an answer from outside are not counted."""
RELAY_EVERY: Final = timedelta(seconds=1)
RELAY_REFUSED_MAX: Final = timedelta(seconds=15)
"""Between two tries where nothing is taken."""
SWEEP_AGAIN: Final = timedelta(seconds=60)
REFUSED_UNTIL: Final = timedelta(seconds=90)
PROBED_WITH: Final = 10
"""Rows with which a process without the relay's role finds out that it may publish."""
GAUGES_EVERY: Final = timedelta(seconds=10)
GAUGES_SHARE: Final = 0.02
"""Of the time: counting a million open orders takes a while."""
TIDY_EVERY: Final = timedelta(milliseconds=500)
CALIBRATE_EVERY: Final = timedelta(seconds=30)
FOREIGN: Final = "foreign"
"""Webhooks about nothing of ours, counted when they are forgotten."""
UNROUTED_EVERY: Final = timedelta(seconds=60)
PARTITIONS_EVERY: Final = timedelta(hours=6)
STORE_PROBE_EVERY: Final = timedelta(milliseconds=500)
STOP_GRACE: Final = timedelta(seconds=20)
_CRASHES: Final = Repeats()
CANCEL_AGAIN: Final = timedelta(milliseconds=100)


@asynccontextmanager
async def at_work(service: Service, roles: frozenset[str]) -> AsyncIterator[None]:
    """Do the work of the roles until the block is left; then stop gracefully.

    Consumers stop first and finish what they have begun; then what was committed is
    published, so that nothing is left to another process without need.
    """
    consumers = _consumers(service) if "worker" in roles else []
    if "worker" in roles:
        # Nothing begins before it is known who is paused.
        await _follow(service)
    for consumer in consumers:
        await consumer.start()
    overdue = OverdueDriver(_router(service))
    loops = _loops(service, roles, consumers, overdue)
    tasks = [
        asyncio.create_task(loop) for loop in (service.outbox_publisher.run(), *loops)
    ]
    for task in tasks:
        task.add_done_callback(lambda done: _ended(service, done))
    try:
        yield
    finally:
        await asyncio.gather(
            overdue.stop(STOP_GRACE),
            *(consumer.stop(STOP_GRACE) for consumer in consumers),
        )
        await _settle(service)
        await cancel_all(tasks)
        await take_leave(service.admission_control, service.controls)


async def cancel_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks until every one of them has ended.

    On Python 3.11 ``asyncio.wait_for`` swallows a cancellation that comes together
    with what it waits for, and psycopg's pool waits with it: whoever is cancelled as
    another gives a connection back would go on for ever.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN.total_seconds())


def _ended(service: Service, task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        service.give_up(f"a loop of the process has ended: {task.exception()!r}")


async def _settle(service: Service) -> None:
    with suppress(TimeoutError, Fault):
        async with asyncio.timeout(STOP_GRACE.total_seconds() / 4):
            await service.outbox_publisher.flush()
            await _tidy(service)
            await service.follower.note_uses()


def _router(service: Service) -> Router:
    return Router.of(
        service.ports,
        forwarded=ForwardedUseCases(
            ports=service.ports,
            forwarders=Forwarders.of(service.config, service.trust),
        ),
        publisher=service.publisher,
        metrics=service.metrics,
        store_lost=service.store_lost.set,
    )


def _consumers(service: Service) -> list[bus.Consumer]:
    router = _router(service)
    names = bus.topology
    paced = limited(router.handle, TIMERS_AT_WORK_MAX)
    sources = (
        (names.TASKS, names.TASK_CONSUMER, STEPS_IN_FLIGHT_MAX, router.handle),
        (names.TASKS, names.TIMER_CONSUMER, TIMERS_IN_FLIGHT_MAX, paced),
        (names.REQUESTS, names.REQUEST_CONSUMER, REQUESTS_IN_FLIGHT_MAX, router.handle),
    )
    return [
        bus.Consumer(
            service.wire,
            service.names,
            bus.DurableConsumer(stream=service.names.stream(stream), durable=durable),
            limits=bus.ConsumerLimits(
                in_flight_max=in_flight,
                ack_wait=service.settings.ack_wait,
                max_deliver=service.settings.max_deliver,
            ),
            handle=handle,
            dead_letter=router.dead_letter,
            listeners=bus.Listeners(
                on_handled=lambda *_: None,
                on_error=_crashed,
                on_gone=lambda: _nudge(service),
            ),
        )
        for stream, durable, in_flight, handle in sources
    ]


def _nudge(service: Service) -> None:
    for nudge in service.nudges:
        nudge()


def _crashed(delivery: Delivery, error: Exception) -> None:
    untold = _CRASHES.admit(type(error).__name__)
    if untold is not None:
        LOG.error(
            "message.crashed",
            subject=delivery.subject,
            untold=untold,
            exc_info=error,
        )


def _loops(
    service: Service,
    roles: frozenset[str],
    consumers: list[bus.Consumer],
    overdue: OverdueDriver,
) -> list[Coroutine[None, None, None]]:
    settings = service.settings
    loops: list[Coroutine[None, None, None]] = [
        _watch(service, roles, consumers),
        _every(TIDY_EVERY, lambda: _tidy(service)),
        _every(CALIBRATE_EVERY, service.clock.calibrate),
    ]
    if "worker" in roles:
        loops.append(_nurse_store(service, consumers))
        loops.append(_every(BEAT_EVERY, lambda: _follow(service)))
        drive = _every(settings.sweep_interval, lambda: drive_overdue(service, overdue))
        loops.append(drive)
        if trusted := trusting(service.config):
            loops.append(_keep_trust(service, trusted))
    if "api" in roles:
        loops.append(_every(LOOK_EVERY, service.follower.look))
        loops.append(_every(USES_EVERY, service.follower.note_uses))
    loops.append(_relaying(service, is_relay="relay" in roles))
    if "sweeper" in roles:
        sweeping = Sweeping(service)
        loops.append(_every(settings.sweep_interval, sweeping.go_on))
        loops.append(_every(UNROUTED_EVERY, lambda: _dead_letter_unrouted(service)))
        loops.append(_every(GAUGES_EVERY, lambda: _show(service), share=GAUGES_SHARE))
        loops.append(_every(PARTITIONS_EVERY, service.operator_store.make_partitions))
        loops.append(_every(HEALTH_TIDY_EVERY, service.controls.tidy))
        anchoring = anchoring_of(settings, service.database, service.metrics)
        if anchoring is not None:
            loops.append(_every(settings.anchor_interval, anchoring.go_on))
    return loops


async def _every(
    period: timedelta, work: Callable[[], Awaitable[object]], *, share: float = 1.0
) -> None:
    """Do it now and every period, whatever fails; the next time is another chance.

    Where it takes long it is done less often, for no more than ``share`` of the time.
    """
    clock = asyncio.get_running_loop().time
    while True:
        began = clock()
        try:
            await work()
        except PaymentServiceError as error:
            LOG.warning("loop.failed", because=str(error))
        took = clock() - began
        await asyncio.sleep(max(period.total_seconds(), took / share - took))


async def _tidy(service: Service) -> None:
    """Remove published rows of the outbox that no commit has taken along."""
    seqs = service.store.take_removable()
    if not seqs:
        return
    try:
        await service.sweeps.sent(seqs)
    except Fault:
        service.store.remove_soon(seqs)
        raise


async def _relaying(service: Service, *, is_relay: bool) -> None:
    """Publish what was left; a process without that role only where it was refused.

    So each finds out by real messages when it may publish again.
    """
    relay = Relay(
        service.sweeps, service.publisher, store=service.store, clock=service.clock
    )
    pause = RELAY_EVERY
    limit = BATCH if is_relay else PROBED_WITH
    while True:
        is_stuck = False
        if is_relay or service.publisher.refused:
            try:
                is_stuck = await _relay(service, relay, limit)
            except PaymentServiceError as error:
                LOG.warning("loop.failed", because=str(error))
        pause = min(pause * 2, RELAY_REFUSED_MAX) if is_stuck else RELAY_EVERY
        await asyncio.sleep(pause.total_seconds())


async def _relay(service: Service, relay: Relay, limit: int) -> bool:
    """Publish page after page; tell whether one was refused as a whole."""
    while True:
        page = await relay.go_on(limit=limit)
        if page.rows == 0 and page.last == 0:
            # Nothing is left that could show it.
            quiet = REFUSED_UNTIL.total_seconds()
            service.publisher.forget_refused(after_seconds=quiet)
        if page.is_stuck or page.rows < limit or limit < BATCH:
            return page.is_stuck


class Sweeping:
    """Rings for what is overdue, while NATS takes it."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._tasks = service.names.stream(bus.topology.TASKS)
        self._tried_at = 0.0

    async def go_on(self) -> None:
        """Ring, but not in vain: what is marked as woken no worker drives.

        Where NATS refused it last, one row is tried now and then.
        """
        now = asyncio.get_running_loop().time()
        while self._service.wire.is_connected:
            if not self._is_refused:
                limit = SWEEP_BATCH
            elif now - self._tried_at > self._patience:
                limit = 1
            else:
                return
            self._tried_at = now
            if not await _swept(self._service, limit):
                return

    @property
    def _is_refused(self) -> bool:
        return self._tasks in self._service.publisher.refused

    @property
    def _patience(self) -> float:
        # Until a worker has driven what was tried before.
        waits = overdue_after(self._service.settings) * 2
        return max(waits, SWEEP_AGAIN).total_seconds()


async def _swept(service: Service, limit: int) -> bool:
    """Ring for so many; tell whether there may be more."""
    swept = await sweep(
        rows=service.sweeps,
        store=service.store,
        publisher=service.publisher,
        clock=service.clock,
        grace=service.settings.sweep_grace,
        limit=limit,
    )
    service.metrics.sweeper_redriven.inc(swept.rows + swept.webhook)
    if swept.rows or swept.webhook or swept.expired:
        LOG.info("sweep.rang", rows=swept.rows, webhook=swept.webhook)
    for provider, count in swept.foreign.items():
        service.metrics.webhooks.labels(provider, FOREIGN).inc(count)
        LOG.info("webhooks.forgotten", provider=provider, count=count)
    return swept.full


async def _dead_letter_unrouted(service: Service) -> None:
    """Bury what no consumer takes, until none is left: it fills the stream of work."""
    dead_letter = _router(service).dead_letter
    is_full, api = True, bus.JetStreamApi(service.wire)
    while is_full:
        count = await bus.dead_letter_unrouted(
            api, service.names, service.topology, dead_letter
        )
        is_full = count >= bus.UNROUTED_MAX
        if count:
            LOG.warning("strays.buried", count=count)


async def _follow(service: Service) -> None:
    await follow(service.admission_control, service.controls, service.metrics)


async def _show(service: Service) -> None:
    service.metrics.show(await standing(service.database))


async def _nurse_store(service: Service, consumers: list[bus.Consumer]) -> None:
    """Begin nothing while the store is away, so that deliveries do not wear out."""
    while True:
        await service.store_lost.wait()
        for consumer in consumers:
            consumer.pause()
        LOG.warning("store.lost")
        while not await _answers(service):  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(STORE_PROBE_EVERY.total_seconds())
        service.store_lost.clear()
        for consumer in consumers:
            consumer.resume()
        LOG.info("store.found")


async def _keep_trust(service: Service, trusted: list[str]) -> None:
    await keep_asking(
        service.trust,
        service.wire,
        service.names,
        service.settings,
        trusted=trusted,
        now=service.clock.now,
    )


async def _answers(service: Service) -> bool:
    try:
        await service.database.require_write()
    except Fault:
        return False
    return True


async def _watch(
    service: Service, roles: frozenset[str], consumers: list[bus.Consumer]
) -> None:
    """End a process whose connection is silently dead.

    One that serves the API goes on while NATS is known to be away: what it accepts
    is stored, and woken when NATS is back.
    """

    def give_up(reason: str) -> None:
        if "api" in roles and not service.wire.is_connected:
            LOG.error("bus.away", because=reason)
        else:
            service.give_up(reason)

    dog = bus.Watchdog(
        service.wire,
        service.topology,
        consumers,
        listeners=bus.WatchListeners(
            on_healed=lambda c: LOG.warning("bus.healed", name=c.name, what=c.what),
            on_trouble=service.bus_health.troubled,
            on_well=service.bus_health.well,
            on_notice=service.bus_health.notice,
            give_up=give_up,
        ),
        times=bus.WatchTimes(
            dead_seconds_max=service.settings.nats_silence.total_seconds()
        ),
    )
    service.nudges.append(dog.nudge)
    while not service.stopping.is_set():
        await dog.run()
