"""Payment providers whose calls are observed, as those of payouts are."""

from typing import Final

from handlers.ports.payments import (
    Charge,
    ChargeAnswer,
    Charged,
    ChargeStatus,
    PaymentProvider,
    PaymentProviders,
    RefundAnswer,
)
from handlers.ports.services import ServiceNotSent, ServiceRefused, ServiceUnclear
from providers.health.admission import AdmissionControl
from providers.health.observed import CallNote, Observing, nobody_notes
from providers.health.window import CreateOutcome


def heard_in_charge(answer: ChargeAnswer) -> CreateOutcome | None:
    """Return what an answer to a charge says about its provider, None for nothing."""
    match answer:
        case Charged() | ServiceUnclear(taken=True):
            return CreateOutcome.TAKEN
        case ServiceRefused() | ServiceUnclear(answered=True):
            return CreateOutcome.REFUSED
        case ServiceNotSent(lacking=lacking):
            return None if lacking else CreateOutcome.FAILED
        case ServiceUnclear():
            return CreateOutcome.FAILED


class ObservedPayment:
    """A payment provider, with its keeper listening and its calls measured."""

    def __init__(
        self,
        provider: PaymentProvider,
        admission_control: AdmissionControl,
        note: CallNote = nobody_notes,
    ) -> None:
        self.name: Final = provider.name
        self.policy: Final = provider.policy
        self._provider = provider
        self._observing = Observing(provider.name, admission_control, note)

    async def charge(self, charge: Charge) -> ChargeAnswer:
        """Ask for the money; while it is under way it may turn out to hang."""
        collect = self._provider.charge
        return await self._observing.tracked("charge", collect, charge, heard_in_charge)

    async def charge_status(self, charge: Charge) -> ChargeStatus:
        """Ask what became of a charge."""
        ask = self._provider.charge_status
        return await self._observing.timed("charge_status", ask, charge)

    async def refund(self, charge: Charge) -> RefundAnswer:
        """Give all of a charge back."""
        return await self._observing.timed("refund", self._provider.refund, charge)


class ObservedPayments:
    """All payment providers, each observed."""

    def __init__(
        self,
        payments: PaymentProviders,
        admission_control: AdmissionControl,
        note: CallNote = nobody_notes,
    ) -> None:
        found = [(name, payments.get(name)) for name in admission_control.names()]
        self._observed = {
            name: ObservedPayment(provider, admission_control, note)
            for name, provider in found
            if provider is not None
        }

    def get(self, name: str) -> ObservedPayment | None:
        """Return the provider, or None where it collects nothing here."""
        return self._observed.get(name)
