"""The tables of the configuration file, each value of them checked by itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from fsm.charge.policy import ChargePolicy
from fsm.domain.rates import Rate
from fsm.engine.backoff import Backoff
from fsm.payout.policy import AskedBy, ProviderPolicy
from providers.config.called import CalledTable
from providers.config.charges import ChargeTable
from providers.config.creates import CreateTable
from providers.config.events import EventIdAt
from providers.config.fields import Duration
from providers.config.forms import (
    AnswersTable,
    At,
    CancelTable,
    ListAt,
    StatementTable,
    StatusTable,
    WebhookBodyTable,
)
from providers.config.forwarders import ForwarderTable
from providers.config.partners import PartnerTable
from providers.config.secrets import SecretTable
from providers.config.services import CheckoutTable, ServiceTable
from providers.config.stripe import StripeTable
from providers.config.table import Table
from providers.config.unsafe_calls import holes_of
from providers.config.values import (
    Attempts,
    Certificates,
    Factor,
    HeaderName,
    Many,
    Moment,
    PublicKey,
    Sla,
    WebhookRate,
    secret_table,
)
from providers.config.vocabulary import PROVIDER_REFERENCE
from providers.signatures import (
    Pins,
    SchemeSettings,
    Secret,
    SignatureForm,
    Verifier,
    verifier,
)
from providers.signatures.settings import Encoding, TimeUnit


class TokenTable(Table):
    """Every knob of the scheme ``token``."""

    TABLE: ClassVar[str] = "token"

    header: HeaderName
    prefix: str = ""
    event_id_header: HeaderName | None = None
    event_id_pointer: str | None = None

    @property
    def form(self) -> SignatureForm:
        """Return them as the scheme wants them."""
        knobs = {n: getattr(self, n) for n in type(self).model_fields if n != "keys"}
        return SignatureForm(table=self.TABLE, **knobs)


class SignedTable(TokenTable):
    """The knobs of every scheme that signs: where what stands, and what is signed."""

    template: str = "{body}"
    separator: str | None = None
    prefix_optional: bool = False
    encoding: Encoding = "hex"
    path: str | None = None
    timestamp_header: HeaderName | None = None
    timestamp_item: str | None = Field(default=None, min_length=1)
    timestamp_unit: TimeUnit = "s"
    tolerance_future: Duration | None = None


class HmacTable(SignedTable):
    """Every knob of the scheme ``hmac``."""

    TABLE: ClassVar[str] = "hmac"

    digest: str = "sha256"
    key_encoding: Literal["utf-8", "hex", "base64"] = "utf-8"
    key_prefix: str = Field(default="", repr=False)


class KeyTable(Table):
    """One of a provider's public keys, and from when until when it counts."""

    value: PublicKey
    not_before: Moment | None = None
    not_after: Moment | None = None

    @property
    def key(self) -> Secret:
        """Return it as the scheme wants it."""
        return Secret(
            value=self.value, not_before=self.not_before, not_after=self.not_after
        )


class PublicKeyTable(SignedTable):
    """Every knob of the scheme ``public-key``."""

    TABLE: ClassVar[str] = "public_key"

    algorithm: str
    encoding: Encoding = "base64"
    keys: Many[Annotated[KeyTable, BeforeValidator(secret_table)]]


class PaypalTable(Table):
    """What the scheme ``paypal`` is held against."""

    webhook_id: str
    certificates: Certificates

    @property
    def pins(self) -> Pins:
        """Return it as the scheme wants it."""
        return Pins(webhook_id=self.webhook_id, certificates=self.certificates)


