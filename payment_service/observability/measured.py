"""The ports with a stop-watch: what handlers do is counted here, not by them."""

import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from prometheus_client import Counter, Histogram

from fsm.domain.errors import CoreUnavailable
from fsm.engine.steps import Change
from fsm.engine.words import NOT_NEEDED
from handlers.ports.core import BalanceCall, Confirmed, Core, Operation, Refused
from handlers.ports.store import StepWrite
from payment_service.observability.metrics import Metrics
from providers.health.observed import CallNote

CHILDREN_MAX: Final = 20_000


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
        began = time.perf_counter()
        outcome = "unavailable"
        try:
            answer = await self._core.balance(operation, call)
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
        child(self._metrics.task_time_in_state, before.state, before.provider).observe(
            max(0.0, (work.at - since).total_seconds())
        )
        if after.final and after.code != NOT_NEEDED:
            child(self._metrics.attempts, after.provider, after.state.lower()).inc()

    def _count_order(self, work: StepWrite) -> None:
        queue = work.step.queue
        if queue is None or queue.before.final or not queue.after.final:
            return
        labels = (queue.after.kind.value, queue.after.state.lower())
        child(self._metrics.orders, *labels).inc()
        child(self._metrics.order_duration, *labels).observe(
            max(0.0, (work.at - work.order.created_at).total_seconds())
        )
