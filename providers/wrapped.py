"""What wraps a provider to see its calls, and passes the rest on."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from fsm.domain.webhook_events import WebhookEvent
from fsm.payout.policy import ProviderPolicy
from providers.port import Provider, Providers, Rejected, Verified


class WrappedProvider:
    """A provider of which a subclass makes the calls."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.name: str = provider.name
        self.policy: ProviderPolicy = provider.policy
        self.timeout: timedelta = provider.timeout
        self.takes_webhooks: bool = provider.takes_webhooks

    def verify(
        self, headers: Mapping[str, list[str]], body: bytes, now: datetime
    ) -> Verified | Rejected:
        """Check a webhook's signature."""
        return self._provider.verify(headers, body, now)

    def read_webhook(
        self, event_id: str | None, body: Mapping[str, object], now: datetime
    ) -> WebhookEvent | None:
        """Read a verified webhook."""
        return self._provider.read_webhook(event_id, body, now)


class WrappedProviders:
    """All providers of these names, each wrapped."""

    def __init__(
        self,
        providers: Providers,
        names: Iterable[str],
        wrap: Callable[[Provider], Provider],
    ) -> None:
        found = [(name, providers.get(name)) for name in names]
        self._wrapped = {
            name: wrap(provider) for name, provider in found if provider is not None
        }

    def get(self, name: str) -> Provider | None:
        """Return the provider, or None where the name is not configured."""
        return self._wrapped.get(name)

    def names(self) -> list[str]:
        """Return all configured names, sorted."""
        return sorted(self._wrapped)
