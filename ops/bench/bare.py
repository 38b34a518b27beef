"""The bare loop: the steps of the unit over JetStream and PostgreSQL, nothing else.

One message, one call, one grouped compare-and-set with an audit row, then the next
message and the acknowledgement: 11 messages, 10 calls, 10 steps an order, one process,
no rules, no recovery. What a full service could reach if all the rest cost nothing.
"""

import asyncio
import json
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, LiteralString

import aiohttp
import nats
import psycopg
import uvloop
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NothingCame
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, RetentionPolicy, StorageType, StreamConfig

from ops.bench.contestant import Clocked, compete

PROVIDERS: Final = ("declines", "declines", "approves")
UNIT: Final = "freeze"
"""The first step of a withdrawal."""

STREAM: Final = "BARE"
SUBJECT: Final = "bare.step"
LANES: Final = 3
GROUP_MAX: Final = 200
IN_HAND_MAX: Final = 512
FETCH: Final = 256
PENDING_MAX: Final = 20_000
SCHEMA: Final[LiteralString] = """
CREATE TABLE tasks (id uuid PRIMARY KEY, queue uuid, position int, state text,
    version int, updated_at timestamptz DEFAULT now());
CREATE TABLE events (id bigserial PRIMARY KEY, task uuid, source text, target text,
    at timestamptz DEFAULT now())
"""
INSERT: Final[LiteralString] = """
INSERT INTO tasks (id, queue, position, state, version)
SELECT *, 'PENDING', 0 FROM unnest(%s::uuid[], %s::uuid[], %s::int[])
"""
STEP: Final[LiteralString] = """
WITH wanted AS (
    SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::int[])
        AS w(id, source, target, version)
), moved AS (
    UPDATE tasks t SET state = w.target, version = t.version + 1, updated_at = now()
    FROM wanted w WHERE t.id = w.id AND t.version = w.version
    RETURNING t.id, w.source, w.target
), written AS (
    INSERT INTO events (task, source, target) SELECT id, source, target FROM moved
)
SELECT id FROM moved
"""


@dataclass(frozen=True, slots=True)
class Step:
    """What to call, which move its answer makes, and the step after it."""

    path: str
    source: str
    target: str
    following: str


LINK: Final = {
    "validate": Step("", "PENDING", "EXECUTING", "eligibility"),
    "eligibility": Step("partner/eligibility", "EXECUTING", "EXECUTING", "grant"),
    "grant": Step("core/memberships", "EXECUTING", "SUCCEEDED", "notify"),
}
"""The steps of a partner link whose partner says yes; the first one calls nobody."""


def step_of(name: str, position: int) -> Step:
    """Return the step; the providers' answers are known beforehand."""
    if name in LINK:
        return LINK[name]
    provider = PROVIDERS[position]
    if name == "freeze":
        return Step("core/freeze", "PENDING", "CREATING", "create")
    if name == "create" and provider == "approves":
        return Step(f"{provider}/create", "CREATING", "EXECUTING", "commit")
    if name == "create":
        return Step(f"{provider}/create", "CREATING", "NEGATIVE_EVAL", "rollback")
    if name == "rollback":
        return Step("core/rollback", "NEGATIVE_EVAL", "SKIPPED", "freeze")
    if name == "commit":
        return Step("core/commit", "EXECUTING", "SUCCEEDED", "notify")
    return Step("core/notify", "", "", "")


@dataclass(frozen=True, slots=True)
class Move:
    """A compare-and-set that waits for its group."""

    task: str
    step: Step
    version: int
    done: asyncio.Future[None]


