"""The API role: the application with its dependencies, served by uvicorn."""

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
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
from datetime import timedelta
from socket import AF_INET, AF_INET6, SO_REUSEADDR, SOL_SOCKET, socket

import structlog
import uvicorn
from fastapi import FastAPI

from fsm.domain.acts import NO_REASON
from fsm.domain.errors import UnknownOrder
from fsm.domain.news import Arrival, News
from fsm.domain.orders import Order, Request, Submission
from fsm.domain.votes import Vote
from handlers.cancel import request_cancel_of_order, request_cancel_of_task
from handlers.close import close_case, withdraw_closing
from handlers.erase import erase, erase_customer
from handlers.letters import discard, replay
from handlers.news import keep
from handlers.people import Environment
from handlers.ports.reads import ProviderStatus
from handlers.ports.waiters import Woken
from handlers.resolve import Ruling, resolve, withdraw_resolution
from handlers.settle import settle_return, withdraw_settlement
from handlers.submit import submit
from payment_service import bus
from payment_service.api.app import create_app
from payment_service.api.deps import ApiDeps
from payment_service.api.webhooks import IGNORED
from payment_service.observability.notes import Notes
from payment_service.observability.repeats import Repeats
from payment_service.wiring.heads import HeadLimits, limited
from payment_service.wiring.health import shown
from payment_service.wiring.people import Desk
from payment_service.wiring.service import Service
from providers.events import events_of
from providers.health.summary import statuses

LOG = structlog.get_logger("payment_service")
STOP_SECONDS_MAX = 10


@dataclass(frozen=True, slots=True)
class _QueueWaiters:
    """The bus's waiters, asked for by one queue."""

    waiters: bus.Waiters

    def expect(self, queue_id: str) -> AbstractAsyncContextManager[Woken]:
        return _woken(self.waiters, queue_id)


@asynccontextmanager
async def _woken(waiters: bus.Waiters, queue_id: str) -> AsyncIterator[Woken]:
    async with waiters.expect([queue_id]) as event:
        yield _Event(event)


@dataclass(frozen=True, slots=True)
class _Event:
    event: asyncio.Event

    async def wait(self) -> None:
        await self.event.wait()


