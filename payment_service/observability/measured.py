"""The ports with a stop-watch: what handlers do is counted here, not by them."""

import time
from collections.abc import Awaitable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, TypeVar

from prometheus_client import Counter, Histogram

from fsm.domain.errors import CoreUnavailable
from fsm.engine.steps import Change
from fsm.engine.words import NOT_NEEDED
from handlers.ports.core import (
    BalanceCall,
    Confirmed,
    Core,
    MembershipCall,
    MembershipVerb,
    Operation,
    Refused,
)
from handlers.ports.services import (
    AskAnswer,
    DoAnswer,
    Fetched,
    LoadAnswer,
    LoadCall,
    ServiceCall,
    ServiceDone,
    ServiceNotKnown,
    ServiceNotSent,
    ServicePending,
    ServiceRefused,
    ServiceUnclear,
    ServiceUndone,
    StepService,
    StepServices,
    UndoAnswer,
)
from handlers.ports.store import StepWrite
from payment_service.observability.metrics import Metrics
from providers.health.observed import FAILED, CallNote

CHILDREN_MAX: Final = 20_000

Answer = TypeVar("Answer", bound=DoAnswer | UndoAnswer | AskAnswer | LoadAnswer)
_OUTCOMES: Final[Mapping[type[object], str]] = {
    ServiceDone: "done",
    ServiceUndone: "undone",
    ServiceRefused: "refused",
    ServicePending: "pending",
    ServiceNotKnown: "not_known",
    ServiceNotSent: "not_sent",
    ServiceUnclear: "unclear",
    Fetched: "fetched",
}


@lru_cache(CHILDREN_MAX)
def child(collector: Counter | Histogram, *labels: str) -> Any:  # noqa: ANN401 - either
    """Return the collector of these labels; the library's own look-up takes a lock."""
    return collector.labels(*labels)


class MeasuredCore:
    """Core, with ``balance_request_seconds`` and ``core_notifications_total``."""

    def __init__(self, core: Core, metrics: Metrics) -> None:
        self._core = core
        self._metrics = metrics

    async def balance(
        self, operation: Operation, call: BalanceCall
    ) -> Confirmed | Refused:
        """Move the balance and note how long it took."""
        return await self._noted(operation, self._core.balance(operation, call))

    async def membership(
        self, verb: MembershipVerb, call: MembershipCall
    ) -> Confirmed | Refused:
        """Move the membership and note how long it took."""
        return await self._noted(verb, self._core.membership(verb, call))

    async def _noted(
        self, operation: StrEnum, asking: Awaitable[Confirmed | Refused]
    ) -> Confirmed | Refused:
        began = time.perf_counter()
        outcome = "unavailable"
        try:
            answer = await asking
            outcome = type(answer).__name__.lower()
            return answer
        finally:
            child(self._metrics.balance_request, operation, outcome).observe(
                time.perf_counter() - began
            )

    async def notify(self, event: Mapping[str, object]) -> None:
        """Tell core an outcome and count it."""
        try:
            await self._core.notify(event)
        except CoreUnavailable:
            child(self._metrics.core_notifications, "unavailable").inc()
            raise
        child(self._metrics.core_notifications, "delivered").inc()


class MeasuredService:
    """A service of which every call is noted in ``service_request_seconds``."""

    def __init__(self, service: StepService, metrics: Metrics) -> None:
        self._service = service
        self._metrics = metrics
        self.name: Final = service.name
        self.policy: Final = service.policy

    async def do(self, call: ServiceCall) -> DoAnswer:
        """Have the step done."""
        return await self._noted("do", self._service.do(call))

    async def undo(self, call: ServiceCall) -> UndoAnswer:
        """Have the step undone."""
        return await self._noted("undo", self._service.undo(call))

    async def ask(self, call: ServiceCall) -> AskAnswer:
        """Ask what became of the step."""
        return await self._noted("ask", self._service.ask(call))

    async def load(self, call: LoadCall) -> LoadAnswer:
        """Fetch what the steps of an order need."""
        return await self._noted("load", self._service.load(call))

    async def _noted(self, operation: str, call: Awaitable[Answer]) -> Answer:
        began, outcome = time.perf_counter(), FAILED
        try:
            answer = await call
            outcome = _OUTCOMES[type(answer)]
            return answer
        finally:
            child(self._metrics.service_request, self.name, operation, outcome).observe(
                time.perf_counter() - began
            )


class MeasuredServices:
    """All services, each measured."""

    def __init__(self, services: StepServices, metrics: Metrics) -> None:
        found = [(name, services.get(name)) for name in services.names()]
        self._services = {
            name: MeasuredService(service, metrics)
            for name, service in found
            if service is not None
        }

    def get(self, name: str) -> MeasuredService | None:
        """Return the service, or None where the name is not configured."""
        return self._services.get(name)

    def names(self) -> list[str]:
        """Return all configured names, sorted."""
        return sorted(self._services)


def call_note(metrics: Metrics) -> CallNote:
    """Return what notes a provider's call in ``provider_request_seconds``."""

    def note(provider: str, operation: str, outcome: str, seconds: float) -> None:
        child(metrics.provider_request, provider, operation, outcome).observe(seconds)

    return note


class StepWatch:
    """Implements ``ports.watch.Watch``: counts what committed steps mean."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def recorded(self, work: StepWrite) -> None:
        """Count the moves of a step, and the order's end."""
        for change in work.step.changes:
            self._count(change, work)
        self._count_order(work)

    def conflicted(self) -> None:
        """Count a lost compare-and-set."""
        self._metrics.conflicts.inc()

    def woke(self, lateness_seconds: float) -> None:
        """Note how late a timer was handled."""
        self._metrics.timer_lateness.observe(max(0.0, lateness_seconds))

    def _count(self, change: Change, work: StepWrite) -> None:
        before, after = change.before, change.after
        if before.state is after.state:
            return
        since = before.updated_at or work.at
        child(
            self._metrics.task_time_in_state, before.state, before.counted_as
        ).observe(max(0.0, (work.at - since).total_seconds()))
        if after.final and after.code != NOT_NEEDED:
            child(self._metrics.attempts, after.counted_as, after.state.lower()).inc()

    def _count_order(self, work: StepWrite) -> None:
        queue = work.step.queue
        if queue is None or queue.before.final or not queue.after.final:
            return
        labels = (queue.after.kind.value, queue.after.state.lower())
        child(self._metrics.orders, *labels).inc()
        child(self._metrics.order_duration, *labels).observe(
            max(0.0, (work.at - work.order.created_at).total_seconds())
        )
