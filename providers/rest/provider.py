"""The rest provider as the port wants it: it calls, translates and never raises."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from payment_service.config import ProviderTable
from payment_service.domain.news import News
from payment_service.outbound import Outbound
from providers.port import (
    CancelAnswer,
    CreateAnswer,
    Payout,
    Rejected,
    StatusAnswer,
    Unclear,
    Verified,
)
from providers.rest import translate
from providers.rest.client import RestClient
from providers.rest.news import read_news

NO_WEBHOOKS: Final = "no_webhooks"


class RestProvider:
    """Speaks the wire form of contract section 5 with one provider."""

    def __init__(
        self,
        table: ProviderTable,
        outbound: Outbound,
        *,
        base_url: str,
        callback_url: str | None,
    ) -> None:
        self.name: Final = table.name
        self.plan: Final = table.plan
        self.timeout: Final = table.timeout
        self.takes_webhooks: Final = table.webhook is not None
        self._verifier = table.webhook.verifier() if table.webhook else None
        self._answers_status = table.status
        self._rejection_codes = frozenset(table.rejection_codes)
        self._callback_url = callback_url
        self._client = RestClient(
            outbound.lane(table.max_in_flight),
            base_url=base_url,
            headers={n: v.get_secret_value() for n, v in table.headers.items()},
            timeout=table.timeout,
        )

    async def create(self, payout: Payout) -> CreateAnswer:
        """Ask for the payout under the key ``payout.reference``."""
        body = translate.create_request(payout, self._callback_url)
        answer = await self._client.create(payout.reference, body)
        return translate.create_answer(answer, payout, self._rejection_codes)

    async def status(self, payout: Payout) -> StatusAnswer:
        """Ask what became of it, where that can be asked."""
        if not self._answers_status:
            return Unclear(because="the status cannot be asked")
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
            return Rejected(NO_WEBHOOKS)
        return self._verifier.verify(headers, body, now)

    def read_news(
        self, event_id: str | None, body: Mapping[str, object], now: datetime
    ) -> News | None:
        """Read a verified webhook in its default form."""
        return read_news(self.name, event_id, body, now)
