"""Plays the scenarios of a partner, each with a counterpart of its own."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeAlias, cast

from fsm.domain.durations import format_duration
from handlers.ports.partners import Partner
from providers.config import Config, ConfigError
from providers.config.file import config_of
from providers.config.partners import PartnerTable
from providers.http.outbound import Outbound
from providers.registry import build_partners, partner_adapter_named
from providers.testing.conformance.doubles import double_in
from providers.testing.conformance.fake_server import Counterpart
from providers.testing.conformance.made_up_secrets import ACK_WAIT, MadeUp, moved
from providers.testing.conformance.partners import declared, files, scenarios
from providers.testing.conformance.partners.stage import PartnerRehearsal, PartnerStage
from providers.testing.conformance.partners.words import MakingDouble, PartnerDouble
from providers.testing.conformance.runner import AT_ONCE, ScenarioOutcome, played
from providers.testing.conformance.scenario import StagedScenario

FILE_BYTES: Final = 256 * 1024
OURS: Final[Mapping[str, str]] = {"rest": declared.__name__}
PartnerScenario: TypeAlias = StagedScenario[PartnerStage]
PARTNER_SCENARIOS: Final[tuple[PartnerScenario, ...]] = (
    *scenarios.SCENES.all,
    *files.SCENES.all,
)


@dataclass(frozen=True, slots=True)
class PartnerCandidate:
    """A table as it stands in the file, to be checked; with a double of one's own."""

    name: str
    raw: Mapping[str, Any]
    double: PartnerDouble | None = None

    async def play(self, scenario: PartnerScenario) -> ScenarioOutcome:
        """Play one scenario.

        :raises ConfigError: the table is refused, or its adapter cannot be used.
        :raises NoDouble: nobody knows how the partner speaks.
        """
        async with Counterpart() as counterpart, Outbound() as outbound:
            rehearsal = rehearsed(
                self.name, self.raw, url=counterpart.url, timeout=scenario.timeout
            )
            table = rehearsal.table

            def built(changed: PartnerTable) -> Partner:
                return self._built(changed, outbound)

            stage = PartnerStage(
                rehearsal=rehearsal,
                table=table,
                partner=built(table),
                double=self.double or double_of(table),
                counterpart=counterpart,
                outbound=outbound,
                rebuilt=built,
            )
            return await played(scenario, stage)

    async def play_all(
        self, chosen: Sequence[PartnerScenario]
    ) -> list[ScenarioOutcome]:
        """Play them all, a few at a time; as :meth:`play`."""
        free = asyncio.Semaphore(AT_ONCE)

        async def play(scenario: PartnerScenario) -> ScenarioOutcome:
            async with free:
                return await self.play(scenario)

        return list(await asyncio.gather(*map(play, chosen)))

    def _built(self, table: PartnerTable, outbound: Outbound) -> Partner:
        made = build_partners(Config(partners={self.name: table}), outbound)
        partner = made.get(self.name)
        if partner is None:
            raise ConfigError([f"[partners.{self.name}]: is not there"])
        return partner


def rehearsed(
    name: str, raw: Mapping[str, Any], *, url: str, timeout: timedelta
) -> PartnerRehearsal:
    """Read a table as the service would, but for where it leads and what it knows.

    :raises ConfigError: the table is refused.
    """
    environment, limit = MadeUp(), format_duration(timeout)
    changed = moved(raw, url) | {"timeout": limit}
    if isinstance(file := changed.get("file"), dict):
        changed["file"] = file | {"timeout": limit, "bytes_max": FILE_BYTES}
    config = config_of(
        {"partners": {name: changed}}, ack_wait=ACK_WAIT, environment=environment
    )
    table = config.partners[name]
    if table.file is not None:
        every_time = table.file.model_copy(update={"fresh": timedelta(0)})
        table = table.model_copy(update={"file": every_time})
    return PartnerRehearsal(table=table, canaries=tuple(environment.values()))


def double_of(table: PartnerTable) -> PartnerDouble:
    """Make the double of a table's adapter.

    :raises NoDouble: there is none.
    """
    found = double_in(table.adapter, OURS, partner_adapter_named)
    return cast("MakingDouble", found)(table)
