"""Plays the scenarios of charges: each with an adapter and a counterpart of its own."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from providers.http.outbound import Outbound
from providers.registry import payment_provider
from providers.testing.conformance.charge_doubles.vocabulary import ChargeDouble
from providers.testing.conformance.charges.scenarios import ChargeScenario
from providers.testing.conformance.charges.stage import ChargeStage
from providers.testing.conformance.doubles import charge_double_of
from providers.testing.conformance.fake_server import Counterpart
from providers.testing.conformance.made_up_secrets import rehearsed
from providers.testing.conformance.runner import AT_ONCE, ScenarioOutcome, played


@dataclass(frozen=True, slots=True)
class ChargeCandidate:
    """A table that collects, as it stands in the file; with a double of one's own."""

    name: str
    raw: Mapping[str, Any]
    double: ChargeDouble | None = None

    async def play(self, scenario: ChargeScenario) -> ScenarioOutcome:
        """Play one scenario.

        :raises ConfigError: the table is refused, or its adapter cannot collect.
        :raises NoDouble: nobody knows how the provider speaks.
        """
        async with Counterpart() as counterpart, Outbound() as outbound:
            rehearsal = rehearsed(
                self.name, self.raw, url=counterpart.url, timeout=scenario.timeout
            )
            table = rehearsal.table
            stage = ChargeStage(
                rehearsal=rehearsal,
                provider=payment_provider(table, outbound),
                double=self.double or charge_double_of(table),
                counterpart=counterpart,
                collecting_at=lambda url: payment_provider(
                    table.model_copy(update={"base_url": url}), outbound
                ),
            )
            return await played(scenario, stage)

    async def play_all(
        self, scenarios: Sequence[ChargeScenario]
    ) -> list[ScenarioOutcome]:
        """Play them all, a few at a time; as :meth:`play`."""
        free = asyncio.Semaphore(AT_ONCE)

        async def play(scenario: ChargeScenario) -> ScenarioOutcome:
            async with free:
                return await self.play(scenario)

        return list(await asyncio.gather(*map(play, scenarios)))
