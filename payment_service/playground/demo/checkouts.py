"""The checkouts of the demo: the services that do their steps, and what is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from providers.testing.simulator import (
    Mix,
    Scripts,
    SimulatedService,
    Simulator,
    StepState,
)

SHARE: Final = 4
"""For every fourth withdrawal there is a checkout."""

MIXES: Final[Mapping[str, Mapping[str, float]]] = {
    "fraud": {"succeed": 0.96, "decline": 0.04},
    "payment": {
        "succeed": 0.84,
        "decline": 0.08,
        "commit_reset": 0.04,
        "silence_succeed": 0.04,
    },
    "delivery": {"succeed": 0.92, "decline": 0.04, "commit_502": 0.04},
    "merchant": {"succeed": 0.92, "decline": 0.04, "error_500_once": 0.04},
    "items": {"succeed": 1.0},
}
TABLE: Final = """\
[services.{name}]
base_url = "{base_url}"
timeout = "500ms"
retry = {{ first = "50ms", max = "500ms", attempts = 60 }}
"""


def services(seed: int) -> list[SimulatedService]:
    """Return those who do the steps; the same seed gives the same fates."""
    scripts = Scripts()
    return [
        SimulatedService(
            name=name,
            behaviour=Mix(
                tuple((scripts.read(script), w) for script, w in weights.items()),
                seed,
                "destination",
            ),
        )
        for name, weights in MIXES.items()
    ]


def tables(simulator: Simulator) -> str:
    """Return the services' part of the configuration file."""
    return "\n".join(
        TABLE.format(name=name, base_url=simulator.base_url(name)) for name in MIXES
    )


def requests(withdrawals: int, seed: int) -> list[bytes]:
    """Return the checkouts that come beside so many withdrawals."""
    return [_request(n, seed) for n in range(-(-withdrawals // SHARE))]


def _request(n: int, seed: int) -> bytes:
    return orjson.dumps(
        {
            "order_id": f"c-{n:05d}",
            "merchant_id": "m-demo",
            "customer_id": f"c-{n % 100:02d}",
            "amount": 2_450,
            "currency": "EUR",
            "payment_method": {"type": "card", "token": f"tok_demo_c{seed}_{n:05d}"},
            "items": [{"sku": f"sku-{n % 7}", "quantity": 2, "unit_amount": 1_100}],
            "delivery": {"country": "LV"},
            "fees": [{"code": "delivery", "amount": 250}],
            "metadata": {"channel": "demo"},
        }
    )


@dataclass(frozen=True, slots=True)
class CheckoutFigures:
    """What became of the checkouts, and what their services have written down."""

    sent: int
    completed: int
    failed: int
    steps_done: int
    steps_undone: int
    wrong: tuple[str, ...]

    def __str__(self) -> str:
        """Return it for people, in a sentence."""
        return (
            f"{self.sent} checkouts: {self.completed} completed, {self.failed} failed "
            f"and undone; in the services' books {self.steps_done} steps stand, "
            f"{self.steps_undone} are undone."
        )


def figures(
    simulator: Simulator, sent: Sequence[bytes], states: Mapping[str, str]
) -> CheckoutFigures:
    """Hold the orders, by their queue ids, against the services' own books."""
    standing: list[dict[str, Any]] = simulator.services.standing()
    book = simulator.services.book
    ends = [*states.values()]
    wrong = [f"services: {problem}" for problem in book.check()]
    wrong += [f"services: {problem}" for problem in book.against(states)]
    if len(states) != len(sent):
        wrong.append(f"{len(sent)} checkouts sent, {len(states)} are stored")
    return CheckoutFigures(
        sent=len(sent),
        completed=ends.count("COMPLETED"),
        failed=ends.count("FAILED"),
        steps_done=sum(step["state"] == StepState.DONE for step in standing),
        steps_undone=sum(
            step["state"] == StepState.UNDONE and step["times_done"] > 0
            for step in standing
        ),
        wrong=tuple(wrong),
    )
