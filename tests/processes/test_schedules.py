"""Without JetStream's schedules nothing but time is lost."""

import pytest

from tests.chaos.load import SWIFT
from tests.chaos.sent import Way
from tests.processes.stage import log_of, seconds, staged

pytestmark = pytest.mark.waits

REDRIVES = 8
"""How often an order of three attempts may have to wait for the sweeper."""

OFF = {
    "PAYMENT_SCHEDULES": "off",
    "PAYMENT_SWEEP_INTERVAL": "500ms",
    "PAYMENT_SWEEP_GRACE": "1s",
}
# Those for whom a timer has to ring: an SLA that passes, a poll, a recheck.
TIMED = (*SWIFT, Way("silence_succeed", 3, 5), Way("silence_fail", 3, 5))


async def test_the_sweeper_rings_where_schedules_are_off():
    async with staged(workers=1, settings=OFF, ways=TIMED) as stage:
        async with stage.sending() as phase:
            await stage.accepted(40)

        assert "sweep.rang" in log_of(stage.fleet.service["servant-1"])
        await stage.judged()
        sweep = seconds(stage, "SWEEP_INTERVAL") + seconds(stage, "SWEEP_GRACE")
        assert phase.late_seconds < REDRIVES * sweep + phase.slack_seconds
