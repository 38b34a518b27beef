"""Any replica takes any step; what one role does not do, another one does."""

from ops.chaos.load import MIXED
from tests.processes.stage import (
    SLACK_SECONDS,
    judged,
    layout,
    slowest,
    under_load,
)


async def test_any_replica_takes_any_step():
    wanted = layout(workers=1, apis=1, relays=0, sweepers=0, all_in_one=2)
    async with under_load(wanted, orders=60, ways=MIXED) as (fleet, load, sending):
        verdict = await judged(fleet, load, sending)

        workers = [fleet.service[name] for name in ("worker-1", "all-1", "all-2")]
        for worker in workers:
            assert "message.handled" in worker.program.log.read_text()
    assert slowest(verdict, load) < SLACK_SECONDS


async def test_the_sweeper_rings_where_schedules_are_off():
    wanted = layout(workers=2, settings={"PAYMENT_SCHEDULES": "off"})
    async with under_load(wanted, orders=60, ways=MIXED) as (fleet, load, sending):
        verdict = await judged(fleet, load, sending)

        sweeper = fleet.service["sweeper-1"].program.log.read_text()
    assert "sweep.rang" in sweeper
    assert verdict.manual_checks < 20
