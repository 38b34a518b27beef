"""One tree's side of a comparison: orders through a running service, a line at a time.

Run by `ops.bench.pairs` with the interpreter of the tree that is measured and in it,
so that everything below is that tree's own. It says ``ready`` once its service is warm,
then a line of JSON for each line that it reads, and ends with its input.
"""

import json
import sys
from typing import TextIO

import uvloop

from ops.bench.load import UNIT, Load
from ops.bench.measure import Meter, between, pids_of
from ops.bench.throughput import WARM_UP
from ops.bench.world import World, connected, opened, serving, split, staged

READY = "ready"


async def take_turns(world: World, asked: TextIO) -> None:
    """Send so many orders for each line ``{"orders", "in_flight"}``; say their cost."""
    async with staged(world) as stage, serving(stage, split(1)) as cluster:
        wire = await connected(stage)
        load = Load(wire, stage)
        await load.open()
        await load.closed(WARM_UP, WARM_UP)
        meter = Meter(world, stage.database_url, pids_of(cluster))
        print(READY, flush=True)
        while line := asked.readline():
            wanted = json.loads(line)
            before = meter.read()
            await load.closed(wanted["orders"], wanted["in_flight"], UNIT)
            cost = between(before, meter.read()).per(wanted["orders"])
            print(json.dumps(dict(cost)), flush=True)
        await wire.close()


if __name__ == "__main__":
    with opened() as here:
        uvloop.run(take_turns(here, sys.stdin))
