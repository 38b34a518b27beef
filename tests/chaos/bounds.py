"""Promises with a number in them, measured: how late is an order that a fault hits."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import nats

from tests.chaos.books import Order, Verdict, at_rest, judge, orders_of
from tests.chaos.fleet import (
    NOT_IDEMPOTENT,
    PROVIDER_NAMES,
    SLA_SECONDS,
    Fleet,
    Layout,
    started,
)
from tests.chaos.load import QUICK, Load
from tests.chaos.play import Say
from tests.chaos.processes import Process
from tests.chaos.report import quantile
from tests.chaos.sent import Way

REST_SECONDS_MAX: Final = 240.0
LOOK_SECONDS: Final = 0.02
KILL_MARGIN_SECONDS: Final = 1.0
"""What a kill may cost beside AckWait, until its messages come again."""

WIPE_MARGIN_SECONDS: Final = 2.0
"""What a thousand orders that are woken at once may take to be worked off."""

IDEMPOTENT: Final = sorted({*PROVIDER_NAMES} - NOT_IDEMPOTENT)
ASKED: Final = SLA_SECONDS + 2.0
SILENT: Final = (Way("silence_fail", 9, ASKED), Way("silence_succeed", 1, ASKED))
"""Providers that never tell: each attempt waits for timers, which NATS can lose."""


@dataclass(slots=True, kw_only=True)
class Bound:
    """What was measured after a fault, and what it may be at most."""

    what: str
    limit_seconds: float
    under_way: int
    late: Sequence[float]

    @property
    def max_seconds(self) -> float:
        return max(self.late, default=0.0)

    def __str__(self) -> str:
        late = sorted(self.late)
        word = "kept" if self.max_seconds <= self.limit_seconds else "BROKEN"
        figures = ", ".join(
            f"{name} {quantile(late, share):.2f} s"
            for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
        )
        return (
            f"{self.what}: {self.under_way} orders under way; {figures}; "
            f"limit {self.limit_seconds:.2f} s: {word}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """All bounds of one run, and what every book says at its end."""

    bounds: Sequence[Bound]
    verdict: Verdict

    @property
    def wrong(self) -> list[str]:
        """What is wrong; a person's help counts as wrong, too."""
        broken = [str(b) for b in self.bounds if b.max_seconds > b.limit_seconds]
        helped = self.verdict.manual_checks
        asked = [f"{helped} orders took a person"] if helped else []
        return [*self.verdict.wrong, *broken, *asked]

    def __str__(self) -> str:
        v = self.verdict
        books = (
            f"{v.answered} orders accepted, {v.completed} completed, "
            f"{v.failed} failed, {len(v.lost)} lost, {len(v.stuck)} stuck; "
            f"{v.payouts} payouts, {v.commits} commits, {v.holds} holds left, "
            f"{v.manual_checks} manual checks"
        )
        wrong = [f"WRONG: {problem}" for problem in self.wrong]
        return "\n".join([*map(str, self.bounds), books, *wrong])


async def recovery(layout: Layout, *, rate: float, seed: int, say: Say) -> Measured:
    """Kill one worker after the other; what they had goes to those that are left."""
    async with started(layout) as fleet:
        load = Load(
            fleet, rate=rate, seed=seed, ways=QUICK, attempts=3, providers=IDEMPOTENT
        )
        bounds = []
        for worker in fleet.of_role("worker"):
            bounds.append(await _killed(fleet, load, worker))
            say(str(bounds[-1]))
        return await _judged(fleet, load, bounds)


async def _killed(fleet: Fleet, load: Load, worker: Process) -> Bound:
    ack_wait = fleet.layout.seconds("ACK_WAIT")
    first = len(load.by_id)
    async with _sending(fleet, load):
        await _until_accepted(load, more=30)
        killed_at = time.time()
        worker.kill()
        # Nobody starts it again: the others have to take over.
        await asyncio.sleep(1.5 * ack_wait)
    await worker.start()
    orders = await _sent_since(fleet, load, first)
    return Bound(
        what=f"{worker.name} of {len(fleet.of_role('worker'))} died of SIGKILL",
        limit_seconds=ack_wait + KILL_MARGIN_SECONDS,
        under_way=sum(_was_open(order, killed_at) for order in orders),
        late=[_late(order, load) for order in orders],
    )


