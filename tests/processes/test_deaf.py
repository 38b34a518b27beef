"""A process that hears nothing any more, and does not know, ends itself."""

import asyncio
import time

import pytest

from payment_service.bus import PullTimes
from tests.chaos.fleet import NATS
from tests.chaos.load import SWIFT
from tests.chaos.proxy import SILENT
from tests.processes.stage import (
    REST_SECONDS_MAX,
    log_of,
    seconds,
    staged,
)

pytestmark = pytest.mark.waits

QUICK = {
    "PAYMENT_ACK_WAIT": "2s",
    "PAYMENT_CORE_TIMEOUT": "1s",
    "PAYMENT_NATS_SILENCE": "12s",
}
STOP_SECONDS_MAX = 10.0
"""What a process may take from giving up to its end."""


async def test_a_process_ends_itself_where_nats_stays_silent():
    fleet = {"workers": 1, "servants": 0, "all_in_one": 1, "settings": QUICK}
    async with staged(**fleet, ways=SWIFT) as stage:
        proxy = stage.fleet.proxies[NATS]
        deaf = stage.fleet.add(
            "deaf-1", "worker", PAYMENT_NATS_URL=f"nats://{proxy.address}"
        )
        await deaf.start()
        proxy.poison(SILENT)
        ending = asyncio.create_task(_seconds_to_end(deaf))
        async with stage.sending() as rest:
            await stage.accepted(60)

        limit = seconds(stage, "NATS_SILENCE") + STOP_SECONDS_MAX
        assert await ending < limit
        assert "NATS has been silent" in log_of(deaf)
        # Any replica takes any step, whatever other roles it has.
        for name in ("worker-1", "all-1"):
            assert "message.handled" in log_of(stage.fleet.service[name])
        await stage.judged()
        # Until its request for messages expires it is still given its share of them.
        deaf_for = PullTimes().expires_seconds + seconds(stage, "ACK_WAIT")
        assert rest.late_seconds < deaf_for + rest.slack_seconds


async def _seconds_to_end(process):
    began = time.monotonic()
    assert await process.ends(REST_SECONDS_MAX) == 1
    return time.monotonic() - began
