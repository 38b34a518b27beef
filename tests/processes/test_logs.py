"""No line of a real process's log grows with what a stranger has written."""

import orjson
import pytest

from tests.bus.raw import block, raw
from tests.chaos.load import SWIFT
from tests.processes.stage import log_of, staged

pytestmark = pytest.mark.waits

MEGABYTE = 900_000
LINE_MAX = 16_000
LONG = b"n" * MEGABYTE
SUBJECTS = (
    "withdrawal.requested",
    "withdrawal.cancel.requested",
    "order.task.step.due",
    "order.task.webhook.received",
    "order.queue.cancel.requested",
)
FIELDS = ("order_id", "task_id", "queue_id", "provider", "event_id", "reason", "body")
HEADERS = ("traceparent", "X-Reply-To", "X-Forwarder", "Nats-Msg-Id", "X-Odd")


@pytest.mark.attack(
    "requests", "A megabyte in any field, header or subject makes no long line of log"
)
async def test_a_megabyte_in_any_field_makes_no_long_line():
    async with staged(workers=1, ways=SWIFT) as stage:
        async with stage.sending():
            await _say_it_all(stage.fleet.nats.url)
            await stage.accepted(20)
        logs = [log_of(process) for process in stage.fleet.service.values()]
        await stage.judged()

    lines = [line for log in logs for line in log.splitlines()]
    assert sum("message.not_handled" in line for line in lines) > len(SUBJECTS)
    assert max(map(len, lines)) < LINE_MAX


async def _say_it_all(url):
    text = LONG.decode()
    async with raw(url) as speaker:
        for subject in SUBJECTS:
            for field in FIELDS:
                await speaker.publish(subject.encode(), orjson.dumps({field: text}))
        for name in HEADERS:
            # The server takes no more than 64 KiB of subject or line of its own.
            head = block(f"{name}: ".encode() + LONG)
            await speaker.publish(b"order.task.step.due", b"{}", headers=head)
        await speaker.publish(b"order.task." + b"s" * 3_000 + b".due")
