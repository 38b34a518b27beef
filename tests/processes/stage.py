"""What the tests of real processes have in common: a fleet, a load, and the oracle."""

import asyncio
import re
from contextlib import asynccontextmanager

from ops.chaos.books import at_rest, judge
from ops.chaos.fleet import Layout, started
from ops.chaos.load import QUICK, Desk, Load
from payment_service.embedded.postgres import FAST
from tests.embedded.processes import memory_folder

REST_SECONDS_MAX = 45.0
# What two loaded cores may add to anything, and an order takes where nothing is wrong.
SLACK_SECONDS = 2.0
REDELIVERED = re.compile(r'"deliveries":(?!1,)\d+')


def layout(**changes):
    """Return a fleet without proxies, on servers that may lose a power cut."""
    defaults = {"proxied": (), "postgres": FAST, "within": memory_folder()}
    return Layout(**{**defaults, **changes})


@asynccontextmanager
async def under_load(wanted, *, orders, rate=15.0, ways=QUICK, seed=7):
    """Start a fleet and send orders beside the test; a desk decides checks."""
    async with started(wanted) as fleet:
        load = Load(fleet, rate=rate, seed=seed, ways=ways)
        tasks = [
            asyncio.create_task(load.run(orders=orders)),
            asyncio.create_task(Desk(fleet, load).run()),
        ]
        try:
            yield fleet, load, tasks[0]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def judged(fleet, load, sending):
    """Wait for rest and have every book read; whatever is wrong fails the test."""
    async with asyncio.timeout(REST_SECONDS_MAX):
        await sending
    orders = len(load.sent)
    rested = await at_rest(fleet, orders=orders, seconds=REST_SECONDS_MAX)
    verdict = await judge(fleet, load.sent)
    assert verdict.wrong == []
    assert rested
    assert verdict.completed + verdict.failed == orders
    return verdict


async def until_accepted(load, orders):
    """Wait until so many orders have been accepted."""
    async with asyncio.timeout(REST_SECONDS_MAX):
        while len(load.answered) < orders:
            await asyncio.sleep(0.02)


def slowest(verdict, load):
    """Return how long any order took beyond its providers' own times."""
    return max(o.seconds - load.by_id[o.order_id].own_seconds for o in verdict.orders)


def redelivered(process):
    """Return the log lines about messages that had been delivered before."""
    lines = process.program.log.read_text().splitlines()
    return [line for line in lines if REDELIVERED.search(line)]
