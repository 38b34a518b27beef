"""Without JetStream's schedules nothing but time is lost."""

from ops.chaos.load import SWIFT
from tests.processes.stage import SLACK_SECONDS, log_of, seconds, staged

RINGS = 8
"""How often an order of three attempts may have to wait for the sweeper."""


async def test_the_sweeper_rings_where_schedules_are_off():
    off = {"PAYMENT_SCHEDULES": "off"}
    async with staged(workers=2, settings=off, ways=SWIFT) as stage:
        async with stage.sending(orders=40) as phase:
            await stage.accepted(40)

        assert "sweep.rang" in log_of(stage.fleet.service["servant-1"])
        await stage.judged()
    sweep = seconds(stage, "SWEEP_INTERVAL") + seconds(stage, "SWEEP_GRACE")
    assert phase.late_seconds < RINGS * sweep + SLACK_SECONDS
