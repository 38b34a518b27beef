"""What core has told the kit: how an answer is read and shown, and kept by its task."""

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from fsm.domain.errors import CoreUnavailable
from fsm.domain.masking import masked_prose
from fsm.domain.money import AMOUNT_MAX
from fsm.domain.reading import shortened
from handlers.ports.core import BalanceCall, Confirmed, Operation, Refused
from providers.core.answers import balance_answer
from providers.http.outbound import Lost, RequestNotSent, Response

FOUND_LENGTH_MAX: Final = 700


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Core said nothing definite, however often it was asked."""

    because: str

    def __str__(self) -> str:
        """Say what it said, as the client would."""
        return self.because


Told: TypeAlias = Confirmed | Refused | Unanswered


class Silent(Exception):
    """Not even an answer came: core is away, or takes too long."""


@dataclass(slots=True)
class Heard:
    """What a made-up task was told: which of its calls were asked for, and done."""

    call: BalanceCall
    asked: set[Operation] = field(default_factory=set)
    done: set[Operation] = field(default_factory=set)
    may_hold: bool = False

    def hears(self, operation: Operation, told: Told, call: BalanceCall) -> None:
        """Take note of an answer to one of its calls."""
        if isinstance(told, Confirmed) and call == self.call:
            self.done.add(operation)
        if operation is Operation.FREEZE and not isinstance(told, Refused):
            self.may_hold = True

    def __str__(self) -> str:
        """Say whose money it is, and where."""
        money = self.call.money
        is_most = money.amount == AMOUNT_MAX
        # Spelt out it looks like the number of a card.
        known = f"2^53-1 of {money.currency}" if is_most else str(money)
        what = "paid out" if Operation.COMMIT in self.done else "perhaps held"
        whose = f"of merchant {self.call.merchant_id}"
        return f"{known} {whose}, {what}, task {self.call.task_id}"


def read(operation: Operation, answer: Response | Lost | RequestNotSent) -> Told:
    """Read an answer as the client does."""
    try:
        return balance_answer(operation, {}, answer)
    except CoreUnavailable as error:
        return Unanswered(error.because)


def said(told: Told) -> str:
    """Say what core said."""
    match told:
        case Confirmed():
            return "core says it is done"
        case Refused(code=code, message=message):
            return f"core refuses it ({code}: {message})"
        case Unanswered(because=because):
            why = because.removesuffix(" is no definite answer")
            return f"core gives no definite answer ({why})"


def shown(text: str) -> str:
    """Return one line without secrets; a mend is no use cut off."""
    line = " ".join(masked_prose(text).split())
    return line if len(line) <= FOUND_LENGTH_MAX else shortened(line)
