"""The adapter `stripe` for charges: payment intents collect, refunds give back.

An intent is confirmed as it is made, with nobody there. One that waits for somebody
would wait for ever: it is cancelled, and only that it *is* cancelled is a no.
"""

from typing import Final
from urllib.parse import quote

from handlers.ports.payments import (
    Charge,
    ChargeAnswer,
    ChargeStatus,
    RefundAnswer,
)
from handlers.ports.services import ServiceRefused, ServiceUnclear
from providers.charging import (
    charge_answer,
    charge_status,
    payout_of,
)
from providers.config import ProviderTable
from providers.config.charging import charge_policy
from providers.http.outbound import Outbound
from providers.port import (
    Accepted,
    Cancelled,
    Declined,
    StatusAnswer,
    Succeeded,
    Unclear,
)
from providers.retry_after import heeding
from providers.stripe import refunds, translate
from providers.stripe.amounts import NotPayable
from providers.stripe.lookup import look_up
from providers.stripe.objects import PLACES, WAITING_FOR_SOMEBODY
from providers.stripe.provider import client_of, is_live
from providers.stripe.requests import Form, create_form, target_of
from providers.stripe.translate import Context

MAKES: Final = "payment_intent"
PLACE: Final = PLACES[MAKES]
NOT_CANCELLED: Final = "it waits for the customer, and is not said to be cancelled"
NOT_PAYABLE: Final = "not_payable"
NEEDS_CUSTOMER: Final = "authentication_required"
"""Stripe's own code for what only the customer could do."""


class StripeCharges:
    """Implements ``PaymentProvider`` by payment intents under one secret key.

    :raises ValueError: its table is none of Stripe's.
    """

    def __init__(self, table: ProviderTable, outbound: Outbound) -> None:
        if table.stripe is None or table.base_url is None or table.auth is None:
            raise ValueError("needs base_url, auth.bearer and stripe")
        self.name: Final = table.name
        self.policy: Final = charge_policy(table)
        self.timeout: Final = table.timeout
        self._making = table.stripe
        self._rejection_codes = frozenset(table.rejection_codes)
        self._live = is_live(table.auth)
        self._client = client_of(table, outbound, table.max_in_flight)

    async def charge(self, charge: Charge) -> ChargeAnswer:
        """Make an intent and confirm it, under the key ``charge.key``."""
        try:
            context, form = self._context(charge), self._form(charge)
        except NotPayable as error:
            return ServiceRefused(code=NOT_PAYABLE, message=str(error))
        until = self._client.deadline()
        answer = await self._client.post(
            PLACE, form, account=None, key=charge.key, until=until
        )
        heard = heeding(translate.create_answer(answer, context), answer)
        return charge_answer(await self._with_nobody_there(heard, context, until))

    async def charge_status(self, charge: Charge) -> ChargeStatus:
        """Ask by Stripe's id; where it never came, look for our reference."""
        try:
            context = self._context(charge)
        except NotPayable as error:
            return ServiceUnclear(because=str(error))
        until = self._client.deadline()
        said = await self._found(context, until)
        return charge_status(await self._with_nobody_there(said, context, until))

    async def refund(self, charge: Charge) -> RefundAnswer:
        """Have all of it given back, under the key ``charge.key``."""
        try:
            context = self._context(charge)
        except NotPayable as error:
            return ServiceUnclear(because=str(error))
        until = self._client.deadline()
        intent = context.payout.provider_reference
        if intent is None:
            found = await self._found(context, until)
            if not isinstance(found, Succeeded) or found.reference is None:
                return refunds.of_what_is_not_charged(found)
            intent = found.reference
        return await refunds.refund(self._client, context, intent, charge.key, until)

    async def _found(self, context: Context, until: float) -> StatusAnswer:
        named = context.payout.provider_reference
        if named is None:
            target = target_of(context.payout, self._making)
            return await look_up(self._client, target, context)
        answer = await self._client.get(_one(named), {}, account=None, until=until)
        return heeding(translate.status_answer(answer, context), answer)

    async def _with_nobody_there(
        self, said: StatusAnswer, context: Context, until: float
    ) -> StatusAnswer:
        """Cancel an intent that waits for somebody; a no only where it is cancelled.

        Without a key: cancelling twice does no harm, and a saved failure would be
        repeated for a day.
        """
        waits = isinstance(said, Accepted) and (
            said.evidence.get("status") in WAITING_FOR_SOMEBODY
        )
        if not waits or not isinstance(said, Accepted) or said.reference is None:
            return said
        path = f"{_one(said.reference)}/cancel"
        answer = await self._client.post(path, {}, account=None, until=until)
        cancelled = translate.cancel_answer(answer, context)
        if isinstance(cancelled, Cancelled):
            return Declined(code=NEEDS_CUSTOMER, evidence=cancelled.evidence)
        return Unclear(because=NOT_CANCELLED, evidence=said.evidence)

    def _form(self, charge: Charge) -> Form:
        """Return what a charge says; whose it is, for people who look there."""
        form = create_form(payout_of(charge), self._making)
        return {
            **form,
            "metadata[order_id]": charge.order_id,
            "metadata[merchant_id]": charge.merchant_id,
        }

    def _context(self, charge: Charge) -> Context:
        payout = payout_of(charge)
        return Context(
            makes=MAKES,
            payout=payout,
            live=self._live,
            secrets=target_of(payout, self._making).secrets(),
            rejection_codes=self._rejection_codes,
        )


def _one(intent: str) -> str:
    return f"{PLACE}/{quote(intent, safe='')}"
