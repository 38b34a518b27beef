"""A checkout: how long it takes, what it reads and writes, how many there are a second.

Its services take 50 ms for each call where latency and statements are measured, and no
time at all for throughput, beside the same saga as a workflow of DBOS.
"""

import asyncio
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Final, LiteralString, TypeVar

import psycopg

from fsm.flows import CHECKOUT
from handlers.checkout.load import PLAN
from handlers.executor import Fetch, Plan
from ops.bench import results, stepwise
from ops.bench.contestant import competing
from ops.bench.holding import Holding
from ops.bench.load import Load, LoadFailed, Timed
from ops.bench.measure import Meter, between, pids_of
from ops.bench.rounds import over, percentile
from ops.bench.statements import Log, Told
from ops.bench.targets import Figure
from ops.bench.throughput import (
    DBOS,
    DBOS_SHARE,
    NO_DBOS,
    SERVICE_1,
    TIMES_DBOS,
    WARM_UP,
    Round,
    Sample,
    competed,
    counts,
    environment,
    sampled,
)
from ops.bench.world import (
    API,
    RELAY,
    Role,
    Stage,
    World,
    connected,
    database,
    serving,
    split,
    staged,
)
from providers.config.services import LOADS, STEPS

T = TypeVar("T")
EACH: Final = "each"
TOGETHER: Final = "together"
"""What DBOS makes a durable step: each fetch, or all of them together."""

DBOS_TOGETHER: Final = "DBOS, all fetches in one step"
ANSWER: Final = b'{"result":{"id":"s-1"}}'
TABLE: Final = """
[services.{name}]
base_url = "{base_url}"
timeout = "10s"
max_in_flight = 1000
retry = {{ first = "50ms", max = "500ms", attempts = {attempts} }}
"""
ATTEMPTS: Final = 10
OVER_PATH_AT_MOST: Final = 1.15
READS_MAX: Final = 3.0
WRITES_MAX: Final = len(STEPS) + 3.0
REST_SECONDS_MAX: Final = 60.0
LOOK_SECONDS: Final = 0.05
WAITING: Final[LiteralString] = """
SELECT FROM order_queues WHERE waiting_for IS NOT NULL LIMIT 1
"""
FEW: Final = 10
"""So many checkouts warm up what is measured one at a time."""

STEPWISE: Final = (
    Role("worker-1", "worker", module="ops.bench.stepwise"),
    API,
    RELAY,
)


@dataclass(frozen=True, slots=True)
class Alone:
    """Checkouts one at a time: how long each took, and what was asked of PostgreSQL."""

    timed: Timed
    told: Told
    commits: float
    """Transactions that have written, of everybody, for one checkout."""


def config_of(
    stage: Stage, urls: Mapping[str, str], *, attempts: int = ATTEMPTS
) -> dict[str, str]:
    """Write a configuration with these services; return the setting that names it."""
    file = stage.world.folder / f"{stage.prefix}.toml"
    tables = [
        TABLE.format(name=name, base_url=url, attempts=attempts)
        for name, url in urls.items()
    ]
    file.write_text(stage.world.config_file.read_text() + "".join(tables))
    return {"PAYMENT_CONFIG": str(file)}


def everywhere(url: str) -> dict[str, str]:
    """Return the addresses of all services where one server plays them all."""
    return dict.fromkeys((*STEPS, *LOADS), url)


def critical_path(seconds: float) -> float:
    """Return how long a checkout takes at least whose calls take so long."""
    steps = Plan(tuple(Fetch(name=s.name, after=s.after) for s in CHECKOUT.steps))
    loads = PLAN.critical_path({fetch.name: seconds for fetch in PLAN})
    return loads + steps.critical_path(dict.fromkeys(STEPS, seconds))


def calls() -> int:
    """Return how many calls a checkout makes of its services."""
    return len(STEPS) + len(LOADS)


