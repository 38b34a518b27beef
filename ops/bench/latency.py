"""How long one withdrawal takes, from its publication to its last event."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final, LiteralString

import aiohttp
import psycopg

from ops.bench import results
from ops.bench.load import SINGLE, UNIT, Load, Timed
from ops.bench.rounds import percentile
from ops.bench.targets import Figure
from ops.bench.world import Stage, World, connected, serving, split, staged

WARM_UP: Final = 50
MILLI: Final = 1000
WAIT: Final = "20s"
POLL_SECONDS: Final = 0.0005
POSTGRES: Final = {"track_commit_timestamp": "on"}
COMMITS: Final[LiteralString] = """
SELECT q.order_id, extract(epoch FROM pg_xact_commit_timestamp(e.xmin))::float8
FROM order_task_events e JOIN order_queues q USING (queue_id)
ORDER BY q.order_id, 2
"""


async def measure(world: World, orders: int) -> None:
    """Measure one at a time, through NATS and beside the API."""
    async with staged(world) as stage, serving(stage, split(1)):
        wire = await connected(stage)
        load = Load(wire, stage)
        await load.open()
        await load.one_by_one(min(WARM_UP, orders), UNIT)
        unit = await load.one_by_one(orders, UNIT)
        await load.one_by_one(min(WARM_UP, orders), SINGLE)
        single = await load.one_by_one(orders, SINGLE)
        replied = await load.one_by_one(max(orders // 2, 1), SINGLE, reply=True)
        behind = await _waited(load, stage, max(orders // 5, 1))
        commits = _commits(stage)
        await wire.close()
    after_store = [
        at - commits[order_id][0] for order_id, at in load.replied_at.items()
    ]
    figures = [
        *_figures("unit", unit, p50=15, p99=25),
        *_figures("single approving provider", single, p50=6, p99=12),
        *_behind("GET ?wait behind the final event", behind),
        *_behind("reply behind the store", after_store, "from where its commit begins"),
        Figure("reply to X-Reply-To, p50", _ms(replied.replies, 0.5), "ms"),
        Figure("from commit to commit, p50", _ms(_between(commits), 0.5), "ms"),
    ]
    details: dict[str, object] = {
        "unit_milliseconds": [round(x * MILLI, 3) for x in unit.latencies],
        "single_milliseconds": [round(x * MILLI, 3) for x in single.latencies],
        "wait_milliseconds": [round(x * MILLI, 3) for x in behind],
    }
    results.keep("latency", figures, details, mocks=world.mocks.made_by)


def _ms(values: Sequence[float], share: float) -> float:
    return percentile(values, share) * MILLI


def _figures(what: str, timed: Timed, *, p50: float, p99: float) -> list[Figure]:
    return [
        Figure(f"{what}, p50", _ms(timed.latencies, 0.5), "ms", at_most=p50),
        Figure(f"{what}, p99", _ms(timed.latencies, 0.99), "ms", at_most=p99),
        Figure(f"{what}, longest", max(timed.latencies) * MILLI, "ms"),
    ]


def _behind(what: str, behind: Sequence[float], note: str = "") -> list[Figure]:
    return [
        Figure(f"{what}, p50", _ms(behind, 0.5), "ms", at_most=2, note=note),
        Figure(f"{what}, p99", _ms(behind, 0.99), "ms"),
    ]


def _commits(stage: Stage) -> dict[str, list[float]]:
    """Return when the transactions of each order were committed, in their order."""
    found: dict[str, list[float]] = {}
    with psycopg.connect(stage.database_url) as connection:
        for order_id, at in connection.execute(COMMITS):
            times = found.setdefault(order_id, [])
            if not times or at > times[-1]:
                times.append(at)
    return found


def _between(commits: Mapping[str, Sequence[float]]) -> list[float]:
    return [
        later - earlier
        for times in commits.values()
        for earlier, later in pairwise(times)
    ]


async def _waited(load: Load, stage: Stage, orders: int) -> list[float]:
    """Return how long after its last event each order's ``?wait`` was answered."""
    ended: dict[str, float] = {}

    def note(order_id: str) -> None:
        ended[order_id] = time.perf_counter()

    load.on_final = note
    headers = {"Authorization": f"Bearer {stage.api_key}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        behind = [await _one_wait(load, stage, http, ended) for _ in range(orders)]
    load.on_final = lambda _: None
    return behind


async def _one_wait(
    load: Load, stage: Stage, http: aiohttp.ClientSession, ended: dict[str, float]
) -> float:
    # The row must be there before it can be asked for: the order has to be slow.
    timed = asyncio.create_task(load.one_by_one(1, UNIT))
    await asyncio.sleep(POLL_SECONDS)
    order_id = load.last
    url = f"{stage.api_url}/v1/orders/{order_id}?wait={WAIT}"
    while True:
        async with http.get(url) as answer:
            body = await answer.json()
        if body.get("state") == "COMPLETED":
            break
        await asyncio.sleep(POLL_SECONDS)
    answered_at = time.perf_counter()
    await timed
    return answered_at - ended[order_id]
