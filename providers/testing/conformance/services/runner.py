"""Plays the scenarios of a service, each with connections of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from providers.config import ServiceTable
from providers.http.outbound import Outbound
from providers.http.proxies import NO_PROXIES, Proxies
from providers.services import HttpService
from providers.testing.conformance.runner import ScenarioOutcome, played
from providers.testing.conformance.services.scenarios import ServiceScenario
from providers.testing.conformance.services.stage import Samples, ServiceStage

HASTE: Final = timedelta(milliseconds=30)


@dataclass(frozen=True, slots=True)
class ServiceCandidate:
    """A service to be checked, by its table; with orders that it takes or refuses."""

    table: ServiceTable
    samples: Samples = field(default_factory=Samples)
    proxies: Proxies = NO_PROXIES

    async def play(self, scenario: ServiceScenario) -> ScenarioOutcome:
        """Play one scenario."""
        async with Outbound(proxies=self.proxies) as outbound:
            return await played(scenario, self._stage(outbound))

    async def play_all(
        self, scenarios: Sequence[ServiceScenario]
    ) -> list[ScenarioOutcome]:
        """Play them all, one after the other: a test instance may be a small one."""
        return [await self.play(scenario) for scenario in scenarios]

    def _stage(self, outbound: Outbound) -> ServiceStage:
        hasty = self.table.model_copy(update={"timeout": HASTE})
        return ServiceStage(
            table=self.table,
            service=HttpService(self.table, outbound),
            hasty=HttpService(hasty, outbound),
            lane=outbound.lane(1),
            samples=self.samples,
        )
