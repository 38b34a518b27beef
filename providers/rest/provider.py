"""The rest provider as the port wants it: it speaks one wire form and never raises."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol

from fsm.domain.webhook_events import WebhookEvent
from providers.config import ProviderTable
from providers.config.places import Place
from providers.http.outbound import ConnectionLimit, Outbound
from providers.port import (
    CancelAnswer,
    CreateAnswer,
    Payout,
    Rejected,
    StatusAnswer,
    Verified,
)
from providers.rest.declared import DeclaredForm
from providers.rest.default import DefaultForm
from providers.rest.webhooks import sequence_of

NO_WEBHOOKS: Final = "no_webhooks"


class WireForm(Protocol):
    """A wire form: how the calls of the port are said and answered over HTTP."""

    async def create(self, payout: Payout) -> CreateAnswer: ...
    async def status(self, payout: Payout) -> StatusAnswer: ...
    async def cancel(self, payout: Payout) -> CancelAnswer: ...
    def read_webhook(
        self, event_id: str | None, body: Mapping[str, object], now: datetime
    ) -> WebhookEvent | None: ...


class RestProvider:
    """Speaks the wire form of its table with one provider."""

    def __init__(
        self,
        table: ProviderTable,
        outbound: Outbound,
        *,
        base_url: str,
        callback_url: str | None,
    ) -> None:
        self.name: Final = table.name
        self.policy: Final = table.policy
        self.timeout: Final = table.timeout
        self.takes_webhooks: Final = table.webhook is not None
        self._verifier = table.webhook.verifier() if table.webhook else None
        self._ordering = _ordering(table)
        tls = table.tls.context() if table.tls else None
        lane = outbound.lane(table.max_in_flight, tls=tls)
        self._form = _form(table, lane, base_url, callback_url)

    async def create(self, payout: Payout) -> CreateAnswer:
        """Ask for the payout under the key ``payout.reference``."""
        return await self._form.create(payout)

    async def status(self, payout: Payout) -> StatusAnswer:
        """Ask what became of it, where that can be asked."""
        return await self._form.status(payout)

    async def cancel(self, payout: Payout) -> CancelAnswer:
        """Ask not to pay it."""
        return await self._form.cancel(payout)

    def verify(
        self, headers: Mapping[str, list[str]], body: bytes, now: datetime
    ) -> Verified | Rejected:
        """Check a webhook's signature on its raw bytes."""
        if self._verifier is None:
            return Rejected(NO_WEBHOOKS)
        return self._verifier.verify(headers, body, now)

    def read_webhook(
        self, event_id: str | None, body: Mapping[str, object], now: datetime
    ) -> WebhookEvent | None:
        """Read a verified webhook in the form of its table, with its place in order."""
        webhook = self._form.read_webhook(event_id, body, now)
        if webhook is None or self._ordering is None:
            return webhook
        return replace(webhook, sequence=sequence_of(self._ordering.look(body)))


def _ordering(table: ProviderTable) -> Place | None:
    """Return where a webhook has its place in the provider's own order."""
    named = None if table.webhook is None else table.webhook.ordering
    body = table.webhook_body
    return named or (None if body is None else body.order_at)


def _form(
    table: ProviderTable, lane: ConnectionLimit, base_url: str, callback_url: str | None
) -> WireForm:
    if table.create is None:
        return DefaultForm(table, lane, base_url=base_url, callback_url=callback_url)
    return DeclaredForm(
        table, table.create, lane, base_url=base_url, callback_url=callback_url
    )