@dataclass(slots=True)
class Writer:
    """Moves that are ready at the same time share one statement and one commit."""

    url: str
    waiting: asyncio.Queue[Move] = field(default_factory=asyncio.Queue)

    async def apply(self, task: str, step: Step, version: int) -> None:
        """Return once the move has committed."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.put_nowait(Move(task, step, version, done))
        await done

    async def lane(self) -> None:
        """Write group after group."""
        async with await connect(self.url) as connection:
            while True:
                group = [await self.waiting.get()]
                while len(group) < GROUP_MAX and not self.waiting.empty():
                    group.append(self.waiting.get_nowait())
                await self._write(connection, group)

    async def _write(
        self, connection: psycopg.AsyncConnection, group: list[Move]
    ) -> None:
        columns = (
            [uuid.UUID(move.task) for move in group],
            [move.step.source for move in group],
            [move.step.target for move in group],
            [move.version for move in group],
        )
        cursor = await connection.execute(STEP, columns)
        moved = {str(row[0]) for row in await cursor.fetchall()}
        for move in group:
            if move.task not in moved:
                raise RuntimeError(f"task {move.task} had moved")
            move.done.set_result(None)


async def connect(url: str) -> psycopg.AsyncConnection:
    """Return a connection on which every statement is a transaction."""
    return await psycopg.AsyncConnection.connect(url, autocommit=True)


@dataclass(slots=True)
class Bare:
    """The loop with its connections."""

    stream: JetStreamContext
    http: aiohttp.ClientSession
    writer: Writer
    inserts: psycopg.AsyncConnection
    mocks: str
    first: str = UNIT
    inserting: asyncio.Lock = field(default_factory=asyncio.Lock)
    ends: dict[str, asyncio.Future[None]] = field(default_factory=dict)

    async def one(self) -> None:
        """Publish one order and return when it has ended."""
        queue = str(uuid.uuid4())
        end = self.ends[queue] = asyncio.get_running_loop().create_future()
        await self.publish({"step": "request", "queue": queue})
        await end
        del self.ends[queue]

    async def publish(self, body: Mapping[str, Any]) -> None:
        """Return when the message is stored."""
        future = await self.stream.publish_async(SUBJECT, json.dumps(body).encode())
        await future

    async def handle(self, message: Msg) -> None:
        """Do one step; acknowledge only after its commit."""
        body = json.loads(message.data)
        if body["step"] == "request":
            await self._insert(body["queue"])
        else:
            await self._step(body)
        await message.ack()

    async def _insert(self, queue: str) -> None:
        count = 1 if self.first in LINK else len(PROVIDERS)
        tasks = [str(uuid.uuid4()) for _ in range(count)]
        places = list(range(count))
        ids = [uuid.UUID(task) for task in tasks]
        async with self.inserting:
            queues = [uuid.UUID(queue)] * len(tasks)
            await self.inserts.execute(INSERT, (ids, queues, places))
        first = {"step": self.first, "queue": queue, "tasks": tasks}
        await self.publish({**first, "position": 0, "version": 0})

    async def _step(self, body: dict[str, Any]) -> None:
        step = step_of(body["step"], body["position"])
        task = body["tasks"][body["position"]]
        if step.path:
            await self._call(step.path, {"task_id": task, "amount": 1000})
        if not step.following:
            self.ends[body["queue"]].set_result(None)
            return
        await self.writer.apply(task, step, body["version"])
        after = {**body, "step": step.following, "version": body["version"] + 1}
        if step.following == "freeze":
            after = {**after, "position": body["position"] + 1, "version": 0}
        await self.publish(after)

    async def _call(self, path: str, asked: Mapping[str, object]) -> None:
        async with self.http.post(f"{self.mocks}/{path}", json=asked) as answer:
            await answer.json()

    async def consume(self) -> None:
        """Take messages as they come, so many at a time."""
        config = ConsumerConfig(max_ack_pending=PENDING_MAX, ack_wait=60)
        pulls = await self.stream.pull_subscribe(
            SUBJECT, durable="bare", stream=STREAM, config=config
        )
        free = asyncio.Semaphore(IN_HAND_MAX)
        running: set[asyncio.Task[None]] = set()

        def ended(task: asyncio.Task[None]) -> None:
            running.discard(task)
            free.release()
            task.result()

        while True:
            for message in await _fetched(pulls):
                await free.acquire()
                task = asyncio.create_task(self.handle(message))
                running.add(task)
                task.add_done_callback(ended)


async def _fetched(pulls: JetStreamContext.PullSubscription) -> list[Msg]:
    try:
        return await pulls.fetch(FETCH, timeout=1)
    except NothingCame:
        return []


async def main(arguments: list[str]) -> None:
    """Compete: the addresses, then how many orders, in flight, and to warm up.

    One argument more is the first step of another order than the unit's.
    """
    url, nats_url, mocks = arguments[:3]
    orders, in_flight, warm_up = map(int, arguments[3:6])
    client = await nats.connect(nats_url)
    stream = client.jetstream(publish_async_max_pending=PENDING_MAX)
    await stream.add_stream(
        StreamConfig(
            name=STREAM,
            subjects=[SUBJECT],
            storage=StorageType.FILE,
            retention=RetentionPolicy.WORK_QUEUE,
        )
    )
    connector = aiohttp.TCPConnector(limit=256)
    try:
        async with (
            aiohttp.ClientSession(connector=connector) as http,
            await connect(url) as inserts,
        ):
            await inserts.execute(SCHEMA)
            bare = Bare(
                stream,
                http,
                Writer(url),
                inserts,
                mocks,
                "".join(arguments[6:7]) or UNIT,
            )
            loops = [bare.consume(), *(bare.writer.lane() for _ in range(LANES))]
            tasks = [asyncio.create_task(loop) for loop in loops]
            await compete(Clocked(in_flight, bare.one), orders, warm_up)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        await stream.delete_stream(STREAM)
        await client.close()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1:]))
