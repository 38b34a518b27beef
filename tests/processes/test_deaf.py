"""A process that hears nothing any more, and does not know, ends itself."""

import time

from ops.chaos.fleet import NATS
from ops.chaos.load import SWIFT
from ops.chaos.proxy import SILENT
from payment_service.bus import PullTimes
from tests.processes.stage import SLACK_SECONDS, log_of, seconds, staged

GIVES_UP_SECONDS = 60.0
"""How long NATS may be silent before a process ends itself."""


async def test_a_process_ends_itself_where_nats_stays_silent():
    async with staged(workers=1, servants=0, all_in_one=1, ways=SWIFT) as stage:
        proxy = stage.fleet.proxies[NATS]
        deaf = stage.fleet.add(
            "deaf-1", "worker", PAYMENT_NATS_URL=f"nats://{proxy.address}"
        )
        await deaf.start()
        proxy.poison(SILENT)
        began = time.monotonic()
        async with stage.sending() as rest:
            await stage.accepted(60)

        assert await deaf.ends(1.5 * GIVES_UP_SECONDS) == 1
        ended_after = time.monotonic() - began

        assert "NATS has been silent" in log_of(deaf)
        # Any replica takes any step, whatever other roles it has.
        for name in ("worker-1", "all-1"):
            assert "message.handled" in log_of(stage.fleet.service[name])
        await stage.judged()
        assert ended_after < 1.25 * GIVES_UP_SECONDS
        # Until its request for messages expires it is still given its share of them.
        deaf_for = PullTimes().expires_seconds + seconds(stage, "ACK_WAIT")
        assert rest.late_seconds < deaf_for + SLACK_SECONDS
