"""What the executor of fetches saves: the same fetches at once, and one after another.

Each fetch is a real call over HTTP to a server that takes a fixed time for it, on the
connections that the service uses. Both ways are measured in turns.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from handlers.executor import Fetch, Plan, run
from ops.bench import results
from ops.bench.holding import Holding
from ops.bench.rounds import over
from ops.bench.targets import Figure
from providers.http.outbound import ConnectionLimit, Outbound, Response

IN_FLIGHT_MAX: Final = 50
LIMIT_SECONDS: Final = 60.0
TIMES_AT_LEAST: Final = 3.0
"""Of the fetches one after another: what is known of others who did the same."""

OVER_PATH_AT_MOST: Final = 1.15
"""Of the critical path: what may be lost to the work in between."""

PAGE: Final = Plan(
    (
        Fetch(name="items"),
        Fetch(name="merchant"),
        Fetch(name="customer"),
        Fetch(name="prices", after=("items", "merchant")),
        Fetch(name="stock", after=("items",)),
        Fetch(name="delivery", after=("items", "merchant")),
        Fetch(name="card", after=("customer",)),
        Fetch(name="credit", after=("customer",)),
        Fetch(name="address", after=("customer",)),
    )
)
"""What a checkout might need: nine fetches, two of them deep at the most."""

PLANS: Final = {"nine fetches, two deep": PAGE}


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds of one plan, in each round: at once, and one after another."""

    at_once: list[float]
    in_turn: list[float]


async def measure(*, delay: int, rounds: int) -> None:
    """Make the fetches of each plan both ways, so often; each takes ``delay`` ms."""
    timed = {name: Timed([], []) for name in PLANS}
    async with Holding(delay / 1000).serving() as url, Outbound() as outbound:
        lane = outbound.lane(IN_FLIGHT_MAX)
        for name, plan in PLANS.items():
            await _at_once(plan, lane, url)  # connections are there from here on
            for _ in range(rounds):
                timed[name].at_once.append(await _at_once(plan, lane, url))
                timed[name].in_turn.append(await _in_turn(plan, lane, url))
    figures = [
        figure
        for name, plan in PLANS.items()
        for figure in _figures(name, plan, timed[name], delay / 1000)
    ]
    detail = {name: {"plan": str(plan).splitlines()} for name, plan in PLANS.items()}
    results.keep("executor", figures, {"plans": detail}, mocks="Python")


async def _at_once(plan: Plan, lane: ConnectionLimit, url: str) -> float:
    async def fetch(name: str, given: Mapping[str, bytes]) -> bytes:
        del given
        return await _fetched(name, lane, url)

    began = time.perf_counter()
    await run(plan, fetch)
    return time.perf_counter() - began


async def _in_turn(plan: Plan, lane: ConnectionLimit, url: str) -> float:
    began = time.perf_counter()
    for each in plan:
        await _fetched(each.name, lane, url)
    return time.perf_counter() - began


async def _fetched(name: str, lane: ConnectionLimit, url: str) -> bytes:
    answer = await lane.request(
        "POST",
        f"{url}/v1/load/{name}",
        json_body=b"{}",
        headers={},
        timeout=LIMIT_SECONDS,
    )
    if not isinstance(answer, Response):
        raise TypeError(f"{name} was not fetched: {answer.because}")
    return answer.body


def _figures(name: str, plan: Plan, timed: Timed, seconds: float) -> list[Figure]:
    at_once, in_turn = over(timed.at_once).median, over(timed.in_turn).median
    path = plan.critical_path({fetch.name: seconds for fetch in plan})
    return [
        Figure(f"{name}: one after another", in_turn * 1000, "ms"),
        Figure(f"{name}: at once", at_once * 1000, "ms"),
        Figure(f"{name}: times faster", in_turn / at_once, "", at_least=TIMES_AT_LEAST),
        Figure(
            f"{name}: ÷ critical path",
            at_once / path,
            "",
            at_most=OVER_PATH_AT_MOST,
            note=f"of {path * 1000:.0f} ms",
        ),
    ]
