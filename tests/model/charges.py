"""The charges' own world: payment providers that are tried in order, asked for real.

It is the saga's world (``sagas``), where a step has two payment providers. Beside what
holds there: no two have charged, or may have; nothing is refunded that is not charged.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from fsm.charge.lifecycle import CHARGE
from fsm.charge.policy import ChargePolicy
from fsm.engine.flow import StepSpec
from fsm.engine.rows import Task
from fsm.engine.words import State
from handlers.checkout.open import opened
from payment_service.playground.memory.services import StepFate
from tests.fsm.chores import NOW
from tests.model.checker import Violation
from tests.model.sagas import DONE_NOW, OWN, Checkouts, Fate, Model, Saga, Worker

BOTH: Final = ("north", "south")
ALIVE: Final = timedelta(hours=1)
DEAD: Final = timedelta(0)
PAY: Final = StepSpec(
    name="payment", lifecycle="service", others=(CHARGE.name,), undo=True
)
HAND_OVER: Final = StepSpec(
    name="merchant", lifecycle="pivot", after=("payment",), point_of_no_return=True
)
REFUNDABLE: Final = frozenset({StepFate.DONE, StepFate.KEPT, StepFate.UNDONE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Collecting(Checkouts):
    """Such a world; where ``absence`` proves that it never charged, none is late."""

    key_lifetime: timedelta = ALIVE
    absence: bool = False

    def model(self, bugs: Any = None) -> "ChargeModel":
        """Return the world; its wrong turns are planted in the code itself."""
        del bugs
        return ChargeModel(self)


class ChargeModel(Model):
    """The moves of such a world."""

    def __init__(self, setup: Collecting) -> None:
        self.collecting = setup
        super().__init__(setup)
        self.terms = self.policy(spent=False)

    def opened(self) -> tuple[Task, ...]:
        return opened(self.flow, "queue", NOW, {"payment": BOTH})

    def policy(self, *, spent: bool) -> ChargePolicy:
        return ChargePolicy(
            attempts=0 if spent else 99,
            key_lifetime=self.collecting.key_lifetime,
            absent_after=timedelta(0) if self.collecting.absence else None,
        )

    def is_spared(self, task: Task) -> bool:
        return task.lifecycle == CHARGE.name and task.state is not State.SUCCEEDED

    def _judged(
        self, rows: tuple[int, ...], books: tuple[Fate, ...], floating: frozenset[int]
    ) -> str | None:
        charged = [
            n
            for n, row in enumerate(rows[:OWN])
            if self.task(row).lifecycle == CHARGE.name
            and (books[n] in DONE_NOW or (books[n] is None and n in floating))
        ]
        if len(charged) > 1:
            return f"charged twice, or may yet be: {charged}"
        return super()._judged(rows, books, floating)

    def _check_call(self, world: Saga, row: int, what: str) -> None:
        super()._check_call(world, row, what)
        task, book = self.task(world.rows[row]), world.books[row]
        charges = task.lifecycle == CHARGE.name
        if charges and what == "undo" and book not in REFUNDABLE:
            raise Violation(f"{row} is to be refunded, and its book says {book}")

    def _answers(
        self, world: Saga, worker: Worker, what: str
    ) -> Iterator[tuple[tuple[Fate, ...], frozenset[int], str, bool]]:
        for said in super()._answers(world, worker, what):
            if not (self.collecting.absence and said[1] != world.floating):
                yield said


COLLECTED: Final = Collecting(
    name="checkout: two payment providers, then no return",
    steps=(PAY, HAND_OVER),
    workers=1,
    keeps=True,
)
ERRING: Final = Collecting(
    name="checkout: two payment providers, a person errs",
    steps=(PAY, HAND_OVER),
    workers=1,
    errs=True,
)
CHARGES: Final = (
    ERRING,
    COLLECTED,
    Collecting(
        name="checkout: two payment providers, absence proves",
        steps=(PAY, HAND_OVER),
        workers=1,
        key_lifetime=DEAD,
        absence=True,
    ),
)
WIDE_CHARGES: Final = (
    Collecting(
        name="checkout: two payment providers, keys die, two workers",
        steps=(PAY, HAND_OVER),
        key_lifetime=DEAD,
        cancels=False,
    ),
    Collecting(
        name="checkout: two payment providers, two workers",
        steps=(PAY, HAND_OVER),
        cancels=False,
    ),
)
"""What takes minutes: searched by the command alone."""
