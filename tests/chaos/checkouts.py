"""The checkouts of the load, and what the books of who served them say at the end."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final

import orjson

from providers.testing.simulator import ChargeBook, ServiceBook, StepState
from tests.chaos.fleet import COLLECTING
from tests.chaos.sent import LOST, Sent, Way

STEPS: Final = ("fraud", *COLLECTING, "delivery", "merchant")
CHARGED: Final = frozenset({"payment"})
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
"""How a service, or who collects, ends a step: one order in three is undone."""


@dataclass(slots=True, kw_only=True)
class SentCheckout(Sent):
    """A checkout; its ``cascade`` is all who serve it, each with its way."""

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
    """Draw a checkout, and what who serves it will do with it."""
    weights = [way.weight for way in WAYS]
    return SentCheckout(
        order_id=f"c-{number:05d}",
        amount=FEE + UNIT_AMOUNT * (1 + number % 5),
        cascade=STEPS,
        ways=tuple(chance.choices(WAYS, weights, k=len(STEPS))),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkouts:
    """What became of the checkouts, by their rows and by the others' books."""

    stored: int
    completed: int
    failed: int
    steps_done: int
    steps_undone: int
    charged: int
    refunded: int
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Return it as the report has it."""
        return (
            f"{self.stored} checkouts: {self.completed} completed, {self.failed} failed"
            f"; in their services' book {self.steps_done} steps stand, "
            f"{self.steps_undone} were done and are undone; of the payment providers' "
            f"charges {self.charged} stand, {self.refunded} are refunded"
        )


def checkouts_of(
    ends: Mapping[str, tuple[str, str]], services: Path, charges: Path
) -> Checkouts:
    """Hold the ends of checkouts against the books of who served them.

    ``ends`` is, by queue id, an order's own id and its state.
    """
    book, collected = ServiceBook(services), ChargeBook(charges)
    states = [state for _, state in ends.values()]
    standing = collected.standing()
    return Checkouts(
        stored=len(states),
        completed=states.count("COMPLETED"),
        failed=states.count("FAILED"),
        steps_done=len(book.done()),
        steps_undone=sum(
            step.state is StepState.UNDONE and step.times_done > 0
            for step in book.steps.values()
        ),
        charged=len(standing),
        refunded=sum(bool(each.refunded_by) for each in collected.charges.values()),
        wrong=[*_wrong(book, collected, ends)],
    )


def _wrong(
    book: ServiceBook, collected: ChargeBook, ends: Mapping[str, tuple[str, str]]
) -> Iterator[str]:
    yield from (f"services: {problem}" for problem in book.check())
    by_queue = {queue_id: state for queue_id, (_, state) in ends.items()}
    yield from (
        f"services: {problem}" for problem in book.against(by_queue, elsewhere=CHARGED)
    )
    yield from (f"charges: {problem}" for problem in collected.check())
    by_order = dict(ends.values())
    yield from (f"charges: {problem}" for problem in collected.against(by_order))
    paid = {each.asked.order_id for each in collected.standing()}
    for order_id, state in by_order.items():
        if state == "COMPLETED" and order_id not in paid:
            yield f"charges: {order_id} is completed, and nobody has charged for it"
