"""Publishes inventions to a whole service, with honest orders between them.

Each order must end as its providers have it, every book must agree, the processes must
live, and neither their memory nor their logs may grow with what strangers write.
"""

import asyncio
import math
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from random import Random
from typing import Any, Final, LiteralString

import nats
import psycopg
from nats.js import JetStreamContext

from payment_service.playground.embedded.postgres import FAST
from tests.chaos.books import at_rest, judge
from tests.chaos.fleet import NOT_IDEMPOTENT, PROVIDER_NAMES, Fleet, Layout, started
from tests.chaos.load import QUICK, Desk, Load
from tests.fuzz import forwarders
from tests.fuzz.calls import Caller
from tests.fuzz.forwarders import BELIEVED, CANCELLED, Row
from tests.fuzz.frames import Known, frame

RATE: Final = 6.0
BATCH: Final = 200
LOOK_EVERY: Final = 5
TOLD_EVERY: Final = 10_000
WRONG_MAX: Final = 20
WORK: Final = ("PAYMENT_REQUESTS", "ORDER_TASKS")
DRAINED_SECONDS: Final = 240.0
"""Strays are looked for once a minute, and what nobody knows is tried for a while."""

PAID_SECONDS: Final = 60.0
WAITING_MAX: Final = 2_000
REST_SECONDS: Final = 240.0
LOG_BYTES_EACH: Final = 200
"""Of all that is logged, for each invention: a line is longer than that."""

