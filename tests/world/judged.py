"""The in-memory world with its judge, and keepers at the gates of its providers."""

from typing import Any

from payment_service.playground.memory.world import MemoryWorld
from providers.health.admission import AdmissionControl
from providers.health.observed import ObservedProviders
from providers.health.observed_payments import ObservedPayments
from tests.world import oracle
from tests.world.keepers import terms


class World(MemoryWorld):
    """A world whose money can be judged by what its neighbours have written down."""

    def keep(self, **changed: Any) -> AdmissionControl:
        """Have a keeper at the gate of every provider there is; return it."""
        collecting = [each.name for each in self.payments.every()]
        names = (*self.providers.names(), *collecting)
        known = {name: terms(**changed) for name in names}
        self.gate = admission_control = AdmissionControl(
            known, self.clock, replica="replica-1"
        )
        self.watched = ObservedProviders(self.providers, admission_control)
        self.watched_payments = ObservedPayments(self.payments, admission_control)
        return admission_control

    async def offences(self, *, at_rest: bool = True) -> list[str]:
        """Return what is wrong with the money; nothing is right."""
        every = self.providers.every()
        evidence = oracle.Evidence(
            orders=await self.rows.orders(),
            trail=await self.rows.trail(),
            cases=await self.rows.cases(),
            entries=self.core.book,
            holds=self.core.holds,
            notices=self.core.notices,
            paid=[line for provider in every for line in provider.book],
            asked=[line for provider in every for line in provider.asked],
            lied=frozenset(provider.name for provider in every if provider.lied),
        )
        return [*self.core.complaints, *oracle.offences(evidence, at_rest=at_rest)]
