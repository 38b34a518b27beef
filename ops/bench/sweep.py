"""Throughput and latency against the number of orders in flight, drawn as two plots."""

from collections import defaultdict
from typing import Final

from ops.bench import plots, results
from ops.bench.throughput import DBOS, Sample, contestants
from ops.bench.world import World

IN_FLIGHT: Final = (1, 4, 16, 64, 256)
ORDERS_EACH: Final = 15
ORDERS_MAX: Final = 3000
DBOS_IN_FLIGHT_MIN: Final = 4


async def measure(world: World, *, most: int) -> None:
    """Measure every contestant with more and more orders in flight; draw the plots."""
    samples: list[Sample] = []
    for in_flight in (n for n in IN_FLIGHT if n <= most):
        for name, run in contestants().items():
            if name == DBOS and in_flight < DBOS_IN_FLIGHT_MIN:
                continue
            orders = min(max(200, in_flight * ORDERS_EACH), ORDERS_MAX)
            sample = await run(world, orders, in_flight)
            samples.append(sample)
            print(
                f"{in_flight:4} in flight: {name:20} {sample.rate:7.1f}/s", flush=True
            )
    draw(samples)
    details = {"samples": [sample.as_json() for sample in samples]}
    results.keep("sweep", [], details, mocks=world.mocks.made_by)


def draw(samples: list[Sample]) -> None:
    """Write both plots."""
    rates: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    times: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for sample in samples:
        rates[sample.contestant].append((sample.in_flight, sample.rate))
        times[f"{sample.contestant}, p50"].append((sample.in_flight, sample.p50 * 1000))
        if sample.contestant.startswith("service"):
            times[f"{sample.contestant}, p99"].append(
                (sample.in_flight, sample.p99 * 1000)
            )
    results.RESULTS.mkdir(parents=True, exist_ok=True)
    x = "orders in flight"
    (results.RESULTS / "throughput.svg").write_text(
        plots.lines("Withdrawals a second", rates, x=x, y="a second")
    )
    (results.RESULTS / "latency.svg").write_text(
        plots.lines("From request to final event", times, x=x, y="milliseconds")
    )