LOG_BYTES_FREE: Final = 4 * 1024 * 1024
MEMORY_GROWTH_MAX: Final = 192 * 1024 * 1024
CONSUMERS: Final = (
    ("PAYMENT_REQUESTS", "payment-requests"),
    ("ORDER_TASKS", "payment-tasks"),
    ("ORDER_TASKS", "payment-timers"),
)
ROWS: Final[LiteralString] = """
SELECT t.task_id::text, t.queue_id::text, q.order_id, t.version, t.provider, t.state,
    q.amount, q.currency, q.state <> 'ACTIVE'
FROM order_tasks t JOIN order_queues q USING (queue_id)
ORDER BY t.created_at DESC LIMIT 200
"""
PAID: Final[LiteralString] = """
SELECT task_id FROM order_tasks
WHERE state = 'SUCCEEDED' AND provider IN ('acme', 'borealis', 'cobalt') LIMIT 1
"""
LETTERS: Final[LiteralString] = """
SELECT id::text FROM dead_letters WHERE replayed_at IS NULL AND discarded_at IS NULL
ORDER BY at DESC LIMIT 50
"""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a run came to; ``wrong`` is empty where nothing did harm."""

    seed: int
    messages: int
    orders: int
    letters: int
    forwarded: int
    calls: int
    log_bytes: int
    grown_bytes: int
    wrong: Sequence[str]

    def __str__(self) -> str:
        """Say it in one line."""
        return (
            f"seed {self.seed}: {self.messages} messages, {self.letters} dead letters, "
            f"{self.forwarded} webhooks of forwarders, {self.calls} calls, "
            f"{self.orders} orders at rest, {self.log_bytes} bytes of log, "
            f"{self.grown_bytes // 1024} KiB more memory"
        )


async def fuzzed(
    messages: int,
    *,
    calls: int = 0,
    drains: bool = True,
    seed: int | None = None,
    say: Say = lambda _: None,
    within: Path | None = None,
) -> Told:
    """Publish so many inventions while orders come in at a steady rate.

    Beside them the API is called ``calls`` times, over real sockets. Whether it all
    ``drains`` takes a minute or two to find out.
    """
    seed = int.from_bytes(os.urandom(4)) if seed is None else seed
    layout = Layout(
        workers=1,
        apis=0,
        relays=0,
        sweepers=0,
        servants=1,
        proxied=(),
        postgres=FAST,
        within=within,
        tables=forwarders.TABLES,
    )
    async with started(layout) as fleet:
        honest = sorted({*PROVIDER_NAMES} - NOT_IDEMPOTENT)
        load = Load(
            fleet, rate=RATE, seed=seed, ways=QUICK, attempts=3, providers=honest
        )
        desk = asyncio.create_task(Desk(fleet, load).run())
        sending = asyncio.create_task(load.run())
        before = _memory(fleet)
        stranger = _Stranger(fleet, load, seed, say)
        try:
            caller = await stranger.publish(messages, calls)
            load.enough()
            await sending
            rested = await at_rest(fleet, orders=len(load.sent), seconds=REST_SECONDS)
            left = await stranger.left_over() if drains else 0
        finally:
            desk.cancel()
            sending.cancel()
            await asyncio.gather(desk, sending, return_exceptions=True)
        grown = _memory(fleet) - before
        log = sum(each.stat().st_size for each in fleet.logs.iterdir())
        wrong = [] if rested else ["honest orders are not at rest"]
        wrong += [f"{left} messages are never dealt with"] if left else []
        wrong += _overgrown(messages + calls, log, grown) + caller.wrong[:WRONG_MAX]
        wrong += [f"{n} has ended" for n, p in fleet.service.items() if not p.running]
        ((letters,),) = await _rows(fleet, "SELECT count(*) FROM dead_letters")
        forwarded, forged = await _believed(fleet)
        wrong += forged
        wrong += (await judge(fleet, load.sent)).wrong
        return Told(
            seed=seed,
            messages=messages,
            orders=len(load.sent),
            letters=letters,
            forwarded=forwarded,
            calls=caller.statuses.total(),
            log_bytes=log,
            grown_bytes=grown,
            wrong=wrong,
        )


def _overgrown(messages: int, log: int, grown: int) -> list[str]:
    found = []
    # The orders' own lines are counted too, at a steady rate.
    if log > LOG_BYTES_FREE + messages * LOG_BYTES_EACH:
        found.append(f"{log} bytes were logged")
    if grown > MEMORY_GROWTH_MAX:
        found.append(f"memory grew by {grown} bytes")
    return found


@dataclass(slots=True)
class _Stranger:
    """Somebody who may publish, and knows what can be known of the orders."""

    fleet: Fleet
    load: Load
    seed: int
    say: Say
    dice: Random = field(init=False)

    def __post_init__(self) -> None:
        self.dice = Random(self.seed)

    async def publish(self, messages: int, calls: int) -> Caller:
        """Publish and call in batches; wait where the service has not caught up."""
        client = await nats.connect(self.fleet.nats.url)
        stream = client.jetstream()
        caller = self._caller()
        await caller.learn()
        await self._some_are_paid()
        done = called = 0
        try:
            while done < messages:
                known = await self._known()
                size = min(BATCH * LOOK_EVERY, messages - done)
                done += size
                share = calls * done // messages - called
                called += share
                await asyncio.gather(
                    self._publish(size, known),
                    caller.call(share, known, await self._letters()),
                )
                await self._caught_up(stream)
                if done % TOLD_EVERY == 0:
                    self.say(f"{done} messages, {called} calls")
        finally:
            await client.close()
        return caller

    async def left_over(self) -> int:
        """Return how many messages stay in the streams of work.

        A million leave many to work off: given up is when none went for a while.
        """
        fewest, left, until = math.inf, 1, 0.0
        async with await nats.connect(self.fleet.nats.url) as client:
            stream = client.jetstream()
            while left and (left < fewest or time.monotonic() < until):
                if left < fewest:
                    fewest, until = left, time.monotonic() + DRAINED_SECONDS
                await asyncio.sleep(1)
                infos = [await stream.stream_info(name) for name in WORK]
                left = sum(info.state.messages for info in infos)
        return left

    async def _publish(self, size: int, known: Known) -> None:
        for begun in range(0, size, BATCH):
            batch = min(BATCH, size - begun)
            await self._send([frame(self.dice, known) for _ in range(batch)])

    def _caller(self) -> Caller:
        servant = self.fleet.service["servant-1"].program
        dice = Random(self.seed + 1)
        return Caller(int(servant.env["PAYMENT_HTTP_PORT"]), self.fleet.keys, dice)

    async def _letters(self) -> list[str]:
        return [each for (each,) in await _rows(self.fleet, LETTERS)]

    async def _some_are_paid(self) -> None:
        """Wait until there is something that a forwarder can rightly say."""
        async with asyncio.timeout(PAID_SECONDS):
            while not await _rows(self.fleet, PAID):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.2)

    async def _known(self) -> Known:
        async with await psycopg.AsyncConnection.connect(
            self.fleet.database_url
        ) as connection:
            rows = await (await connection.execute(ROWS)).fetchall()
        answered = [sent.body for sent in self.load.answered[-50:]]
        return Known(rows=[_row(*each) for each in rows], requests=answered)

    async def _send(self, frames: Sequence[bytes]) -> None:
        """Send them on a connection of their own: the server may hang up on one."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.fleet.nats.port
        )
        try:
            writer.write(b'CONNECT {"verbose": false, "headers": true}\r\n')
            writer.write(b"".join(frames) + b"PING\r\n")
            with suppress(ConnectionError):
                await writer.drain()
                while await reader.readline() not in {b"PONG\r\n", b""}:
                    pass
        finally:
            writer.close()

    async def _caught_up(self, stream: JetStreamContext) -> None:
        while True:
            infos = [await stream.consumer_info(*each) for each in CONSUMERS]
            if sum(info.num_pending or 0 for info in infos) < WAITING_MAX:
                return
            await asyncio.sleep(0.1)


def _row(*of: Any) -> Row:
    names = [field.name for field in fields(Row)]
    return Row(**dict(zip(names, of, strict=True)))


async def _believed(fleet: Fleet) -> tuple[int, list[str]]:
    """Return how many webhooks of forwarders were believed, and what is wrong."""
    (true, forged), (cancelled,) = [
        (await _rows(fleet, query))[0] for query in (BELIEVED, CANCELLED)
    ]
    wrong = [f"{forged} forged webhooks were believed"] if forged else []
    if cancelled:
        wrong.append(f"{cancelled} forged cancels were believed")
    return true, wrong


async def _rows(fleet: Fleet, query: LiteralString) -> list[Any]:
    async with await psycopg.AsyncConnection.connect(fleet.database_url) as connection:
        return await (await connection.execute(query)).fetchall()


def _memory(fleet: Fleet) -> int:
    return sum(process.memory() for process in fleet.service.values())
