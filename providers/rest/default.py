"""The default wire form (contract, section 5): what a table gets that maps none."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from fsm.domain.webhook_events import WebhookEvent
from providers.config import ProviderTable
from providers.http.outbound import ConnectionLimit
from providers.port import CancelAnswer, CreateAnswer, Payout, StatusAnswer, Unclear
from providers.rest import translate
from providers.rest.auth import fixed_headers
from providers.rest.client import RestClient
from providers.rest.webhooks import read_webhook
from providers.retry_after import heeding

NO_STATUS: Final = "the status cannot be asked"


class DefaultForm:
    """Speaks the default wire form with one provider."""

    def __init__(
        self,
        table: ProviderTable,
        lane: ConnectionLimit,
        *,
        base_url: str,
        callback_url: str | None,
    ) -> None:
        self._name = table.name
        self._answers_status = table.status
        self._rejection_codes = frozenset(table.rejection_codes)
        self._callback_url = callback_url
        self._client = RestClient(
            lane,
            base_url=base_url,
            headers=fixed_headers(table),
            timeout=table.timeout,
        )

    async def create(self, payout: Payout) -> CreateAnswer:
        """Ask for the payout under the key ``payout.reference``."""
        body = translate.create_request(payout, self._callback_url)
        answer = await self._client.create(payout.reference, body)
        said = translate.create_answer(answer, payout, self._rejection_codes)
        return heeding(said, answer)

    async def status(self, payout: Payout) -> StatusAnswer:
        """Ask what became of it, where that can be asked."""
        if not self._answers_status:
            return Unclear(because=NO_STATUS)
        answer = await self._client.status(payout.reference)
        return heeding(translate.status_answer(answer, payout), answer)

    async def cancel(self, payout: Payout) -> CancelAnswer:
        """Ask not to pay it."""
        answer = await self._client.cancel(payout.reference)
        return heeding(translate.cancel_answer(answer, payout), answer)

    def read_webhook(
        self, event_id: str | None, body: Mapping[str, object], now: datetime
    ) -> WebhookEvent | None:
        """Read a verified webhook in its default form."""
        return read_webhook(self._name, event_id, body, now)
