"""Runs one process in its roles until it is told to stop, or must give up."""

import asyncio
import gc
import signal
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Final

import psycopg
import structlog
from fastapi import FastAPI, Response

from fsm.domain.errors import FOUND_WRONG, PaymentServiceError, StoreUnavailable
from payment_service import bus
from payment_service.api.responses import RETRY_AFTER
from payment_service.observability import logs, tracing
from payment_service.settings import Settings
from payment_service.storage import migrate
from payment_service.storage.fitness import Unfit
from payment_service.storage.postgres_errors import failure_and_mend, is_passing
from payment_service.storage.rights import lacking
from payment_service.storage.session import (
    NAME,
    Door,
    PlainConnection,
    connect_plainly,
)
from payment_service.wiring.api import application, served
from payment_service.wiring.http_limits import api_limits, probe_limits
from payment_service.wiring.roles import at_work
from payment_service.wiring.service import Service, open_service
from providers.config import Config
from providers.config.known_secrets import learn

LOG: Final = structlog.get_logger("payment_service")
STARTING_SECONDS_MAX: Final = 15.0
STARTING_LOOK_SECONDS: Final = 0.25


class SchemaBehind(PaymentServiceError):
    """The database is not at the schema that this version was made for."""

    says_mend = True


async def run(
    settings: Settings,
    config: Config,
    roles: frozenset[str],
    *,
    on_ready: Callable[[int], None] = lambda _: None,
    stop: asyncio.Event | None = None,
) -> int:
    """Serve in ``roles`` until SIGTERM or SIGINT; return the exit code.

    ``on_ready`` is given the port once every role is at work; ``stop`` ends the run
    as a signal would.

    :raises SchemaBehind: the database needs a migration first.
    """
    learn(settings)
    logs.configure(settings.log_level)
    for name, meant in settings.strangers().items():
        LOG.warning("setting.unknown", name=name, meant=meant)
    _collect_rarely()
    traces = tracing.configure(
        endpoint=settings.otlp_endpoint, sample=settings.trace_sample
    )
    await asyncio.to_thread(check_schema, settings)
    try:
        async with open_service(settings, config, roles) as service:
            _obey(service, stop)
            return await _run(service, roles, on_ready)
    finally:
        traces.shutdown()


async def _run(
    service: Service, roles: frozenset[str], on_ready: Callable[[int], None]
) -> int:
    service.roles = roles
    async with AsyncExitStack() as stack:
        port = await _listen(service, roles, stack)
        await stack.enter_async_context(at_work(service, roles))
        LOG.info("service.started", roles=sorted(roles), port=port)
        on_ready(port)
        await service.stopping.wait()
        LOG.info("service.stopping", because=service.broken or "asked to")
    return FOUND_WRONG if service.broken else 0


async def _listen(
    service: Service, roles: frozenset[str], stack: AsyncExitStack
) -> int:
    settings = service.settings

    def refused(why: str) -> None:
        service.metrics.http_refused.labels(why).inc()

    if "api" not in roles:
        return await stack.enter_async_context(
            served(
                _probes(service),
                host=settings.http_host,
                port=settings.metrics_port,
                limits=probe_limits(),
                on_refused=refused,
            )
        )
    # Nobody is turned away only because the first look is still to come.
    await service.follower.look()
    waiters = bus.OrderWaiters(service.wire, service.names)
    await waiters.start()
    return await stack.enter_async_context(
        served(
            application(service, waiters),
            host=settings.http_host,
            port=settings.http_port,
            limits=api_limits(),
            on_refused=refused,
        )
    )


def _probes(service: Service) -> FastAPI:
    """Return what a process without the API serves: health and metrics."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz")
    async def readyz(response: Response) -> dict[str, object]:
        troubles = await service.troubles()
        if troubles:
            response.status_code = 503
            response.headers.update(RETRY_AFTER)
        return {"status": "not ready" if troubles else "ready", "because": troubles}

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(service.metrics.page(), media_type="text/plain; version=0.0.4")

    return app


def _collect_rarely() -> None:
    """Look for garbage by the hundred thousand: steps make many records, no cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1000)


def check_schema(settings: Settings) -> None:
    """Refuse to work on a schema that this version was not made for.

    :raises SchemaBehind: it is another one.
    :raises StoreUnavailable: the database cannot be reached, or worked with.
    """
    if settings.database_url is None:
        raise ValueError("PAYMENT_DATABASE_URL is missing")
    with (
        _connected(settings.database_url.get_secret_value()) as connection,
        connection.in_time(),
    ):
        if forbidden := lacking(connection):
            raise Unfit(f"the database refuses us: {'; '.join(forbidden)}")
        found = migrate.revision_in(connection)
    if mend := migrate.mend_of(found):
        raise SchemaBehind(
            f"the database is at schema {found or 'none'}, this version needs "
            f"{migrate.newest()}: {mend}"
        )


def _connected(url: str) -> PlainConnection:
    """Connect, but wait for a server that is only starting.

    :raises StoreUnavailable: it cannot be reached, or worked with.
    """
    until = time.monotonic() + STARTING_SECONDS_MAX
    while True:
        try:
            return connect_plainly(Door(url, name=f"{NAME} start"))
        except psycopg.Error as error:
            if time.monotonic() > until or not is_passing(error):
                told = f"cannot connect to PostgreSQL: {failure_and_mend(error)}"
                raise StoreUnavailable(told) from error
            time.sleep(STARTING_LOOK_SECONDS)


def _obey(service: Service, stop: asyncio.Event | None) -> None:
    loop = asyncio.get_running_loop()
    if stop is None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, service.stopping.set)
        return

    async def follow() -> None:
        await stop.wait()
        service.stopping.set()

    service.followers.append(loop.create_task(follow()))
