"""Plays scenarios: each with an adapter, a counterpart and connections of its own."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from providers.config import Config, ConfigError
from providers.http.outbound import Outbound
from providers.registry import build_providers
from providers.rest.statement import statement_of
from providers.testing.conformance.doubles import double_of
from providers.testing.conformance.fake_server import Counterpart
from providers.testing.conformance.harness import PUBLIC_URL, NotHere, Stage
from providers.testing.conformance.made_up_secrets import Rehearsal, rehearsed
from providers.testing.conformance.scenario import Scenario
from providers.testing.conformance.token_desk import TokenDesk
from providers.testing.conformance.vocabulary import Double, Stepping

AT_ONCE: Final = 4
DECLARED: Final = frozenset({"rest", "simulator"})


class ToldScenario(Protocol):
    """A scenario as it is told of, of whichever kit."""

    @property
    def name(self) -> str: ...
    @property
    def proves(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioOutcome:
    """What one scenario found; ``should`` is what would be better, and no fault."""

    scenario: ToldScenario
    cases: int
    seconds: float
    wrong: tuple[str, ...] = ()
    should: tuple[str, ...] = ()
    not_here: str | None = None


class FoundOnStage(Protocol):
    """What every kit's stage gathers while a scenario is played on it."""

    cases: int
    wrong: list[str]


StageT = TypeVar("StageT", bound=FoundOnStage)
StageT_contra = TypeVar("StageT_contra", contravariant=True)


class PlayedScenario(ToldScenario, Protocol[StageT_contra]):
    """A scenario of any kit, as it is played on its stage."""

    @property
    def play(self) -> Callable[[StageT_contra], Awaitable[None]]: ...


async def played(scenario: PlayedScenario[StageT], stage: StageT) -> ScenarioOutcome:
    """Play one scenario of any kit, and return what it found."""
    began, not_here = time.monotonic(), None
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


@dataclass(frozen=True, slots=True)
class Candidate:
    """A table as it stands in the file, to be checked; with a double of one's own."""

    name: str
    raw: Mapping[str, Any]
    double: Double | None = None

    async def play(self, scenario: Scenario) -> ScenarioOutcome:
        """Play one scenario.

        :raises ConfigError: the table is refused, or its adapter cannot be used.
        :raises NoDouble: nobody knows how the provider speaks.
        """
        async with (
            Counterpart() as counterpart,
            Counterpart() as tokens,
            Outbound() as outbound,
        ):
            rehearsal = rehearsed(
                self.name,
                self.raw,
                url=counterpart.url,
                token_url=f"{tokens.url}/token",
                timeout=scenario.timeout,
            )
            stage = self._stage(rehearsal, counterpart, outbound)
            if (auth := rehearsal.table.auth) is not None and auth.oauth2 is not None:
                stage.desk = TokenDesk(auth.oauth2)
                tokens.receive_by(stage.desk.manner)
            return await played(scenario, stage)

    async def play_all(self, scenarios: Sequence[Scenario]) -> list[ScenarioOutcome]:
        """Play them all, a few at a time; as :meth:`play`."""
        free = asyncio.Semaphore(AT_ONCE)

        async def play(scenario: Scenario) -> ScenarioOutcome:
            async with free:
                return await self.play(scenario)

        return list(await asyncio.gather(*map(play, scenarios)))

    def _stage(
        self, rehearsal: Rehearsal, counterpart: Counterpart, outbound: Outbound
    ) -> Stage:
        table = rehearsal.table
        config = Config(providers={self.name: table})
        provider = build_providers(config, outbound, public_url=PUBLIC_URL).get(
            self.name
        )
        if provider is None:
            raise ConfigError([f"[providers.{self.name}]: is not there"])
        double = self.double or double_of(table)
        if table.create and table.create.before and isinstance(double, Stepping):
            counterpart.step = double.step
        return Stage(
            rehearsal=rehearsal,
            provider=provider,
            double=double,
            counterpart=counterpart,
            outbound=outbound,
            statement=statement_of(table, outbound)
            if table.adapter in DECLARED
            else None,
        )
