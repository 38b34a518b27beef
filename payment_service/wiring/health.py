"""Tells the other replicas once a second how this one finds its providers."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from secrets import token_hex
from socket import gethostname
from typing import Final

import structlog

from fsm.domain.errors import Fault
from handlers.ports.admission import NotAdmittedCode
from handlers.ports.clock import Clock
from payment_service.observability.metrics import Metrics
from payment_service.storage.controls import PostgresControls
from providers.config import Config
from providers.config.called import CalledTable
from providers.health.admission import AdmissionControl
from providers.health.calendar import Weekly

LOG: Final = structlog.get_logger("payment_service")
BEAT_EVERY: Final = timedelta(seconds=1)
HEALTH_TIDY_EVERY: Final = timedelta(minutes=1)
_NUMBERS: Final = {"ready": 0, "half_open": 1, "open": 2, "paused": 3}


class AdmissionReporter:
    """Counts who is kept out, and tells of each turn of a provider."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def kept_out(self, provider: str, code: NotAdmittedCode) -> None:
        """Count an attempt that was not let in."""
        because = code.value.removeprefix("provider_")
        self._metrics.provider_kept_out.labels(provider, because).inc()

    def turned(self, provider: str, state: str, because: str) -> None:
        """Show and tell that a provider is given new work again, or no longer."""
        self._metrics.provider_breaker_state.labels(provider).set(_NUMBERS[state])
        tell = LOG.info if state == "ready" else LOG.warning
        tell("provider.turned", provider=provider, state=state, because=because)


def called(config: Config) -> Mapping[str, CalledTable]:
    """Return the tables of all who are paused and kept: providers, and partners."""
    return {**config.providers, **config.partners}


def admission_control_of(
    config: Config, clock: Clock, metrics: Metrics
) -> AdmissionControl:
    """Return the keeper of this process, which has heard of nobody yet."""
    return AdmissionControl(
        {name: table.terms for name, table in called(config).items()},
        clock,
        replica=f"{gethostname()}-{token_hex(4)}",
        listener=AdmissionReporter(metrics),
    )


async def follow(
    admission_control: AdmissionControl, controls: PostgresControls, metrics: Metrics
) -> None:
    """Say how this process finds its providers, and hear what the others say."""
    beats = admission_control.beats()
    await controls.beat(beats)
    admission_control.heard(await controls.fleet_view())
    for provider, state in admission_control.states().items():
        metrics.provider_breaker_state.labels(provider).set(_NUMBERS[state])
    for beat in beats:
        taken = beat.calls - beat.failed - beat.refused
        rate = taken / beat.calls if beat.calls else float("nan")
        metrics.provider_success_rate.labels(beat.provider).set(rate)


async def take_leave(
    admission_control: AdmissionControl, controls: PostgresControls
) -> None:
    """Leave the share of this process to the others, at once."""
    with suppress(Fault):
        await controls.leave(admission_control.replica)


def shown(config: Config) -> Mapping[str, tuple[str, Sequence[Weekly]]]:
    """Return what the summary needs of each table."""
    return {
        name: (table.adapter, table.terms.maintenance)
        for name, table in called(config).items()
    }
