"""Bugs in what is heard of a payment provider: a yes, a no, or a refund by guess."""

from datetime import timedelta
from typing import Any

import pytest

from fsm.domain.webhook_events import WebhookEventType
from fsm.engine.steps import Event
from fsm.service.words import StepTrigger
from handlers.checkout import CheckoutHandlers
from handlers.ports.payments import Charged
from providers import charging, registry
from providers.config import charging as tables
from providers.config.charges import ChargeTable
from providers.port import Accepted, Declined
from providers.rest import charges as rest
from providers.stripe import refunds
from providers.stripe.charges import StripeCharges


def taken_is_charged(patch: pytest.MonkeyPatch) -> None:
    real = charging.charge_answer

    def answer(said: Any) -> Any:
        return Charged() if isinstance(said, Accepted) else real(said)

    patch.setattr(rest, "charge_answer", answer)


def a_charge_as_it_was_is_a_refund(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rest, "REFUNDED", "succeeded")


def who_waits_has_refused(patch: pytest.MonkeyPatch) -> None:
    """The intent is left open: whoever has the tab open can still pay."""

    async def guessed(_: Any, said: Any, *__: Any) -> Any:
        waits = isinstance(said, Accepted) and said.evidence["status"] != "processing"
        return Declined(code="authentication_required") if waits else said

    patch.setattr(StripeCharges, "_with_nobody_there", guessed)


def a_refund_on_its_way_is_made(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(refunds, "ON_ITS_WAY", frozenset[str]())
    patch.setattr(refunds, "GIVEN_BACK", "pending")


def nobody_promised_to_know_a_key(patch: pytest.MonkeyPatch) -> None:
    real = tables.charge_policy

    def policy(table: Any) -> Any:
        told = ChargeTable(key_lifetime=timedelta(days=1))
        return real(table.model_copy(update={"charge": table.charge and told}))

    patch.setattr(rest, "charge_policy", policy)


def a_form_of_payouts_collects(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(registry, "unfit_for_charges", lambda _: iter(()))


def a_webhook_settles_a_charge(patch: pytest.MonkeyPatch) -> None:
    words = {
        WebhookEventType.SUCCEEDED: StepTrigger.DONE,
        WebhookEventType.FAILED: StepTrigger.REFUSED,
    }

    def heard(_: Any, webhook: Any, __: Any) -> Event | None:
        word = words.get(webhook.type)
        return None if word is None else Event(trigger=word, actor="provider:north")

    patch.setattr(CheckoutHandlers, "heard", heard)
