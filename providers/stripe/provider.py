"""The Stripe provider as the port wants it: it never raises for an answer."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import quote

from fsm.domain.webhook_events import WebhookEvent
from providers.config import ProviderTable
from providers.config.forms import AuthTable
from providers.http.outbound import Outbound
from providers.port import (
    CancelAnswer,
    CreateAnswer,
    NotSent,
    Payout,
    Rejected,
    StatusAnswer,
    TooLate,
    Unclear,
    Verified,
)
from providers.retry_after import heeding
from providers.stripe import translate
from providers.stripe.amounts import NotPayable
from providers.stripe.client import StripeClient
from providers.stripe.lookup import look_up
from providers.stripe.objects import PLACES
from providers.stripe.requests import StripeDestination, create_form, target_of
from providers.stripe.translate import Context
from providers.stripe.webhooks import read_webhook

NO_WEBHOOKS: Final = "no_webhooks"
NO_STATUS: Final = "the status cannot be asked"


class StripeProvider:
    """Makes payouts, or payment intents, under one secret key."""

    def __init__(
        self, table: ProviderTable, outbound: Outbound, *, callback_url: str | None
    ) -> None:
        del callback_url  # Stripe's webhooks go where its dashboard says.
        if table.stripe is None or table.base_url is None or table.auth is None:
            raise ValueError("needs base_url, auth.bearer and stripe")
        self.name: Final = table.name
        self.policy: Final = table.policy
        self.timeout: Final = table.timeout
        self.takes_webhooks: Final = table.webhook is not None
        self._verifier = table.webhook.verifier() if table.webhook else None
        self._making = table.stripe
        self._answers_status = table.status
        self._rejection_codes = frozenset(table.rejection_codes)
        self._live = is_live(table.auth)
        self._place = PLACES[table.stripe.makes]
        self._client = client_of(table, outbound, table.max_in_flight)

    async def create(self, payout: Payout) -> CreateAnswer:
        """Ask for it under the key ``payout.reference``."""
        try:
            target = target_of(payout, self._making)
            form = create_form(payout, self._making)
        except NotPayable as error:
            return NotSent(because=str(error), ours=True)
        answer = await self._client.post(
            self._place, form, account=self._account(target), key=payout.reference
        )
        said = translate.create_answer(answer, self._context(payout, target))
        return heeding(said, answer)

    async def status(self, payout: Payout) -> StatusAnswer:
        """Ask by Stripe's id; where it never came, look for our reference."""
        if not self._answers_status:
            return Unclear(because=NO_STATUS)
        try:
            target = target_of(payout, self._making)
        except NotPayable as error:
            return Unclear(because=str(error))
        context = self._context(payout, target)
        if payout.provider_reference is None:
            return await look_up(self._client, target, context)
        answer = await self._client.get(
            self._one(payout.provider_reference),
            {},
            account=self._account(target),
            until=self._client.deadline(),
        )
        return heeding(translate.status_answer(answer, context), answer)

    async def cancel(self, payout: Payout) -> CancelAnswer:
        """Ask not to pay it; what has no id yet cannot be named, and goes on.

        Without an idempotency key: cancelling twice does no harm, and a saved failure
        would be repeated for a day.
        """
        if payout.provider_reference is None:
            return TooLate()
        try:
            target = target_of(payout, self._making)
        except NotPayable:
            return TooLate()
        path = f"{self._one(payout.provider_reference)}/cancel"
        answer = await self._client.post(path, {}, account=self._account(target))
        said = translate.cancel_answer(answer, self._context(payout, target))
        return heeding(said, answer)

    def verify(
        self, headers: Mapping[str, list[str]], body: bytes, now: datetime
    ) -> Verified | Rejected:
        """Check ``Stripe-Signature`` on the raw bytes."""
        if self._verifier is None:
            return Rejected(NO_WEBHOOKS)
        return self._verifier.verify(headers, body, now)

    def read_webhook(
        self, event_id: str | None, body: Mapping[str, object], now: datetime
    ) -> WebhookEvent | None:
        """Read a verified event; its id is in the body, and so under the signature."""
        del event_id
        return read_webhook(
            body, now, provider=self.name, makes=self._making.makes, live=self._live
        )

    def _context(self, payout: Payout, target: StripeDestination) -> Context:
        return Context(
            makes=self._making.makes,
            payout=payout,
            live=self._live,
            secrets=target.secrets(),
            rejection_codes=self._rejection_codes,
        )

    def _account(self, target: StripeDestination) -> str | None:
        return target.owner if self._making.connect else None

    def _one(self, stripe_id: str) -> str:
        return f"{self._place}/{quote(stripe_id, safe='')}"


def client_of(
    table: ProviderTable, outbound: Outbound, max_in_flight: int
) -> StripeClient:
    """Return a way to Stripe for what a table says."""
    fixed = {name: value.get_secret_value() for name, value in table.headers.items()}
    if table.auth is not None and table.auth.bearer is not None:
        key = table.auth.bearer.token.get_secret_value()
        fixed["Authorization"] = f"Bearer {key}"
    if table.stripe is not None:
        fixed["Stripe-Version"] = table.stripe.version
    tls = table.tls.context() if table.tls else None
    return StripeClient(
        outbound.lane(max_in_flight, tls=tls),
        base_url=table.base_url or "",
        headers=fixed,
        timeout=table.timeout,
    )


def is_live(auth: AuthTable) -> bool | None:
    """Say of a key whether real money moves by it; None where it does not show."""
    key = auth.bearer.token.get_secret_value() if auth.bearer else ""
    modes = {"live": True, "test": False}
    return modes.get("".join(key.split("_")[1:2]))
