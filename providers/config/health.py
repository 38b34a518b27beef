"""When a provider is given new work: its breaker, limits, patience and maintenance."""

from datetime import timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, field_validator

from fsm.domain.rates import Rate
from providers.config.fields import Duration
from providers.config.table import Table
from providers.config.values import InFlight, WebhookRate
from providers.health.calendar import Weekly, parse_weekly


class BreakerTable(Table):
    """When a failing provider is left alone, and for how long."""

    window: Duration = timedelta(minutes=1)
    failure_rate: float = Field(default=0.7, gt=0, le=1, allow_inf_nan=False)
    min_calls: int = Field(default=20, ge=1)
    open: Duration = timedelta(seconds=30)
    probes: int = Field(default=3, ge=1, le=100)


class LimitsTable(Table):
    """How much new work it is given by all replicas together; none: no limit."""

    rate: WebhookRate | None = None
    in_flight: InFlight | None = None


class HealthTable(Table):
    """How orders wait for a provider that cannot be had."""

    patience: Duration = timedelta(seconds=30)
    release: WebhookRate = Rate(20, timedelta(seconds=1))
    retry_after_max: Duration = timedelta(minutes=15)


def _zone(name: object) -> ZoneInfo:
    if isinstance(name, ZoneInfo):
        return name
    try:
        return ZoneInfo(name if isinstance(name, str) else "")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must be a time zone like Europe/Riga") from None


class MaintenanceTable(Table):
    """Hours of the week in which it gets no new work, by the clock of ``tz``."""

    weekly: str
    tz: Annotated[ZoneInfo, BeforeValidator(_zone)] = ZoneInfo("UTC")

    @field_validator("weekly")
    @classmethod
    def _is_readable(cls, text: str) -> str:
        parse_weekly(text, ZoneInfo("UTC"))
        return text

    @property
    def window(self) -> Weekly:
        """Return it as the calendar wants it."""
        return parse_weekly(self.weekly, self.tz)
