"""Acme behind the port: it calls, translates, and never raises for an answer."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from fsm.domain.webhook_events import WebhookEvent
from providers.config import ProviderTable
from providers.http.outbound import Outbound
from providers.port import (
    CancelAnswer,
    CreateAnswer,
    Payout,
    Rejected,
    StatusAnswer,
    Verified,
)

from . import translate
from .client import AcmeClient


class AcmeProvider:
    """One Acme account, as its table says; the registry makes it."""

    def __init__(
        self, table: ProviderTable, outbound: Outbound, *, callback_url: str | None
    ) -> None:
        if table.base_url is None:
            raise ValueError("needs a base_url")
        del callback_url  # Acme is told in its own console where to send webhooks.
        self.name: Final = table.name
        self.policy: Final = table.policy
        self.timeout: Final = table.timeout
        self.takes_webhooks: Final = table.webhook is not None
        self._verifier = table.webhook.verifier() if table.webhook else None
        self._client = AcmeClient(
            outbound.lane(table.max_in_flight),
            base_url=table.base_url,
            headers={n: v.get_secret_value() for n, v in table.headers.items()},
            timeout=table.timeout,
        )

    async def create(self, payout: Payout) -> CreateAnswer:
        """Ask for the payout under the key ``payout.reference``."""
        body = translate.create_request(payout)
        answer = await self._client.create(payout.reference, body)
        return translate.create_answer(answer, payout)

    async def status(self, payout: Payout) -> StatusAnswer:
        """Ask what became of it, by our reference."""
        answer = await self._client.status(payout.reference)
        return translate.status_answer(answer, payout)

    async def cancel(self, payout: Payout) -> CancelAnswer:
        """Ask not to pay it."""
        answer = await self._client.cancel(payout.reference)
        return translate.cancel_answer(answer, payout)

    def verify(
        self, headers: Mapping[str, list[str]], body: bytes, now: datetime
    ) -> Verified | Rejected:
        """Check a webhook's signature on its raw bytes."""
        if self._verifier is None:
            return Rejected("no_webhooks")
        return self._verifier.verify(headers, body, now)

    def read_webhook(
        self, event_id: str | None, body: Mapping[str, object], now: datetime
    ) -> WebhookEvent | None:
        """Read a verified webhook."""
        return translate.read_webhook(self.name, event_id, body, now)
