"""Plays the scenarios of a service, each with connections of its own."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from providers.config import ServiceTable
from providers.http.outbound import Outbound
from providers.http.proxies import NO_PROXIES, Proxies
from providers.services import HttpService
from providers.testing.conformance.harness import NotHere
from providers.testing.conformance.runner import ScenarioOutcome
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
        began = time.monotonic()
        async with Outbound(proxies=self.proxies) as outbound:
            stage = self._stage(outbound)
            not_here = None
            try:
                await scenario.play(stage)
            except NotHere as why:
                not_here = str(why)
        if not stage.cases and not stage.wrong:
            not_here = not_here or "there is nothing to try"
        return ScenarioOutcome(
            scenario=scenario,
            cases=stage.cases,
            seconds=time.monotonic() - began,
            wrong=tuple(dict.fromkeys(stage.wrong)),
            not_here=not_here,
        )

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
