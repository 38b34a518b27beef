"""The tables of the configuration file, each value of them checked by itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from fsm.snapshot import Backoff, Plan
from payment_service.config.values import (
    Attempts,
    Bins,
    Countries,
    Factor,
    Headers,
    InFlight,
    Many,
    Sla,
    WebhookRate,
)
from payment_service.domain.rates import Rate
from payment_service.fields import Duration, HttpUrl
from providers.signatures import Verifier, verifier


class Table(BaseModel):
    """A table of the file: frozen, strict, without unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        validate_default=True,
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
    )


class WebhookTable(Table):
    """How a provider's webhooks prove that they are its own."""

    scheme: Literal["standard", "stripe", "hmac-sha256"] = "standard"
    secrets: Many[SecretStr]
    tolerance: Duration = timedelta(minutes=5)
    rate: WebhookRate = Rate(100, timedelta(seconds=1))

    def verifier(self) -> Verifier:
        """Return the check of this route.

        :raises BadSecret: a secret is none, or too short to be one.
        """
        secrets = [secret.get_secret_value() for secret in self.secrets]
        return verifier(self.scheme, secrets, self.tolerance)


class PollTable(Table):
    """How often the status is asked after the SLA, and until when."""

    first: Duration = timedelta(seconds=30)
    factor: Factor = 2.0
    max: Duration = timedelta(minutes=5)
    deadline: Duration = timedelta(minutes=30)


class RecheckTable(Table):
    """How an unclear answer is cleared up."""

    first: Duration = timedelta(seconds=5)
    factor: Factor = 2.0
    max: Duration = timedelta(minutes=5)
    attempts: Attempts = 8


class BreakerTable(Table):
    """When a failing provider is left alone, and for how long."""

    window: Duration = timedelta(minutes=1)
    failure_rate: float = Field(default=0.7, gt=0, le=1, allow_inf_nan=False)
    min_calls: int = Field(default=20, ge=1)
    open: Duration = timedelta(seconds=30)


class ProviderTable(Table):
    """One ``[providers.*]``; ``options`` is for adapters that are not ours."""

    name: str
    adapter: str = Field(min_length=1)
    base_url: HttpUrl | None = None
    headers: Headers = Field(default={}, repr=False)
    timeout: Duration = timedelta(seconds=10)
    max_in_flight: InFlight = 50
    status: bool = True
    idempotent_create: bool = False
    key_lifetime: Duration = timedelta(hours=24)
    not_found: Literal["definite", "ambiguous"] = "ambiguous"
    not_found_grace: Duration = timedelta(minutes=2)
    rejection_codes: Many[str] = ()
    sla: Sla = timedelta(minutes=15)
    on_sla: Literal["poll", "manual"] | None = None
    webhook: WebhookTable | None = None
    poll: PollTable = PollTable()
    recheck: RecheckTable = RecheckTable()
    breaker: BreakerTable = BreakerTable()
    options: Mapping[str, Any] = Field(default={}, repr=False)

    @property
    def plan(self) -> Plan:
        """Return its capabilities as the core sees them."""
        return Plan(
            idempotent_create=self.idempotent_create,
            key_lifetime=self.key_lifetime,
            not_found_definite=self.not_found == "definite",
            not_found_grace=self.not_found_grace,
            sla=self.sla,
            polls=self.status and self.on_sla != "manual",
            poll=_backoff(self.poll),
            poll_deadline=self.poll.deadline,
            recheck=_backoff(self.recheck),
            recheck_attempts=self.recheck.attempts,
        )


class RetryTable(Table):
    """How a call to one of our own services is repeated."""

    first: Duration = timedelta(milliseconds=500)
    factor: Factor = 2.0
    max: Duration = timedelta(seconds=30)
    attempts: Attempts = 10


class ServiceTable(Table):
    """One ``[services.*]``: a step of the checkout."""

    name: Literal["fraud", "payment", "delivery", "merchant"]
    base_url: HttpUrl
    headers: Headers = Field(default={}, repr=False)
    timeout: Duration = timedelta(seconds=5)
    max_in_flight: InFlight = 50
    retry: RetryTable = RetryTable()


class FallbackTable(Table):
    """The checks that follow when a partner has several matches."""

    first: Duration = timedelta(hours=6)
    factor: Factor = 2.0
    max: Duration = timedelta(hours=24)
    deadline: Duration = timedelta(days=5)


class PartnerTable(Table):
    """One ``[partners.*]``: whose cards can be linked."""

    name: str
    base_url: HttpUrl
    headers: Headers = Field(default={}, repr=False)
    timeout: Duration = timedelta(seconds=5)
    max_in_flight: InFlight = 50
    countries: Countries
    bins: Bins
    multi_match: Literal["provisional", "hold"] = "hold"
    retry: RetryTable = RetryTable()
    fallback: FallbackTable = FallbackTable()


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole file, safe to use."""

    providers: Mapping[str, ProviderTable] = field(default_factory=dict)
    services: Mapping[str, ServiceTable] = field(default_factory=dict)
    partners: Mapping[str, PartnerTable] = field(default_factory=dict)


def _backoff(table: PollTable | RecheckTable) -> Backoff:
    return Backoff(first=table.first, factor=table.factor, longest=table.max)
