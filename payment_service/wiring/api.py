"""The API role: the application with its dependencies, served by uvicorn."""

import asyncio
from collections.abc import (
    AsyncIterator,
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass
from socket import AF_INET, AF_INET6, SO_REUSEADDR, SOL_SOCKET, socket

import structlog
import uvicorn
from fastapi import FastAPI

from fsm.domain.orders import Order, Request, Submission
from fsm.domain.webhook_events import Arrival, WebhookEvent
from handlers.inbox import keep
from handlers.operations import Operations
from handlers.partner.unlink import unlink
from handlers.people import Environment
from handlers.ports.reads import ProviderStatus
from handlers.ports.waiters import Woken
from handlers.submit import submit
from payment_service import bus
from payment_service.api.app import create_app
from payment_service.api.deps import ApiDeps
from payment_service.api.webhooks import IGNORED
from payment_service.observability.notes import Notes
from payment_service.observability.repeats import Repeats
from payment_service.wiring.health import called, shown
from payment_service.wiring.http_limits import HeadLimits, limited
from payment_service.wiring.people import PostgresPeopleOperations
from payment_service.wiring.service import Service
from providers.events import events_of
from providers.health.summary import statuses

LOG = structlog.get_logger("payment_service")
STOP_SECONDS_MAX = 10


@dataclass(frozen=True, slots=True)
class _QueueWaiters:
    """The bus's waiters, asked for by one queue."""

    waiters: bus.OrderWaiters

    def expect(self, queue_id: str) -> AbstractAsyncContextManager[Woken]:
        return _woken(self.waiters, queue_id)


@asynccontextmanager
async def _woken(waiters: bus.OrderWaiters, queue_id: str) -> AsyncIterator[Woken]:
    async with waiters.expect([queue_id]) as event:
        yield _Event(event)


@dataclass(frozen=True, slots=True)
class _Event:
    event: asyncio.Event

    async def wait(self) -> None:
        await self.event.wait()


class _Calls:
    """What the API asks of the handlers for those who are no people."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def submit(
        self, request: Request, *, actor: str, trace_parent: str | None
    ) -> Submission:
        return await submit(
            request,
            ports=self._service.ports,
            actor=actor,
            trace_parent=trace_parent,
        )

    async def unlink(
        self,
        link: Order,
        *,
        order_id: str | None,
        reason: str,
        actor: str,
        trace_parent: str | None,
    ) -> Submission:
        return await unlink(
            link,
            order_id=order_id,
            reason=reason,
            actor=actor,
            trace_parent=trace_parent,
            ports=self._service.ports,
        )

    async def store_webhooks(
        self, events: Sequence[WebhookEvent], *, trace_parent: str | None
    ) -> Sequence[Arrival]:
        del trace_parent  # the order's own trace goes on from its row
        return await keep(*events, ports=self._service.ports)

    async def provider_statuses(self) -> Sequence[ProviderStatus]:
        s = self._service
        return statuses(shown(s.config), await s.controls.fleet_view(), s.clock.now())

    def count_webhook(self, provider: str, outcome: str) -> None:
        self._service.metrics.webhooks.labels(provider, outcome).inc()


def operations(service: Service) -> Operations:
    """Return what people can do with the ports of this process."""
    return Operations(
        ports=service.ports,
        operator_store=service.operator_store,
        reads=service.reads,
        controls=service.controls,
        people=service.people,
        providers=called(service.config),
        four_eyes=service.four_eyes,
    )


def _people(service: Service) -> PostgresPeopleOperations:
    return PostgresPeopleOperations(
        service.people,
        service.follower,
        Environment(
            keys=service.settings.api_keys,
            floor=service.settings.four_eyes_from,
        ),
        service.clock,
    )


def application(service: Service, waiters: bus.OrderWaiters) -> FastAPI:
    """Return the HTTP application of this process."""
    calls = _Calls(service)
    tables = service.config.providers
    return create_app(
        ApiDeps(
            keys=service.keyring,
            clock=service.clock,
            providers=service.ports.providers,
            services=service.ports.services,
            partners=service.ports.partners,
            paid_by=service.ports.paid_by,
            reads=service.reads,
            waiters=_QueueWaiters(waiters),
            submit=calls.submit,
            unlink=calls.unlink,
            operations=operations(service),
            store_webhooks=calls.store_webhooks,
            provider_statuses=calls.provider_statuses,
            people=_people(service),
            ready=service.troubles,
            metrics=service.metrics.page,
            webhook_rates={
                name: table.webhook.rate
                for name, table in tables.items()
                if table.webhook is not None
            },
            webhook_events={name: events_of(table) for name, table in tables.items()},
            note=Notes(_note),
            count_webhook=calls.count_webhook,
            report=_Reports().report,
        )
    )


def _note(event: str, told: Mapping[str, object]) -> None:
    (LOG.info if event == IGNORED else LOG.warning)(event, **told)


class _Reports:
    """Tells of failures with their stack: a few of each type, then how many more."""

    def __init__(self) -> None:
        self._repeats = Repeats()

    def report(self, correlation_id: str, failure: Exception) -> None:
        untold = self._repeats.admit(type(failure).__name__)
        if untold is not None:
            LOG.error(
                "request.failed",
                correlation_id=correlation_id,
                untold=untold,
                exc_info=failure,
            )


@asynccontextmanager
async def served(
    app: FastAPI,
    *,
    host: str,
    port: int,
    limits: HeadLimits,
    on_refused: Callable[[str], None],
) -> AsyncIterator[int]:
    """Serve the application until the block is left; give the port it listens on.

    ``on_refused`` hears why a caller was hung up on before it was known who it is.
    """
    # Bound here, since uvicorn would end the process where the port is taken.
    listener = _bound(host, port)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        http=limited(limits, on_refused),
        backlog=limits.backlog,
        timeout_graceful_shutdown=STOP_SECONDS_MAX,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await server.ready.wait()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task


def _bound(host: str, port: int) -> socket:
    listener = socket(AF_INET6 if ":" in host else AF_INET)
    listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener


class _Server(uvicorn.Server):
    """A server that leaves signals alone and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process, which stops all of its roles in order."""
        yield

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self.ready.set()