async def wipe(
    layout: Layout, *, orders: int, attempts: int, rate: float, seed: int, say: Say
) -> Measured:
    """Take all of NATS away with so many orders under way, and give it back empty."""
    async with started(layout) as fleet:
        load = Load(
            fleet,
            rate=rate,
            seed=seed,
            ways=SILENT,
            attempts=attempts,
            providers=IDEMPOTENT,
        )
        async with _sending(fleet, load):
            await _until_under_way(fleet, orders)
            load.enough()
            lost = await _messages_of(fleet)
            wiped_at = time.time()
            await asyncio.to_thread(fleet.nats.wipe)
            healed_at = time.time()
            say(f"NATS was away for {healed_at - wiped_at:.2f} s, {lost} messages lost")
        orders_now = await orders_of(fleet)
        bounds = _wiped(fleet, load, orders_now, (wiped_at, healed_at))
        return await _judged(fleet, load, bounds)


def _wiped(
    fleet: Fleet, load: Load, orders: Sequence[Order], away: tuple[float, float]
) -> list[Bound]:
    """Hold each order against its own providers, and the rest of all to the longest."""
    wiped_at, healed_at = away
    layout = fleet.layout
    sweep = layout.seconds("SWEEP_INTERVAL") + layout.seconds("SWEEP_GRACE")
    limit = sweep + WIPE_MARGIN_SECONDS
    ended = max(order.finished_at or float("inf") for order in orders)
    own = max(sent.own_seconds for sent in load.sent)
    under_way = sum(_was_open(order, wiped_at) for order in orders)
    return [
        Bound(
            what="NATS lost its whole store, each order beyond its providers' times",
            limit_seconds=healed_at - wiped_at + limit,
            under_way=under_way,
            late=[_late(order, load) for order in orders],
        ),
        Bound(
            what="all at rest, counted from NATS' return",
            limit_seconds=limit + own,
            under_way=under_way,
            late=[ended - healed_at],
        ),
    ]


@asynccontextmanager
async def _sending(fleet: Fleet, load: Load) -> AsyncIterator[None]:
    """Send while the block is in force; leave it with every order at rest."""
    task = asyncio.create_task(load.run())
    try:
        yield
        load.enough()
        await task
        count = len(load.by_id)
        if not await at_rest(fleet, orders=count, seconds=REST_SECONDS_MAX):
            raise TimeoutError(f"not at rest after {REST_SECONDS_MAX:g} s")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _until_accepted(load: Load, *, more: int) -> None:
    wanted = len(load.answered) + more
    while len(load.answered) < wanted:  # noqa: ASYNC110 - nobody tells us
        await asyncio.sleep(LOOK_SECONDS)


async def _until_under_way(fleet: Fleet, orders: int) -> None:
    async with asyncio.timeout(REST_SECONDS_MAX):
        while await _count_under_way(fleet) < orders:  # noqa: ASYNC110 - as above
            await asyncio.sleep(10 * LOOK_SECONDS)


async def _count_under_way(fleet: Fleet) -> int:
    return sum(order.finished_at is None for order in await orders_of(fleet))


async def _messages_of(fleet: Fleet) -> int:
    async with await nats.connect(fleet.nats.url) as client:
        streams: list[Any] = await client.jetstream().streams_info()
        return sum(stream.state.messages for stream in streams)


async def _sent_since(fleet: Fleet, load: Load, first: int) -> list[Order]:
    sent = {each.order_id for each in load.sent[first:]}
    return [order for order in await orders_of(fleet) if order.order_id in sent]


def _was_open(order: Order, at: float) -> bool:
    return order.created_at <= at < (order.finished_at or float("inf"))


def _late(order: Order, load: Load) -> float:
    """Return by how much it took longer than its providers may."""
    return max(0.0, order.seconds - load.by_id[order.order_id].own_seconds)


async def _judged(fleet: Fleet, load: Load, bounds: Sequence[Bound]) -> Measured:
    measured = Measured(bounds=bounds, verdict=await judge(fleet, load.sent))
    fleet.keep = bool(measured.wrong)
    return measured
