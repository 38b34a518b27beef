"""What the HTTP API needs of the rest, in one frozen value."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from fsm.domain.four_eyes import FourEyes
from fsm.domain.keys import ApiKey
from fsm.domain.orders import Order, Request, Submission
from fsm.domain.rates import Rate
from fsm.domain.roster import KeyRecord, Threshold
from fsm.domain.webhook_events import Arrival, WebhookEvent
from handlers.operations import Operations
from handlers.people import Admin
from handlers.ports.clock import Clock
from handlers.ports.partners import NoPartners, Partners
from handlers.ports.payments import PaidBy
from handlers.ports.provider import Providers
from handlers.ports.reads import ProviderStatus, Reads
from handlers.ports.services import NoServices, StepServices
from handlers.ports.waiters import Waiters
from payment_service.api.keyring import Keyring
from payment_service.wire.people_shapes import KeyShape
from providers.events import Events


class Submit(Protocol):
    """Stores a request; after it returns the order is not lost."""

    async def __call__(
        self, request: Request, *, actor: str, trace_parent: str | None
    ) -> Submission: ...


class Unlink(Protocol):
    """Has the card of a linked order unlinked, by an order of its own.

    :raises NotNow: it does not stand.
    """

    async def __call__(
        self,
        link: Order,
        *,
        order_id: str | None,
        reason: str,
        actor: str,
        trace_parent: str | None,
    ) -> Submission: ...


class StoreWebhooks(Protocol):
    """Stores the events of one verified webhook for good, all or none.

    :raises StoreUnavailable: they may not be stored; the sender sends them again.
    """

    async def __call__(
        self, events: Sequence[WebhookEvent], *, trace_parent: str | None
    ) -> Sequence[Arrival]: ...


class PeopleOperations(Protocol):
    """Shows and changes who holds keys, and from which amounts two decide.

    :raises UnknownOrder: no such key.
    :raises InvalidRequest: a key that would be none.
    :raises NotNow: the state does not allow it, or the same person asks again.
    """

    async def keys(self) -> Sequence[KeyShape]:
        """Return all keys as they are shown, by name."""
        ...

    async def make_key(self, key: ApiKey, *, by: Admin, reason: str) -> KeyRecord:
        """Make a key, which may wait for a second admin."""
        ...

    async def agree_to_key(self, name: str, *, by: Admin, reason: str) -> KeyRecord:
        """Agree to a key that waits."""
        ...

    async def revoke_key(self, name: str, *, by: Admin, reason: str) -> KeyRecord:
        """End a key for good."""
        ...

    async def thresholds(self) -> tuple[FourEyes, Sequence[Threshold]]:
        """Return what holds, and what the database says."""
        ...

    async def set_threshold(
        self, currency: str, amount: int | None, *, by: Admin, reason: str
    ) -> Threshold:
        """Set an amount, which may wait for a second admin."""
        ...


def _uncounted(provider: str, outcome: str) -> None:
    del provider, outcome


def _unnoted(event: str, told: Mapping[str, object]) -> None:
    del event, told


def _unreported(correlation_id: str, failure: Exception) -> None:
    del correlation_id, failure


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiDeps:
    """Everything the API calls.

    ``ready`` names what keeps the process from working, empty where nothing does.
    ``note`` is told by name of what is odd, whatever was answered.
    ``report`` is told of every failure that was answered with a 500;
    ``people`` may be left out, and so are its routes then.
    """

    keys: Keyring
    clock: Clock
    providers: Providers
    reads: Reads
    waiters: Waiters
    submit: Submit
    unlink: Unlink
    operations: Operations
    store_webhooks: StoreWebhooks
    provider_statuses: Callable[[], Awaitable[Sequence[ProviderStatus]]]
    ready: Callable[[], Awaitable[Sequence[str]]]
    metrics: Callable[[], bytes]
    services: StepServices = field(default_factory=NoServices)
    partners: Partners = field(default_factory=NoPartners)
    paid_by: PaidBy = field(default_factory=dict)
    people: PeopleOperations | None = None
    webhook_rates: Mapping[str, Rate] = field(default_factory=dict)
    webhook_events: Mapping[str, Events] = field(default_factory=dict)
    count_webhook: Callable[[str, str], None] = _uncounted
    note: Callable[[str, Mapping[str, object]], None] = _unnoted
    report: Callable[[str, Exception], None] = _unreported
    body_time_limit: timedelta = timedelta(seconds=10)