async def measure(
    world: World, *, orders: int, delay: int, many: int, in_flight: int, rounds: int
) -> None:
    """Measure checkouts one at a time, both ways, and many at once, beside DBOS."""
    async with Holding(delay / 1000, ANSWER).serving() as url:
        ours = await _alone(world, url, orders, split(1))
        stepped = await _alone(world, url, orders, STEPWISE)
    samples = await _in_turns(world, many, in_flight, rounds)
    results.keep(
        "checkouts",
        [*latencies(ours, stepped, delay / 1000), *rates(samples)],
        {
            "statements": ours.told.by_name(),
            "statements_by_time": ours.told.by_name(of_order=False),
            "statements_stepwise": stepped.told.by_name(),
            "milliseconds": [round(x * 1000, 2) for x in ours.timed.latencies],
            "samples": [sample.as_json() for sample in samples],
        },
        mocks=world.mocks.made_by,
    )
    for name, each in ours.told.by_name().items():
        print(f"{each:8.2f} {name}")


async def _alone(
    world: World, services: str, orders: int, roles: Sequence[Role]
) -> Alone:
    """Run checkouts one at a time, and more of which each statement is logged.

    The log costs time, and so those that are timed are not those that are counted.
    """
    async with staged(world) as stage:
        with psycopg.connect(stage.database_url) as connection:
            connection.execute(stepwise.TABLE)
        env = config_of(stage, everywhere(services))
        timed = await _one_by_one(stage, roles, env, orders)
        log = Log(world.postgres.data_dir, stage.database_url)
        async with serving(stage, roles, env=env) as cluster:
            load = await _loading(stage, "counted")
            await load.one_by_one(FEW, ())
            meter = Meter(world, stage.database_url, pids_of(cluster))
            await _at_rest(stage)
            log.mark()
            before = meter.read()
            await load.one_by_one(orders, ())
            await _at_rest(stage)
            cost = between(before, meter.read())
            told = log.read(orders)
            await load.close()
    return Alone(timed, told, cost.writes / orders)


