"""Says in words when a provider gets new work, and what becomes of an order then."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from fsm.domain.durations import format_duration
from fsm.domain.rates import Rate
from providers.config import ProviderTable
from providers.health.calendar import ends_at

# A week like any other, and the days at its ends.
A_WEEK: Final = (datetime(2026, 1, 4, tzinfo=UTC), timedelta(days=9))
SLICE_OVER: Final = 1.1
"""The breaker's window is as long as it says, give or take a slice."""


def new_work(table: ProviderTable) -> Iterator[str]:
    """Return one sentence for each thing that decides about new work."""
    limits = table.limits
    yield _breaker(table)
    if limits.rate is not None:
        yield f"All replicas together send {_rate(limits.rate)} creates at most."
    if limits.in_flight is not None:
        yield f"All replicas together have {limits.in_flight} of them under way."
    yield f"Each replica has {table.max_in_flight} calls in flight at most."
    if is_never_given_work(table):
        yield "It never gets new work: its maintenance has no end."
        return
    for window in table.maintenance:
        yield f"It gets no new work {window.weekly} ({window.tz.key})."
    patience = format_duration(table.health.patience)
    yield (
        f"An order waits {patience} for it where another provider can be tried, "
        "and without end where none can."
    )


def _breaker(table: ProviderTable) -> str:
    breaker, rate = table.breaker, table.limits.rate
    window = format_duration(breaker.window)
    if rate is not None:
        seconds = breaker.window.total_seconds() * SLICE_OVER
        most = rate.count + int(rate.a_second * seconds)
        if most < breaker.min_calls:
            return (
                f"New work never stops by itself: that takes {breaker.min_calls} "
                f"creates in {window}, and its rate lets {most} through."
            )
    return (
        f"New work stops for {format_duration(breaker.open)} where {breaker.min_calls} "
        f"creates or more in {window} fail by "
        f"{breaker.failure_rate:.0%}; then {breaker.probes} try it."
    )


def is_never_given_work(table: ProviderTable) -> bool:
    """Tell whether one maintenance follows the other, all week long."""
    now, length = A_WEEK
    windows = [window.window for window in table.maintenance]
    until = now + length
    while now < until:
        end = ends_at(windows, now)
        if end is None:
            return False
        now = end
    return True


def _rate(rate: Rate) -> str:
    return f"{rate.count} in {format_duration(rate.period)}"
