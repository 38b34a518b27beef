"""What keepers of tests go by, and what they are told."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from handlers.ports.controls import Control, FleetView, Heartbeat
from providers.health.admission import Terms
from providers.health.breaker import BreakerTerms

TIMEOUT = timedelta(seconds=10)


def breaker_terms(**changed: Any) -> BreakerTerms:
    """Return a breaker that opens after three failures and tries again with two."""
    usual = BreakerTerms(
        window=60, failure_rate=0.7, min_calls=3, open=30, probes=2, hung_after=5
    )
    return replace(usual, **changed)


def terms(**changed: Any) -> Terms:
    """Return terms without limits."""
    usual = Terms(timeout=TIMEOUT, breaker=breaker_terms(), in_flight_here=50)
    return replace(usual, **changed)


def paused(
    *names: str, at: datetime, until: datetime | None = None, beats: Any = None
) -> FleetView:
    """Return what is known where somebody has paused some providers."""
    return FleetView(
        paused={
            name: Control(
                provider=name, reason="they said so", until=until, by="key:ops", at=at
            )
            for name in names
        },
        beats=beats or {},
    )


def beats(*replicas: str, joined_at: datetime, **said: Any) -> FleetView:
    """Return what is known where some replicas have told of ``acme``."""
    told = [
        Heartbeat(
            provider="acme",
            replica=replica,
            joined_at=joined_at,
            **{"state": "ready", **said.get(replica.replace("-", "_"), {})},
        )
        for replica in replicas
    ]
    return FleetView(beats={"acme": told})
