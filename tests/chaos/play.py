"""Plays a run: load, faults by turns, healing until rest, and then the verdict."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.chaos.books import Verdict, at_rest, judge
from tests.chaos.checkouts import SHARE
from tests.chaos.faults import Evidence, Fault
from tests.chaos.fleet import Fleet, Layout, started
from tests.chaos.load import MIXED, Desk, Load
from tests.chaos.sent import Sent, Way

CALM_SECONDS: Final = 3.0
BETWEEN_SECONDS: Final = (1.0, 5.0)
REST_SECONDS_MAX: Final = 150.0
WATCH_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A fault that was injected, from when to when, and what proves it."""

    fault: str
    began_at: float
    healed_at: float
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What to play; the same seed gives the same orders and the same deck."""

    faults: Sequence[Fault]
    seconds: float
    seed: int = 7
    rate: float = 12.0
    ways: Sequence[Way] = MIXED
    layout: Layout = field(default_factory=Layout)


@dataclass(slots=True, kw_only=True)
class Played:
    """What a run left behind for the report."""

    script: Script
    incidents: Sequence[Incident]
    restarts: Sequence[str]
    sent: Sequence[Sent]
    verdict: Verdict
    rest_seconds: float
    folder: str


Say = Callable[[str], None]


async def play(script: Script, say: Say) -> Played:
    """Play it; the folder with logs and books stays where anything is wrong."""
    say("Starting PostgreSQL, NATS, core, the providers and the service …")
    async with started(script.layout) as fleet:
        say(f"Everything is up; logs are in {fleet.logs}")
        load = Load(
            fleet,
            rate=script.rate,
            seed=script.seed,
            ways=script.ways,
            checkout_share=SHARE if script.layout.checkouts else 0,
        )
        admission_control, desk = AdmissionControl(fleet, say), Desk(fleet, load)
        helpers = [asyncio.create_task(x.run()) for x in (admission_control, desk)]
        sending = asyncio.create_task(load.run(seconds=script.seconds))
        try:
            incidents = await _break_things(fleet, script, say)
            await sending
            say(f"{len(load.sent)} orders are accepted; waiting for rest …")
            began = time.monotonic()
            await at_rest(fleet, orders=len(load.sent), seconds=REST_SECONDS_MAX)
            rest_seconds = time.monotonic() - began
        finally:
            for task in (sending, *helpers):
                task.cancel()
            await asyncio.gather(sending, *helpers, return_exceptions=True)
        verdict = await judge(fleet, load.sent)
        fleet.keep = bool(verdict.wrong)
    return Played(
        script=script,
        incidents=incidents,
        restarts=admission_control.restarts,
        sent=load.sent,
        verdict=verdict,
        rest_seconds=rest_seconds,
        folder=str(fleet.logs),
    )


async def _break_things(fleet: Fleet, script: Script, say: Say) -> list[Incident]:
    chance = random.Random(script.seed)
    until = time.monotonic() + script.seconds
    incidents: list[Incident] = []
    await asyncio.sleep(CALM_SECONDS)
    for fault in _deck(script.faults, chance):
        lasts = chance.uniform(*fault.lasts)
        if time.monotonic() + lasts > until:
            break
        incidents.append(await inflict(fault, fleet, chance, lasts))
        happened = "; ".join(incidents[-1].evidence.notes) or "NOTHING HAPPENED"
        say(f"{fault.name}, {lasts:.1f} s: {happened}")
        await asyncio.sleep(chance.uniform(*BETWEEN_SECONDS))
    return incidents


def _deck(faults: Sequence[Fault], chance: random.Random) -> Iterator[Fault]:
    """Give every fault once, in some order, before any comes again."""
    while faults:
        deck = list(faults)
        chance.shuffle(deck)
        yield from deck


async def inflict(
    fault: Fault, fleet: Fleet, chance: random.Random, seconds: float
) -> Incident:
    """Have a fault in force for so long, then mend it."""
    evidence = Evidence()
    began_at = time.time()
    async with fault.inject(fleet, chance, evidence):
        await asyncio.sleep(seconds)
    return Incident(
        fault=fault.name,
        began_at=began_at,
        healed_at=time.time(),
        evidence=evidence,
    )


class AdmissionControl:
    """Starts again what has ended by itself, as an orchestrator would."""

    def __init__(self, fleet: Fleet, say: Say) -> None:
        self.restarts: list[str] = []
        self._fleet = fleet
        self._say = say

    async def run(self) -> None:
        """Keep the processes running until cancelled."""
        while True:
            for process in self._fleet.service.values():
                if not process.running and not process.held:
                    self.restarts.append(process.name)
                    self._say(f"{process.name} has ended by itself: started again")
                    process.launch()
            await asyncio.sleep(WATCH_SECONDS)