async def until(look: Callable[[], T | None], told: str) -> T:
    """Return what a look at the database finds, once it finds something.

    :raises LoadFailed: it finds nothing in time; ``told`` says what is missing.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(REST_SECONDS_MAX):
            while True:
                found = await asyncio.to_thread(look)
                if found is not None:
                    return found
                await asyncio.sleep(LOOK_SECONDS)
    raise LoadFailed(told)


async def _at_rest(stage: Stage) -> None:
    """Wait for what comes behind the last event: core is told of the outcome."""

    def rests() -> bool | None:
        with psycopg.connect(stage.database_url) as connection:
            waits = connection.execute(WAITING).fetchone() is not None
        return None if waits else True

    await until(rests, "core was not told of every outcome")


async def _one_by_one(
    stage: Stage, roles: Sequence[Role], env: dict[str, str], orders: int
) -> Timed:
    async with serving(stage, roles, env=env):
        load = await _loading(stage, "timed")
        await load.one_by_one(FEW, ())
        timed = await load.one_by_one(orders, ())
        await load.close()
    return timed


async def _loading(stage: Stage, label: str) -> Load:
    wire = await connected(stage)
    load = Load(wire, stage, label=f"{stage.prefix}-{label}", kind="checkout")
    await load.open()
    return load


async def service(world: World, orders: int, in_flight: int) -> Sample:
    """Run a round of the full service with one worker."""
    async with staged(world) as stage:
        env = config_of(stage, everywhere(f"{world.mocks.url}/services"))
        async with serving(stage, split(1), env=env) as cluster:
            load = await _loading(stage, "many")
            await load.closed(min(WARM_UP, orders), in_flight, ())
            meter = Meter(world, stage.database_url, pids_of(cluster))
            before = meter.read()
            timed = await load.closed(orders, in_flight, ())
            cost = between(before, meter.read())
            await load.close()
    return sampled(SERVICE_1, in_flight, (timed.seconds, timed.latencies), cost)


def dbos(name: str) -> Round:
    """Return the round of DBOS, which is given fewer orders."""
    fetches = TOGETHER if name == DBOS_TOGETHER else EACH

    async def run(world: World, orders: int, in_flight: int) -> Sample:
        async with AsyncExitStack() as stack:
            url = stack.enter_context(database(world, migrated=False))
            contestant = await competing(
                "ops.bench.peer_dbos_checkout",
                url,
                world.mocks.url,
                fetches,
                *counts(max(orders // DBOS_SHARE, 1), in_flight),
                env=environment(),
            )
            stack.push_async_callback(contestant.end)
            return await competed(name, world, url, contestant, in_flight)

    return run


def contestants() -> dict[str, Round]:
    """Return who does the saga, in the order of their turns."""
    if importlib.util.find_spec("dbos") is None:
        print(NO_DBOS)
        return {SERVICE_1: service}
    return {SERVICE_1: service, **{n: dbos(n) for n in (DBOS, DBOS_TOGETHER)}}


async def _in_turns(
    world: World, orders: int, in_flight: int, rounds: int
) -> list[Sample]:
    samples: list[Sample] = []
    for n in range(rounds):
        for name, run in contestants().items():
            samples.append(await run(world, orders, in_flight))
            rate = samples[-1].rate
            print(f"round {n + 1}/{rounds} {name:30} {rate:8.1f}/s", flush=True)
    return samples


def latencies(ours: Alone, stepped: Alone, seconds: float) -> list[Figure]:
    """Return how long a checkout takes and what it reads and writes, both ways."""
    path = critical_path(seconds)
    p50 = percentile(ours.timed.latencies, 0.5)
    return [
        Figure("sum of its calls", calls() * seconds * 1000, "ms"),
        Figure("critical path", path * 1000, "ms"),
        Figure("a checkout, p50", p50 * 1000, "ms"),
        Figure("a checkout, p99", percentile(ours.timed.latencies, 0.99) * 1000, "ms"),
        Figure("a checkout ÷ critical path", p50 / path, "", at_most=OVER_PATH_AT_MOST),
        Figure("reads each", ours.told.reads, "", at_most=READS_MAX),
        Figure(
            "commits each",
            ours.told.writes,
            "",
            at_most=WRITES_MAX,
            note=f"{ours.commits:.1f} with those that come by time",
        ),
        Figure("step by step: reads each", stepped.told.reads, ""),
        Figure("step by step: commits each", stepped.told.writes, ""),
        _change("reads", ours.told.reads, stepped.told.reads, "-96 %"),
        _change("commits", ours.told.writes, stepped.told.writes, "-44 %"),
        Figure(
            "step by step: a checkout, p50",
            percentile(stepped.timed.latencies, 0.5) * 1000,
            "ms",
        ),
    ]


def _change(what: str, ours: float, stepped: float, known: str) -> Figure:
    change = ours / stepped - 1 if stepped else 0.0
    note = f"{known} is known of a saga elsewhere"
    return Figure(f"{what}, beside step by step", change * 100, "%", note=note)


def rates(samples: Sequence[Sample]) -> list[Figure]:
    """Return checkouts a second, and the service beside DBOS."""
    found: dict[str, float] = {}
    figures = []
    for name in dict.fromkeys(sample.contestant for sample in samples):
        each = [s for s in samples if s.contestant == name]
        rate = over([s.rate for s in each])
        costs = over([s.cost.per(s.orders)["cpu_milliseconds"] for s in each])
        found[name] = rate.median
        told = f"spread {rate.spread:.0%}, {costs.median:.1f} ms of CPU each"
        figures.append(Figure(name, rate.median, "/s", note=told))
    bounds = {DBOS: TIMES_DBOS, DBOS_TOGETHER: None}
    return figures + [
        Figure(
            f"{SERVICE_1} ÷ {rival}",
            found[SERVICE_1] / found[rival],
            "",
            at_least=bound,
        )
        for rival, bound in bounds.items()
        if {SERVICE_1, rival} <= found.keys()
    ]
