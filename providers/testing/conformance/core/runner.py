"""Plays the scenarios of core one by one, and takes back what each has done."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from handlers.ports.core import Operation
from providers.core import HttpCore
from providers.core.ledger import CoreLedger, NoLedger
from providers.http.proxies import NO_PROXIES, Proxies
from providers.http.trust import trusting
from providers.statements import PAGE_BYTES_MAX
from providers.testing.conformance.core.booked import compare, entries_of
from providers.testing.conformance.core.made_up import CoreSamples
from providers.testing.conformance.core.overheard import Overheard
from providers.testing.conformance.core.scenario import CoreScenario
from providers.testing.conformance.core.scenarios import CORE_SCENARIOS
from providers.testing.conformance.core.stage import CoreStage
from providers.testing.conformance.core.told import Silent
from providers.testing.conformance.runner import ScenarioOutcome, played

GATE: Final = CORE_SCENARIOS[0]
"""Whoever fails in it is asked nothing more."""
FIRST_HOLD: Final = "freeze-done"
SLOW_SHARE: Final = 0.5


@dataclass(slots=True, kw_only=True)
class CoreCandidate:
    """A core to be checked, at its address; ``left`` is what was not taken back."""

    base_url: str
    token: str | None = field(repr=False)
    timeout: timedelta = timedelta(seconds=5)
    samples: CoreSamples = field(default_factory=CoreSamples)
    authority: Path | None = None
    proxies: Proxies = NO_PROXIES
    left: list[str] = field(default_factory=list)
    _has_ledger: bool = False

    async def play_all(
        self, scenarios: Sequence[CoreScenario]
    ) -> list[ScenarioOutcome]:
        """Play the first one, and then these; none after core has fallen silent."""
        async with Overheard(proxies=self.proxies) as outbound:
            outcomes = [await self._play(GATE, outbound)]
            if outcomes[0].wrong:
                return outcomes
            await self._stage(outbound).learn_nowhere()
            self._has_ledger = await self._reads_ledger(outbound)
            for scenario in scenarios:
                if scenario is GATE:
                    continue
                if scenario.area.is_of_holds and _holds_nothing(outcomes):
                    continue
                outcomes.append(await self._play(scenario, outbound))
                if outcomes[-1].wrong and not await self._is_there(outbound):
                    break
            outcomes[0] = self._timed(outcomes[0], outbound.slowest)
        return outcomes

    async def _play(
        self, scenario: CoreScenario, outbound: Overheard
    ) -> ScenarioOutcome:
        async def play(stage: CoreStage) -> None:
            began = datetime.now(UTC)
            try:
                await scenario.play(stage)
            except Silent as why:
                stage.must(False, self._silence(why))  # noqa: FBT003 - it is none
            finally:
                await stage.take_back()
                self.left += stage.left
                await self._compare(stage, began)

        stage = self._stage(outbound)
        outcome = await played(dataclasses.replace(scenario, play=play), stage)
        told = tuple(dict.fromkeys(stage.should))
        return dataclasses.replace(outcome, should=told)

    async def _compare(self, stage: CoreStage, since: datetime) -> None:
        if not self._has_ledger or stage.is_silent:
            return
        try:
            compare(stage, await entries_of(stage.ledger, since))
        except NoLedger as error:
            stage.must(False, str(error))  # noqa: FBT003 - it was there before

    async def _reads_ledger(self, outbound: Overheard) -> bool:
        try:
            await entries_of(self._stage(outbound).ledger, datetime.now(UTC))
        except NoLedger:
            return False
        return True

    async def _is_there(self, outbound: Overheard) -> bool:
        """Ask once more after something went wrong, so that not all of it is waited."""
        stage = self._stage(outbound)
        try:
            await stage.ask(Operation.ROLLBACK, self.samples.attempt())
        except Silent:
            return False
        return True

    def _stage(self, outbound: Overheard) -> CoreStage:
        tls = trusting(self.authority) if self.authority else None
        return CoreStage(
            outbound=outbound,
            core=HttpCore(
                outbound,
                base_url=self.base_url,
                token=self.token,
                timeout=self.timeout,
                authority=self.authority,
            ),
            ledger=CoreLedger(
                lane=outbound.lane(1, tls=tls, body_max=PAGE_BYTES_MAX),
                base_url=self.base_url,
                token=self.token,
                timeout=self.timeout,
            ),
            lane=outbound.lane(1, tls=tls),
            base_url=self.base_url,
            token=self.token,
            seconds=self.timeout.total_seconds(),
            samples=self.samples,
        )

    def _silence(self, why: Silent) -> str:
        limit = f"{self.timeout.total_seconds():g} s"
        return (
            f"core does not answer: {why}. See whether it runs at {self.base_url}, and "
            f"answers within {limit}"
        )

    def _timed(self, first: ScenarioOutcome, slowest: float) -> ScenarioOutcome:
        """Tell of a core that is slow, if there is nothing else."""
        seconds = self.timeout.total_seconds()
        if slowest < seconds * SLOW_SHARE:
            return first
        slow = f"an answer took {slowest:.1f} s, and later than {seconds:g} s is none"
        return dataclasses.replace(first, should=(*first.should, slow))


def _holds_nothing(outcomes: Sequence[ScenarioOutcome]) -> bool:
    """Tell whether it is known already that no hold is had, so that all would fail."""
    return any(each.wrong for each in outcomes if each.scenario.name == FIRST_HOLD)
