"""Orders that wait for a webhook: rows by the hundred thousand, and their schedules."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Final, LiteralString

import orjson
import psycopg

from fsm.domain.messages import Message
from ops.bench.world import Stage
from payment_service import bus
from payment_service.bus import NatsClient

CHUNK: Final = 100_000
PUBLISHED_AT_ONCE: Final = 5_000
IDS: Final[LiteralString] = """
CREATE TEMP TABLE seeds ON COMMIT DROP AS
SELECT uuidv7() AS queue_id, uuidv7() AS task_id, n,
    %(first)s::timestamptz + random() * %(spread)s::interval AS wake_at
FROM generate_series(1, %(count)s) AS n
"""
QUEUES: Final[LiteralString] = """
INSERT INTO order_queues (queue_id, kind, order_id, merchant_id, customer_id, amount,
    currency, state, version, request, content_hash, signed_by, signature,
    audit_hash, created_at, updated_at)
SELECT queue_id, 'withdrawal', 'seed-' || queue_id, 'm-seed', 'c-' || n % 1000, 12550,
    'EUR', 'ACTIVE', 1,
    '{"destination": {"type": "card", "token": "tok_seed"}, "metadata": {}}',
    decode(repeat('ab', 32), 'hex'), 'none', '', decode(repeat('ab', 32), 'hex'),
    now(), now()
FROM seeds
"""
TASKS: Final[LiteralString] = """
INSERT INTO order_tasks (task_id, queue_id, position, provider, terminal_id, state,
    version, waiting_for, wake_at, watch_at, taken, sent_first_at, sent_last_at, sla_at,
    provider_reference, audit_hash, created_at, updated_at)
SELECT task_id, queue_id, 0, 'slow', 't-1', 'EXECUTING', 3, 'webhook', wake_at, wake_at,
    true, now(), now(), wake_at, 'r-1', decode(repeat('ab', 32), 'hex'), now(), now()
FROM seeds
"""
EVENTS: Final[LiteralString] = """
INSERT INTO order_task_events (entity_id, queue_id, version, source, target, trigger,
    actor, at, detail, key_id, hash)
SELECT task_id, queue_id, m.version, m.source, m.target, m.trigger, 'system',
    now(), '{}', 'none', decode(repeat('ab', 32), 'hex')
FROM seeds, (VALUES (1, NULL, 'PENDING', 'order.requested'),
    (2, 'PENDING', 'CREATING', 'freeze.confirmed'),
    (3, 'CREATING', 'EXECUTING', 'accepted')) AS m(version, source, target, trigger)
"""
WAITING: Final[LiteralString] = """
SELECT task_id::text, queue_id::text, version, wake_at FROM order_tasks
WHERE provider = 'slow' AND waiting_for = 'webhook'
"""


def rows(stage: Stage, count: int, *, first: datetime, spread: timedelta) -> None:
    """Insert so many orders that wait, their wake-ups spread over the time given."""
    left = count
    with psycopg.connect(stage.database_url) as connection:
        while left > 0:
            size = min(left, CHUNK)
            given = {"first": first, "spread": spread, "count": size}
            connection.execute(IDS, given)
            connection.execute(QUEUES)
            connection.execute(TASKS)
            connection.execute(EVENTS)
            connection.commit()
            left -= size


def tidy(stage: Stage) -> None:
    """Bring statistics and visibility up to date, as autovacuum does in time."""
    with psycopg.connect(stage.database_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


async def schedules(stage: Stage, wire: NatsClient) -> float:
    """Arm a JetStream schedule for every task that waits; return the seconds taken."""
    refused: list[str] = []
    publisher = bus.JetStreamPublisher(
        wire,
        stage.names,
        schedules=True,
        on_refused=lambda _, because, _reason: refused.append(because),
        ack_seconds_max=60.0,
    )
    await publisher.start()
    began = time.monotonic()
    async for batch in _batches(stage):
        acknowledged = await publisher.publish(batch)
        if refused or not all(acknowledged):
            raise RuntimeError(f"schedules were refused: {refused[:1]}")
    return time.monotonic() - began


async def _batches(stage: Stage) -> AsyncIterator[list[Message]]:
    connection = await psycopg.AsyncConnection.connect(stage.database_url)
    async with connection, connection.cursor("waiting") as cursor:
        await cursor.execute(WAITING)
        while found := await cursor.fetchmany(PUBLISHED_AT_ONCE):
            yield [_schedule(*row) for row in found]
            await asyncio.sleep(0)


def _schedule(task_id: str, queue_id: str, version: int, at: datetime) -> Message:
    subject = "order.task.webhook.timeout"
    body = {"task_id": task_id, "queue_id": queue_id, "version": version}
    return Message(
        subject=subject,
        body=orjson.dumps(body),
        message_id=f"{task_id}:{version}:{subject}",
        at=at,
        schedule=f"order.timer.{task_id}.{version}",
        queue_id=queue_id,
    )


def soon(seconds: float) -> datetime:
    """Return the whole second that is about so many seconds ahead."""
    return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)
