"""Webhooks: how many one API process verifies, stores and acknowledges a second."""

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, cast

import orjson
import psycopg

from ops.bench import results, seeding
from ops.bench.measure import Meter, between, pids_of
from ops.bench.mocks import HOST
from ops.bench.rounds import percentile
from ops.bench.targets import Figure
from ops.bench.world import API, Stage, World, serving, staged

AT_LEAST: Final = 1500
PACE: Final = AT_LEAST / 2
P99_MILLISECONDS_MAX: Final = 50
WARM_UP: Final = 500
FAR: Final = 6 * 3600.0
END_OF_HEADERS: Final = b"\r\n\r\n"
LENGTH: Final = b"content-length: "
STORED: Final = b"202"
LOST: Final = b"nothing"


def signed(secret: str, task_id: str, event_id: str) -> bytes:
    """Return a whole HTTP request, signed by the scheme `standard`."""
    body = orjson.dumps(
        {
            "id": event_id,
            "type": "payout.accepted",
            "reference": task_id,
            "provider_reference": "r-1",
            "amount": 12_550,
            "currency": "EUR",
        }
    )
    key = base64.b64decode(secret.removeprefix("whsec_"))
    at = str(int(time.time()))
    content = f"{event_id}.{at}.".encode() + body
    mac = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    head = (
        f"POST /webhooks/slow HTTP/1.1\r\nHost: {HOST}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"webhook-id: {event_id}\r\nwebhook-timestamp: {at}\r\n"
        f"webhook-signature: v1,{mac}\r\n\r\n"
    )
    return head.encode() + body


@dataclass(slots=True)
class Sender(asyncio.Protocol):
    """One connection that is kept: a request, its answer, the next request."""

    free: asyncio.Queue["Sender"]
    statuses: list[bytes]
    latencies: list[float]
    transport: asyncio.Transport | None = None
    received: bytes = b""
    due_at: float = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready for a request."""
        # Those of uvloop are no subclass.
        self.transport = cast("asyncio.Transport", transport)
        self.free.put_nowait(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count what was not answered, so that nobody waits for it."""
        del exc
        if self.due_at:
            self.statuses.append(LOST)

    def send(self, request: bytes, due_at: float) -> None:
        """Send it; its time runs from when it was due."""
        self.due_at = due_at
        if self.transport is not None:
            self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Note a whole answer and be free again."""
        self.received += data
        end = self.received.find(END_OF_HEADERS)
        if end < 0:
            return
        head = self.received[:end].lower()
        at = head.find(LENGTH)
        length = int(head[at + len(LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self.received) < end + len(END_OF_HEADERS) + length:
            return
        self.statuses.append(self.received[9:12])
        self.latencies.append(time.perf_counter() - self.due_at)
        self.received, self.due_at = b"", 0.0
        self.free.put_nowait(self)


@dataclass(slots=True)
class Senders:
    """So many connections to the API."""

    free: asyncio.Queue[Sender] = field(default_factory=asyncio.Queue)
    statuses: list[bytes] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    every: list[Sender] = field(default_factory=list)

    async def open(self, port: int, connections: int) -> None:
        """Connect."""
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            _, sender = await loop.create_connection(self._sender, HOST, port)
            self.every.append(sender)

    def _sender(self) -> Sender:
        return Sender(self.free, self.statuses, self.latencies)

    def close(self) -> None:
        """Disconnect."""
        for sender in self.every:
            if sender.transport is not None:
                sender.transport.close()

    async def send(self, requests: Sequence[bytes], pace: float | None) -> float:
        """Send all, as fast as they are answered or at a pace; return the seconds."""
        self.statuses.clear()
        self.latencies.clear()
        began = time.perf_counter()
        for n, request in enumerate(requests):
            due_at = began + n / pace if pace else 0.0
            if pace and (ahead := due_at - time.perf_counter()) > 0:
                await asyncio.sleep(ahead)
            sender = await self.free.get()
            sender.send(request, due_at or time.perf_counter())
        while len(self.statuses) < len(requests):  # noqa: ASYNC110 - no wake-up each
            await asyncio.sleep(0.001)
        seconds = time.perf_counter() - began
        refused = [status for status in self.statuses if status != STORED]
        if refused:
            raise RuntimeError(f"{len(refused)} webhooks were answered {refused[0]!r}")
        return seconds


async def measure(world: World, *, webhooks: int, connections: int) -> None:
    """Measure one API process alone: what comes after the 202 is the workers'."""
    async with staged(world) as stage, serving(stage, (API,)) as cluster:
        seeding.rows(
            stage, webhooks, first=seeding.soon(FAR), spread=timedelta(hours=1)
        )
        seeding.tidy(stage)
        senders = Senders()
        await senders.open(stage.api_port, connections)
        made = _requests(stage)
        await senders.send([next(made) for _ in range(WARM_UP)], None)
        meter = Meter(world, stage.database_url, pids_of(cluster))
        before = meter.read()
        seconds = await senders.send([next(made) for _ in range(webhooks)], None)
        cost = between(before, meter.read())
        rate = webhooks / seconds
        most = senders.latencies.copy()
        await senders.send([next(made) for _ in range(webhooks // 2)], PACE)
        paced = senders.latencies.copy()
        senders.close()
        kept = _kept(stage)
    sent = WARM_UP + webhooks + webhooks // 2
    per = cost.per(webhooks)
    figures = [
        Figure("webhooks acknowledged", rate, "/s", at_least=AT_LEAST),
        Figure(f"p99 with {connections} at once", percentile(most, 0.99) * 1000, "ms"),
        Figure(f"p50 at {PACE:.0f}/s", percentile(paced, 0.5) * 1000, "ms"),
        Figure(
            f"p99 at {PACE:.0f}/s",
            percentile(paced, 0.99) * 1000,
            "ms",
            at_most=P99_MILLISECONDS_MAX,
        ),
        Figure("acknowledged and not stored", sent - kept, "", at_most=0),
        Figure("CPU of the API, each", per["cpu_milliseconds_api"], "ms"),
        Figure("commits, each", per["commits"], ""),
    ]
    results.keep("webhooks", figures, {}, mocks=world.mocks.made_by)


def _requests(stage: Stage) -> Iterator[bytes]:
    with psycopg.connect(stage.database_url) as connection:
        found = connection.execute("SELECT task_id::text FROM order_tasks").fetchall()
    n = 0
    while True:
        for (task_id,) in found:
            n += 1
            yield signed(stage.world.webhook_secret, task_id, f"evt_{n:08d}")


def _kept(stage: Stage) -> int:
    with psycopg.connect(stage.database_url) as connection:
        row = connection.execute("SELECT count(*) FROM webhook_inbox").fetchone()
    return int(row[0]) if row else 0
