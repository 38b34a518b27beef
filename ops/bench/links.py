"""A partner link: from its request to its result, with a partner that answers at once.

Beside it the bare loop, and Restate where it is installed, make the same calls and
commits in turns with it; at half of what the service can do in a second links come at a
steady pace.
"""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Final

from ops.bench import peer_restate, results
from ops.bench.contestant import competing
from ops.bench.load import Load, Timed
from ops.bench.rounds import over, percentile
from ops.bench.targets import Figure
from ops.bench.throughput import (
    BARE,
    NO_RESTATE,
    RESTATE,
    TIMES_BARE_MAX,
    WARM_UP,
    counts,
    environment,
)
from ops.bench.world import (
    Stage,
    World,
    connected,
    database,
    serving,
    split,
    staged,
)

MISSION_P50: Final = 30.0
MISSION_P99: Final = 50.0
"""Milliseconds, of a partner platform in production."""

SERVICE: Final = "a link"
FEW: Final = 30
TABLE: Final = """
[partners.northbank]
base_url = "{base_url}/partner"
countries = ["CA"]
bins = ["451400-451499"]
timeout = "10s"
max_in_flight = 1000
"""


async def measure(
    world: World, *, orders: int, many: int, in_flight: int, rounds: int
) -> None:
    """Measure one at a time beside the bare loop, and many at half of the most."""
    every = {SERVICE: _one_by_one, BARE: _bare}
    if peer_restate.installed():
        every[RESTATE] = _restate
    else:
        print(NO_RESTATE)
    taken: dict[str, list[Timed]] = {name: [] for name in every}
    for n in range(rounds):
        for name, run in every.items():
            taken[name].append(await run(world, orders))
        told = ", ".join(f"{name} {_ms(t[-1], 0.5):.1f}" for name, t in taken.items())
        print(f"round {n + 1}/{rounds}, p50 in ms: {told}")
    rate, half = await _at_half(world, many, in_flight)
    results.keep(
        "links",
        figures(taken, rate, half),
        {
            f"{name}, milliseconds": [
                [round(x * 1000, 2) for x in each.latencies] for each in rounds_taken
            ]
            for name, rounds_taken in taken.items()
        },
        mocks=world.mocks.made_by,
    )


async def _loading(stage: Stage) -> Load:
    load = Load(await connected(stage), stage, kind="partner_link")
    await load.open()
    return load


def _config(stage: Stage) -> dict[str, str]:
    """Write a configuration with a partner; return the setting that names it."""
    world = stage.world
    file = world.folder / f"{stage.prefix}.toml"
    table = TABLE.format(base_url=world.mocks.url)
    file.write_text(world.config_file.read_text() + table)
    return {"PAYMENT_CONFIG": str(file)}


async def _one_by_one(world: World, orders: int) -> Timed:
    async with (
        staged(world) as stage,
        serving(stage, split(1), env=_config(stage)),
    ):
        load = await _loading(stage)
        await load.one_by_one(FEW, ())
        timed = await load.one_by_one(orders, ())
        await load.close()
    return timed


async def _bare(world: World, orders: int) -> Timed:
    async with AsyncExitStack() as stack:
        url = stack.enter_context(database(world, migrated=False))
        contestant = await competing(
            "ops.bench.bare",
            *(url, world.nats.url, world.mocks.url),
            *counts(orders, 1),
            "validate",
            env=environment(),
        )
        stack.push_async_callback(contestant.end)
        await contestant.warm()
        return Timed(*await contestant.go())


async def _restate(world: World, orders: int) -> Timed:
    async with AsyncExitStack() as stack:
        peer = stack.enter_context(peer_restate.running(world.mocks.url))
        contestant = await competing(
            "ops.bench.peer_restate",
            *(peer.url, *counts(orders, 1), peer_restate.LINK),
            env=environment(),
        )
        stack.push_async_callback(contestant.end)
        await contestant.warm()
        return Timed(*await contestant.go())


async def _at_half(world: World, many: int, in_flight: int) -> tuple[float, Timed]:
    """Return the most that are linked in a second, and links at half that pace."""
    async with (
        staged(world) as stage,
        serving(stage, split(1), env=_config(stage)),
    ):
        load = await _loading(stage)
        await load.closed(min(WARM_UP, many), in_flight, ())
        most = (await load.closed(many, in_flight, ())).rate
        half = await load.paced(many, most / 2, ())
        await load.close()
    return most, half


def _ms(timed: Timed, share: float) -> float:
    return percentile(timed.latencies, share) * 1000


def figures(
    taken: Mapping[str, Sequence[Timed]], rate: float, half: Timed
) -> list[Figure]:
    """Return how long a link takes, alone and beside the others, with the bounds."""

    def middle(name: str, share: float) -> float:
        return over([_ms(each, share) for each in taken[name]]).median

    p50 = middle(SERVICE, 0.5)
    beside = {name: middle(name, 0.5) for name in (BARE, RESTATE) if taken.get(name)}
    most = {BARE: TIMES_BARE_MAX}
    return [
        Figure("a link, p50", p50, "ms", at_most=MISSION_P50),
        Figure("a link, p99", middle(SERVICE, 0.99), "ms", at_most=MISSION_P99),
        *(Figure(f"{name}, p50", other, "ms") for name, other in beside.items()),
        *(
            Figure(f"a link ÷ {name}, p50", p50 / other, "", at_most=most.get(name))
            for name, other in beside.items()
        ),
        Figure("links, at most", rate, "/s"),
        Figure("at half of that, p50", _ms(half, 0.5), "ms", at_most=MISSION_P50),
        Figure("at half of that, p99", _ms(half, 0.99), "ms", at_most=MISSION_P99),
    ]
