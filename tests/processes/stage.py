"""What the tests of real processes have in common: a fleet, a load, and the oracle."""

import asyncio
import re
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass

from payment_service.playground.embedded.postgres import FAST
from tests.chaos.books import at_rest, judge, orders_of
from tests.chaos.fleet import (
    NOT_IDEMPOTENT,
    PROVIDER_NAMES,
    Fleet,
    Layout,
    started,
)
from tests.chaos.load import HTTP_SHARE, QUICK, Desk, Load
from tests.playground.embedded.processes import memory_folder

REST_SECONDS_MAX = 45.0
# What two loaded cores may add to an order that nothing else holds up; where others
# load them too, as much more as naps here take too long: the longest once, and the mean
# for each of the processes and steps that an order goes through.
SLACK_SECONDS = 2.0
NAP_SECONDS = 0.1
STEPS = 20
# Where a create may not be repeated, one whose sender has died takes a person.
IDEMPOTENT = sorted({*PROVIDER_NAMES} - NOT_IDEMPOTENT)
REDELIVERED = re.compile(r'"deliveries":(?!1,)\d+')


@dataclass
class Stage:
    """A fleet under load, one phase after the other, judged at the end of the last."""

    fleet: Fleet
    load: Load

    @asynccontextmanager
    async def sending(self):
        """Send while the block does harm; leave it once all orders are at rest.

        The phase it gives knows afterwards how much too late its orders were.
        """
        phase = Phase()
        first = len(self.load.by_id)
        task = asyncio.create_task(self.load.run())
        watching = asyncio.create_task(phase.watch())
        try:
            yield phase
            self.load.enough()
            async with asyncio.timeout(REST_SECONDS_MAX):
                await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        count = len(self.load.by_id)
        assert await at_rest(self.fleet, orders=count, seconds=REST_SECONDS_MAX)
        watching.cancel()
        phase.late_seconds = await self._late(first)

    async def accepted(self, more):
        """Wait until so many more orders have been accepted."""
        wanted = len(self.load.answered) + more
        async with asyncio.timeout(REST_SECONDS_MAX):
            while len(self.load.answered) < wanted:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.02)

    async def judged(self):
        """Have every book read; whatever is wrong fails the test."""
        verdict = await judge(self.fleet, self.load.sent)
        assert verdict.wrong == []
        assert verdict.completed + verdict.failed == len(self.load.sent)
        return verdict

    async def _late(self, first):
        """Return by how much any order took longer than its providers."""
        sent = {each.order_id: each for each in self.load.sent[first:]}
        return max(
            order.seconds - sent[order.order_id].own_seconds
            for order in await orders_of(self.fleet)
            if order.order_id in sent
        )


@dataclass
class Phase:
    """The orders that were sent during one block."""

    late_seconds: float = float("inf")
    busy_seconds: float = 0.0

    @property
    def slack_seconds(self):
        return SLACK_SECONDS + self.busy_seconds

    async def watch(self):
        """Have more slack where the machine lets naps take too long."""
        late = []
        while True:
            began = time.monotonic()
            await asyncio.sleep(NAP_SECONDS)
            late.append(time.monotonic() - began - NAP_SECONDS)
            self.busy_seconds = max(late) + STEPS * sum(late) / len(late)


@asynccontextmanager
async def staged(*, rate=20.0, ways=QUICK, http_share=HTTP_SHARE, **changes):
    """Start a fleet on servers that may lose a power cut; a desk decides checks."""
    few = {"apis": 0, "relays": 0, "sweepers": 0, "servants": 1, "proxied": ()}
    here = {"postgres": FAST, "within": memory_folder(), "forked": True}
    layout = Layout(**{**few, **here, **changes})
    async with started(layout) as fleet:
        load = Load(fleet, rate=rate, ways=ways, attempts=3, providers=IDEMPOTENT)
        load.http_share = http_share
        desk = asyncio.create_task(Desk(fleet, load).run())
        try:
            yield Stage(fleet, load)
        finally:
            desk.cancel()
            await asyncio.gather(desk, return_exceptions=True)


def seconds(stage, setting):
    """Return a duration among the settings of the fleet."""
    return stage.fleet.layout.seconds(setting)


def log_of(process):
    """Return all that a process has logged."""
    return process.program.log.read_text()


def redelivered(process):
    """Return the log lines about messages that had been delivered before."""
    return [line for line in log_of(process).splitlines() if REDELIVERED.search(line)]