class _Calls:
    """What the API asks of the handlers, with the ports of this process."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def submit(
        self, request: Request, *, actor: str, trace_parent: str | None
    ) -> Submission:
        return await submit(
            request,
            engine=self._service.engine,
            actor=actor,
            trace_parent=trace_parent,
        )

    async def resolve(  # noqa: PLR0913 - what a decision is made of
        self,
        task_id: str,
        *,
        decision: str,
        reason: str,
        evidence: object,
        actor: str,
        person: str | None,
        by_hand: bool,
    ) -> Vote:
        return await resolve(
            task_id,
            Ruling(decision),
            reason=reason,
            evidence=evidence,
            actor=actor,
            four_eyes=await self._service.four_eyes(),
            engine=self._service.engine,
            by_hand=by_hand,
            person=person,
        )

    async def withdraw_resolution(
        self, item_id: str, *, reason: str, actor: str, person: str | None
    ) -> None:
        await withdraw_resolution(
            item_id,
            reason=reason,
            actor=actor,
            person=person,
            engine=self._service.engine,
        )

    async def cancel_task(self, task_id: str, *, reason: str, actor: str) -> None:
        await request_cancel_of_task(
            task_id, reason, actor=actor, engine=self._service.engine
        )

    async def cancel_order(self, order: Order, *, reason: str, actor: str) -> None:
        await request_cancel_of_order(
            order, reason, actor=actor, engine=self._service.engine
        )

    async def erase_order(self, order: Order, *, reason: str, actor: str) -> bool:
        service = self._service
        return await erase(
            order,
            reason=reason,
            actor=actor,
            engine=service.engine,
            desk=service.desk,
        )

    async def erase_customer(
        self, customer_id: str, *, reason: str, actor: str
    ) -> tuple[Sequence[str], Mapping[str, str]]:
        service = self._service
        erased = await erase_customer(
            customer_id,
            reason=reason,
            actor=actor,
            engine=service.engine,
            desk=service.desk,
            reads=service.reads,
        )
        return erased.done, erased.refused

    async def close_case(
        self, item_id: str, *, reason: str, actor: str, person: str | None
    ) -> Vote:
        return await close_case(
            item_id,
            reason=reason,
            actor=actor,
            person=person,
            four_eyes=await self._service.four_eyes(),
            desk=self._service.desk,
            engine=self._service.engine,
        )

    async def withdraw_closing(
        self, item_id: str, *, reason: str, actor: str, person: str | None
    ) -> None:
        await withdraw_closing(
            item_id,
            reason=reason,
            actor=actor,
            person=person,
            desk=self._service.desk,
            engine=self._service.engine,
        )

    async def assign_case(
        self, item_id: str, *, owner: str, reason: str | None, actor: str
    ) -> None:
        why, at = reason or NO_REASON, self._service.clock.now()
        await self._service.desk.assign_case(
            item_id, owner=owner, actor=actor, reason=why, at=at
        )

    async def settle_return(
        self,
        item_id: str,
        *,
        reason: str,
        evidence: object,
        actor: str,
        person: str | None,
    ) -> Vote:
        return await settle_return(
            item_id,
            reason=reason,
            evidence=evidence,
            actor=actor,
            four_eyes=await self._service.four_eyes(),
            desk=self._service.desk,
            engine=self._service.engine,
            person=person,
        )

    async def withdraw_settlement(
        self, item_id: str, *, reason: str, actor: str, person: str | None
    ) -> None:
        await withdraw_settlement(
            item_id,
            reason=reason,
            actor=actor,
            person=person,
            desk=self._service.desk,
            engine=self._service.engine,
        )

    async def replay(self, item_id: str, *, reason: str | None, actor: str) -> bool:
        s = self._service
        work = replay(
            item_id,
            actor=actor,
            reason=reason,
            desk=s.desk,
            clock=s.clock,
        )
        return await _found(work)

    async def discard(self, item_id: str, *, reason: str, actor: str) -> bool:
        s = self._service
        return await _found(
            discard(item_id, actor=actor, reason=reason, desk=s.desk, clock=s.clock)
        )

    async def keep_news(
        self, events: Sequence[News], *, trace_parent: str | None
    ) -> Sequence[Arrival]:
        del trace_parent  # the order's own trace goes on from its row
        return await keep(*events, engine=self._service.engine)

    async def provider_statuses(self) -> Sequence[ProviderStatus]:
        s = self._service
        return statuses(shown(s.config), await s.controls.standings(), s.clock.now())

    async def pause(
        self, name: str, *, reason: str, lasting: timedelta | None, actor: str
    ) -> bool:
        s = self._service
        if name not in s.config.providers:
            return False
        until = None if lasting is None else s.clock.now() + lasting
        await s.controls.pause(name, reason=reason, until=until, by=actor)
        return True

    async def resume(self, name: str, *, reason: str | None, actor: str) -> bool:
        s = self._service
        if name not in s.config.providers:
            return False
        await s.controls.resume(name, reason=reason or NO_REASON, by=actor)
        return True


async def _found(work: Awaitable[None]) -> bool:
    try:
        await work
    except UnknownOrder:
        return False
    return True


def application(service: Service, waiters: bus.Waiters) -> FastAPI:
    """Return the HTTP application of this process."""
    calls = _Calls(service)
    tables = service.config.providers
    return create_app(
        ApiDeps(
            keys=service.keyring,
            clock=service.clock,
            providers=service.engine.providers,
            reads=service.reads,
            waiters=_QueueWaiters(waiters),
            submit=calls.submit,
            resolve=calls.resolve,
            withdraw_resolution=calls.withdraw_resolution,
            cancel_task=calls.cancel_task,
            cancel_order=calls.cancel_order,
            erase_order=calls.erase_order,
            erase_customer=calls.erase_customer,
            close_case=calls.close_case,
            withdraw_closing=calls.withdraw_closing,
            assign_case=calls.assign_case,
            settle_return=calls.settle_return,
            withdraw_settlement=calls.withdraw_settlement,
            replay=calls.replay,
            discard=calls.discard,
            keep_news=calls.keep_news,
            provider_statuses=calls.provider_statuses,
            pause=calls.pause,
            resume=calls.resume,
            people=Desk(
                service.people,
                service.follower,
                Environment(
                    keys=service.settings.api_keys,
                    floor=service.settings.four_eyes_from,
                ),
                service.clock,
            ),
            ready=service.troubles,
            metrics=service.metrics.page,
            webhook_rates={
                name: table.webhook.rate
                for name, table in tables.items()
                if table.webhook is not None
            },
            webhook_events={name: events_of(table) for name, table in tables.items()},
            note=Notes(_note),
            count_webhook=lambda provider, outcome: service.metrics.webhooks.labels(
                provider, outcome
            ).inc(),
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
