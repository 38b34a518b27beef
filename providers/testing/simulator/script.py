"""What a simulated provider does with an order, as data."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final, TypeAlias, get_type_hints

FOREVER: Final = 1_000_000_000
STEPS_MAX: Final = 32
COPIES_MAX: Final = 100


class UnknownScriptError(ValueError):
    """A script, or a field of one, that does not exist or cannot be."""


class PayoutState(StrEnum):
    """Where a payout really is, whatever its provider says about it."""

    ACCEPTED = "accepted"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RETURNED = "returned"


class Mishap(StrEnum):
    """What becomes of an answer on its way."""

    HANG = "hang"  # never answered
    RESET = "reset"  # the connection breaks
    ERROR = "error"  # `mishap_status`, with Retry-After if there is a `retry_after`
    GARBAGE = "garbage"  # 200 with a body that nobody can read
    HUGE = "huge"  # 200 with megabytes
    DRIP = "drip"  # the right answer, byte by byte


class Repeat(StrEnum):
    """What a repeated create with a remembered key gets."""

    REPLAY = "replay"  # the first answer once more
    CONFLICT = "conflict"  # 409 duplicate_reference


class Cancel(StrEnum):
    OK = "ok"  # as long as no money has left
    TOO_LATE = "too_late"
    HANG = "hang"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptStep:
    """What happens `after` the payout was taken: first `becomes`, then the `notice`."""

    after: float = 0.0
    becomes: PayoutState | None = None
    notice: str = ""  # the type of a webhook, such as payout.succeeded
    copies: int = 1  # the same webhook, with the same id, so many times
    before_answer: bool = False  # delivered before the create is answered
    forged: bool = False  # signed with a secret that the receiver does not have

    def __post_init__(self) -> None:
        if self.after < 0 or not 1 <= self.copies <= COPIES_MAX:
            raise UnknownScriptError("a step before its start or with absurd copies")


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One behaviour; its times are seconds, multiplied by `pace` and by the server's.

    A create that is taken starts as `state`, with its effect, and goes through `steps`.
    The first `mishap_times` creates of an order meet the `mishap`, and are taken all
    the same where `mishap_takes`.
    """

    name: str = ""
    state: PayoutState = PayoutState.SUCCEEDED
    code: str = ""
    message: str = ""
    customer_message: str = ""  # of a service's refusal
    decline_status: int = 422
    says: str = ""  # the word in create and status answers instead of the true one
    mishap: Mishap | None = None
    mishap_takes: bool = False
    mishap_times: int = 1
    mishap_status: int = 500
    retry_after: int = 0
    answer_after: float = 0.0
    steps: tuple[ScriptStep, ...] = ()
    hidden_for: float = 0.0  # so long a status answers not found
    hidden_asks: int = 0  # and so many times
    status_mishap: Mishap | None = None
    repeat: Repeat = Repeat.REPLAY
    remembers_for: float = float(FOREVER)  # then a repeated create is a second payout
    stores_declines: bool = True  # else a declined create may be tried again
    cancel: Cancel = Cancel.OK
    misreport_amount: int = 0  # added to the amount in statuses and webhooks
    misreport_currency: str = ""
    pace: float = 1.0

    def __post_init__(self) -> None:
        if len(self.steps) > STEPS_MAX:
            msg = f"more than {STEPS_MAX} steps"
            raise UnknownScriptError(msg)
        if any(later.after < earlier.after for earlier, later in pairwise(self.steps)):
            raise UnknownScriptError("steps out of order")
        early = [step.before_answer for step in self.steps]
        if early != sorted(early, reverse=True):
            raise UnknownScriptError("steps before the answer come first")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedCreate:
    """A create as it came in."""

    provider: str
    reference: str
    key: str
    amount: int
    currency: str
    destination: str
    terminal_id: str
    callback_url: str


Behaviour: TypeAlias = Callable[[ReceivedCreate], Script]


def succeed(_: ReceivedCreate) -> Script:
    return Script(name="succeed")


def always(script: Script) -> Behaviour:
    return lambda _: script


@dataclass(frozen=True, slots=True)
class Mix:
    """Scripts by weight, drawn by a hash: the same seed and order, the same script.

    `by` names the field of the order that stands for it; a reference is new in each
    run of the service, a destination can be the same in all of them.
    """

    weights: tuple[tuple[Script, float], ...]
    seed: int = 0
    by: str = "reference"

    def __post_init__(self) -> None:
        if not self.weights or any(weight < 0 for _, weight in self.weights):
            raise UnknownScriptError("a mix needs weights of zero or more")
        if self.by not in ("reference", "destination"):
            raise UnknownScriptError("a mix is drawn by reference or destination")

    def __call__(self, order: ReceivedCreate) -> Script:
        who = (order.provider, order.terminal_id, getattr(order, self.by))
        return pick(self.weights, draw(self.seed, *who))


def draw(seed: int, *what: str) -> float:
    """Return the number in [0, 1) that belongs to these words: chance without state."""
    text = "\x1f".join((str(seed), *what)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=6).digest()) / 2**48


def pick(weights: Iterable[tuple[Script, float]], at: float) -> Script:
    """Return the script that the point `at` of [0, 1) falls on."""
    weighed = [(script, weight) for script, weight in weights if weight > 0]
    if not weighed:
        raise UnknownScriptError("nothing to pick from")
    left = at * sum(weight for _, weight in weighed)
    for script, weight in weighed:
        left -= weight
        if left < 0:
            return script
    return weighed[-1][0]


def script_from_record(record: Mapping[str, Any]) -> Script:
    """Read a script back as `dataclasses.asdict` and JSON have left it."""
    return changed(Script(), record)


_FIELDS: Final = get_type_hints(Script)
_STEP_FIELDS: Final = get_type_hints(ScriptStep)


def changed(script: Script, fields: Mapping[str, object]) -> Script:
    """Return the script with these fields, given as JSON or as text."""
    changes = {name: _value(_FIELDS, name, value) for name, value in fields.items()}
    return replace(script, **changes)


def _step(fields: object) -> ScriptStep:
    if not isinstance(fields, Mapping):
        raise UnknownScriptError("a step is not an object")
    return ScriptStep(**{k: _value(_STEP_FIELDS, k, v) for k, v in fields.items()})


def _value(hints: Mapping[str, Any], name: str, value: object) -> Any:  # noqa: ANN401
    if name not in hints:
        msg = f"there is no {name!r} in a script"
        raise UnknownScriptError(msg)
    try:
        return _CASTS[hints[name]](value)
    except (TypeError, ValueError) as error:
        msg = f"{name} cannot be {value!r}"
        raise UnknownScriptError(msg) from error


def _flag(value: object) -> bool:
    if value in (True, "true", "1"):
        return True
    if value in (False, "false", "0"):
        return False
    raise ValueError(value)


def _optional(kind: type[StrEnum]) -> Callable[[str | None], StrEnum | None]:
    return lambda value: None if value in (None, "") else kind(value)


_CASTS: Final[Mapping[Any, Callable[[Any], Any]]] = {
    str: str,
    int: int,
    float: float,
    bool: _flag,
    PayoutState: PayoutState,
    Repeat: Repeat,
    Cancel: Cancel,
    PayoutState | None: _optional(PayoutState),
    Mishap | None: _optional(Mishap),
    tuple[ScriptStep, ...]: lambda steps: tuple(map(_step, steps)),
}
