"""What the tables of providers and of partners share: whom we call, and how."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from pydantic import Field

from providers.config.fields import Duration, HttpUrl
from providers.config.forms import AuthTable, TlsTable
from providers.config.health import (
    BreakerTable,
    HealthTable,
    LimitsTable,
    MaintenanceTable,
)
from providers.config.table import Table
from providers.config.values import Headers, InFlight, Many
from providers.health.admission import Terms
from providers.health.breaker import BreakerTerms

HUNG_SHARE: Final = 0.5
"""A create that has taken this share of its time limit counts as failed already."""


class CalledTable(Table):
    """Whom we call: where, as whom, and when it is given new work.

    ``options`` is for adapters that are not ours.
    """

    name: str
    adapter: str = Field(min_length=1)
    base_url: HttpUrl | None = None
    headers: Headers = Field(default={}, repr=False)
    timeout: Duration = timedelta(seconds=10)
    max_in_flight: InFlight = 50
    breaker: BreakerTable = BreakerTable()
    limits: LimitsTable = LimitsTable()
    health: HealthTable = HealthTable()
    maintenance: Many[MaintenanceTable] = ()
    auth: AuthTable | None = None
    tls: TlsTable | None = None
    options: Mapping[str, Any] = Field(default={}, repr=False)

    @property
    def terms(self) -> Terms:
        """Return when it is given new work."""
        breaker, health = self.breaker, self.health
        return Terms(
            timeout=self.timeout,
            breaker=BreakerTerms(
                window=breaker.window.total_seconds(),
                failure_rate=breaker.failure_rate,
                min_calls=breaker.min_calls,
                open=breaker.open.total_seconds(),
                probes=breaker.probes,
                hung_after=self.timeout.total_seconds() * HUNG_SHARE,
            ),
            in_flight_here=self.max_in_flight,
            rate=self.limits.rate,
            in_flight=self.limits.in_flight,
            maintenance=tuple(table.window for table in self.maintenance),
            patience=health.patience,
            release=health.release.a_second,
            silence_max=health.retry_after_max,
        )
