"""The checkouts of the load, and what their services' own books say at the end."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final

import orjson

from providers.testing.simulator import ServiceBook, StepState
from tests.chaos.sent import LOST, Sent, Way

STEPS: Final = ("fraud", "payment", "delivery", "merchant")
SHARE: Final = 4
"""Every fourth order is a checkout."""

UNIT_AMOUNT: Final = 1_100
FEE: Final = 250
_ASKED: Final = 5.0
"""How long asking what became of a step adds at most."""

WAYS: Final = (
    Way("succeed", 70, 0),
    Way("decline", 8, 0),
    Way("accept_then_succeed", 6, _ASKED),
    Way("silence_succeed", 3, _ASKED),
    Way("silence_fail", 2, _ASKED),
    Way("commit_hang", 3, LOST),
    Way("commit_502", 2, LOST),
    Way("commit_reset", 3, LOST),
    Way("decline_hang", 1, LOST),
    Way("hang_once", 1, LOST + 2),
    Way("error_500_once", 1, LOST + 2),
)
"""How a service ends a step: nearly one order in three is undone, or never begun."""


@dataclass(slots=True, kw_only=True)
class SentCheckout(Sent):
    """A checkout; its ``cascade`` are its steps, each with its service's way."""

    subject: ClassVar[str] = "checkout.requested"
    path: ClassVar[str] = "/v1/checkouts"

    @property
    def body(self) -> bytes:
        """The request as an upstream system would send it."""
        quantity, rest = divmod(self.amount - FEE, UNIT_AMOUNT)
        return orjson.dumps(
            {
                "order_id": self.order_id,
                "merchant_id": "m-chaos",
                "customer_id": f"c-{self.order_id[-2:]}",
                "amount": self.amount,
                "currency": "EUR",
                "payment_method": {"type": "card", "token": self.token},
                "items": [
                    {"sku": "sku-1", "quantity": quantity, "unit_amount": UNIT_AMOUNT}
                ],
                "delivery": {"country": "LV"},
                "fees": [{"code": "delivery", "amount": FEE + rest}],
                "metadata": {"channel": "chaos"},
            }
        )


def checkout(number: int, chance: random.Random) -> SentCheckout:
    """Draw a checkout, and what its services will do with it."""
    weights = [way.weight for way in WAYS]
    return SentCheckout(
        order_id=f"c-{number:05d}",
        amount=FEE + UNIT_AMOUNT * (1 + number % 5),
        cascade=STEPS,
        ways=tuple(chance.choices(WAYS, weights, k=len(STEPS))),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkouts:
    """What became of the checkouts, by their rows and by their services' book."""

    stored: int
    completed: int
    failed: int
    steps_done: int
    steps_undone: int
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Return it as the report has it."""
        return (
            f"{self.stored} checkouts: {self.completed} completed, {self.failed} failed"
            f"; in their services' book {self.steps_done} steps stand, "
            f"{self.steps_undone} were done and are undone"
        )


def checkouts_of(states: Mapping[str, str], path: Path) -> Checkouts:
    """Hold the states of checkouts, by queue ids, against their services' book."""
    book = ServiceBook(path)
    ends = [*states.values()]
    return Checkouts(
        stored=len(states),
        completed=ends.count("COMPLETED"),
        failed=ends.count("FAILED"),
        steps_done=len(book.done()),
        steps_undone=sum(
            step.state is StepState.UNDONE and step.times_done > 0
            for step in book.steps.values()
        ),
        wrong=[*_wrong(book, states)],
    )


def _wrong(book: ServiceBook, states: Mapping[str, str]) -> Iterator[str]:
    yield from (f"services: {problem}" for problem in book.check())
    yield from (f"services: {problem}" for problem in book.against(states))
