"""How each provider does, by what all of its replicas say."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from handlers.ports.controls import FleetView, Heartbeat
from handlers.ports.reads import ProviderState, ProviderStatus
from providers.health.breaker import BreakerState
from providers.health.calendar import Weekly, ends_at


def status_of(
    name: str,
    adapter: str,
    fleet_view: FleetView,
    *,
    maintenance: Sequence[Weekly],
    now: datetime,
) -> ProviderStatus:
    """Return the worst that is known of it, and the sums of all replicas."""
    beats = fleet_view.beats.get(name, ())
    state, because = _state(name, fleet_view, maintenance, now)
    calls = sum(beat.calls for beat in beats)
    taken = calls - sum(beat.failed + beat.refused for beat in beats)
    return ProviderStatus(
        name=name,
        adapter=adapter,
        state=state,
        in_flight=sum(beat.in_flight for beat in beats),
        success_rate=taken / calls if calls else None,
        because=because,
    )


def statuses(
    tables: Mapping[str, tuple[str, Sequence[Weekly]]],
    fleet_view: FleetView,
    now: datetime,
) -> list[ProviderStatus]:
    """Return how all providers do, by name; a table is its adapter and maintenance."""
    return [
        status_of(name, adapter, fleet_view, maintenance=windows, now=now)
        for name, (adapter, windows) in sorted(tables.items())
    ]


def _state(
    name: str, fleet_view: FleetView, maintenance: Sequence[Weekly], now: datetime
) -> tuple[ProviderState, str | None]:
    control = fleet_view.paused.get(name)
    if control is not None and control.holds(now):
        until = f" until {control.until:%Y-%m-%dT%H:%M:%SZ}" if control.until else ""
        return (
            ProviderState.PAUSED,
            f"paused by {control.by}{until}: {control.reason}",
        )
    end = ends_at(maintenance, now)
    if end is not None:
        return ProviderState.PAUSED, f"maintenance until {end:%Y-%m-%dT%H:%MZ}"
    return _found(fleet_view.beats.get(name, ()), now)


def _found(
    beats: Sequence[Heartbeat], now: datetime
) -> tuple[ProviderState, str | None]:
    if any(beat.state == BreakerState.OPEN for beat in beats):
        return ProviderState.OPEN, "its calls fail"
    if any(beat.silent_until and beat.silent_until > now for beat in beats):
        return ProviderState.OPEN, "it has asked to be left alone"
    if any(beat.state == BreakerState.HALF_OPEN for beat in beats):
        return ProviderState.HALF_OPEN, "a few creates are sent to try it"
    return ProviderState.READY, None
