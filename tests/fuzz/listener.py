"""A provider that only listens, for the schemes that no adapter of ours may believe."""

from collections.abc import Mapping
from datetime import datetime

from fsm.domain.webhook_events import WebhookEvent, WebhookEventType
from fsm.payout.policy import ProviderPolicy
from handlers.ports.provider import (
    CancelAnswer,
    CreateAnswer,
    NotSent,
    Payout,
    Rejected,
    StatusAnswer,
    Verified,
)
from providers.config import ProviderTable
from providers.http.outbound import Outbound

_NEVER = NotSent(because="it only listens")


class Listener:
    """Verifies as configured; everything that it reads is UNKNOWN, so a mere nudge."""

    def __init__(
        self, table: ProviderTable, outbound: Outbound, *, callback_url: str | None
    ) -> None:
        del outbound, callback_url
        if table.webhook is None:
            raise ValueError("needs a webhook table")
        self.name = table.name
        self.policy: ProviderPolicy = table.policy
        self.timeout = table.timeout
        self.takes_webhooks = True
        self._verifier = table.webhook.verifier()

    async def create(self, payout: Payout) -> CreateAnswer:
        """Send nothing."""
        del payout
        return _NEVER

    async def status(self, payout: Payout) -> StatusAnswer:
        """Send nothing."""
        del payout
        return _NEVER

    async def cancel(self, payout: Payout) -> CancelAnswer:
        """Send nothing."""
        del payout
        return _NEVER

    def verify(
        self, headers: Mapping[str, list[str]], body: bytes, now: datetime
    ) -> Verified | Rejected:
        """Check a webhook's signature on its raw bytes."""
        return self._verifier.verify(headers, body, now)

    def read_webhook(
        self, event_id: str | None, body: Mapping[str, object], now: datetime
    ) -> WebhookEvent | None:
        """Read the event alone."""
        del body
        if event_id is None:
            return None
        return WebhookEvent(
            provider=self.name,
            event_id=event_id,
            type=WebhookEventType.UNKNOWN,
            reference=event_id,
            received_at=now,
        )