class WebhookTable(Table):
    """How a provider's webhooks prove that they are its own.

    ``ordering`` is where the body has the provider's own order of its events.
    ``events_at`` is where it has several of them, ``event_id`` what each is known by.
    """

    scheme: Literal[
        "standard",
        "stripe",
        "hmac-sha256",
        "checkout",
        "adyen",
        "adyen-platform",
        "paypal",
        "hmac",
        "public-key",
        "token",
    ] = "standard"
    secrets: Many[Annotated[SecretTable, BeforeValidator(secret_table)]] = ()
    tolerance: Duration | None = None
    rate: WebhookRate = Rate(100, timedelta(seconds=1))
    ordering: At | None = None
    events_at: ListAt | None = None
    event_id: EventIdAt | None = None
    hmac: HmacTable | None = None
    paypal: PaypalTable | None = None
    public_key: PublicKeyTable | None = None
    token: TokenTable | None = None

    @property
    def form(self) -> SignatureForm | None:
        """The form that the table spells out; None for a scheme that has its own."""
        spelt = {
            "hmac": self.hmac,
            "public-key": self.public_key,
            "token": self.token,
        }
        table = spelt.get(self.scheme)
        return None if table is None else table.form

    def verifier(self) -> Verifier:
        """Return the check of this route.

        :raises Unsafe: it would protect nothing; a secret is none, for one.
        """
        public = self.public_key
        settings = SchemeSettings(
            secrets=[secret.secret for secret in self.secrets],
            keys=[each.key for each in public.keys] if public else (),
            tolerance=self.tolerance,
            hmac=self.hmac.form if self.hmac else None,
            paypal=self.paypal.pins if self.paypal else None,
            public_key=public.form if public else None,
            token=self.token.form if self.token else None,
        )
        return verifier(self.scheme, settings)


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


def _asked(status: object) -> object:
    return True if isinstance(status, dict) else status


def _asking(status: object) -> object:
    return status if isinstance(status, dict) else None


class ProviderTable(CalledTable):
    """One ``[providers.*]``; ``status`` is a word or a table, and read as both."""

    status: Annotated[bool, BeforeValidator(_asked)] = True
    idempotent_create: bool = False
    key_lifetime: Duration = timedelta(hours=24)
    not_found: Literal["definite", "ambiguous"] = "ambiguous"
    not_found_grace: Duration = timedelta(minutes=2)
    rejection_codes: Many[str] = ()
    sla: Sla = timedelta(minutes=15)
    on_sla: Literal["poll", "manual"] | None = None
    finality: Sla = timedelta(days=30)
    on_return: Literal["person", "settle"] = "person"
    webhook: WebhookTable | None = None
    poll: PollTable = PollTable()
    recheck: RecheckTable = RecheckTable()
    reference_form: Literal["uuid", "hex"] = "uuid"
    create: CreateTable | None = None
    asking: Annotated[
        StatusTable | None, BeforeValidator(_asking), Field(validation_alias="status")
    ] = None
    cancel: CancelTable | None = None
    statement: StatementTable | None = None
    answers: AnswersTable | None = None
    webhook_body: WebhookBodyTable | None = None
    stripe: StripeTable | None = None
    charge: ChargeTable | None = None

    @property
    def policy(self) -> ProviderPolicy:
        """Return its capabilities as the core sees them."""
        return ProviderPolicy(
            asked_by=self.asked_by,
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
            finality=self.finality,
            settles_returns=self.on_return == "settle",
        )

    @property
    def charge_policy(self) -> ChargePolicy | None:
        """Return how it may be treated where it collects; None where it does not."""
        return None if self.charge is None else self.charge.policy(self.timeout)

    @property
    def asked_by(self) -> AskedBy:
        """Return by which name its status can be asked."""
        if not self.status:
            return AskedBy.NOTHING
        needed = set() if self.asking is None else holes_of(self.asking, needed=True)
        return AskedBy.THEIRS if PROVIDER_REFERENCE in needed else AskedBy.OURS


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole file, safe to use."""

    providers: Mapping[str, ProviderTable] = field(default_factory=dict)
    services: Mapping[str, ServiceTable] = field(default_factory=dict)
    partners: Mapping[str, PartnerTable] = field(default_factory=dict)
    forwarders: Mapping[str, ForwarderTable] = field(default_factory=dict)
    checkout: CheckoutTable = field(default_factory=CheckoutTable)


def _backoff(table: PollTable | RecheckTable) -> Backoff:
    return Backoff(first=table.first, factor=table.factor, longest=table.max)
