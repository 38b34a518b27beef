"""What can go wrong, named as facts.

```
PaymentServiceError
├── Refusal                     the caller's fault; told to the caller, never retried
│   ├── InvalidRequest          a request, message or webhook that cannot be read
│   ├── UnknownOrder            no such order, task, case or dead letter
│   ├── AmbiguousOrder          several merchants or kinds share the id
│   └── NotNow                  the state does not allow it (409)
│       ├── CannotStop          what is under way lets nobody give it up
│       └── Tampered            its rows are not as the service has left them
├── Later                       not just now (503); why is not told to the caller
│   ├── Fault                   ours or our neighbours'; retried, loud
│   │   ├── StoreUnavailable    PostgreSQL did not answer, or did not say
│   │   │   └── Unfit           … or is not one that can be worked with; says why
│   │   ├── BusUnavailable      NATS did not answer
│   │   │   ├── JetStreamRefused    … or said no
│   │   │   ├── PermissionRefused   … or may not be used like that
│   │   │   └── TopologyRefused     … or has streams that would lose something
│   │   ├── CoreUnavailable     core gave no definite answer
│   │   ├── SinkUnavailable     a place for anchors did not take a line
│   │   ├── UnreadableRow       a row cannot be read
│   │   │   └── UnknownWords        … it holds words of another version
│   │   ├── UnknownKey          a row is signed by a key that is not known here
│   │   ├── Contended           the order moves faster than this step is decided
│   │   ├── InFlight            somebody else may be sending it right now
│   │   ├── ClaimTooOld         this worker has slept past what it knew
│   │   ├── TooManyWaiters      as many callers wait as may
│   │   └── NotAsked            whom NATS lets in is still being found out
│   └── StaleWrite              somebody else moved the row first; decide again
│       └── WebhookSettled         … and the webhook that the step is made of
├── BrokenInvariant             the database refused a step that must never be tried
│   └── Unstorable              a value that no column takes, today or tomorrow
├── SettingsError               the environment cannot be used; names each setting
├── ConfigError                 the TOML file cannot be used; names table and key
├── SchemaBehind                the database is not at the schema of this version
├── OldServer                   NATS is older than what is needed
├── Usage                       a command was not given what it needs
│   └── Ambiguous               … the beginning of an id is that of several
├── Wrong                       a command found something wrong
│   ├── ApiRefused              … the API said no
│   ├── NothingFound            … there is nothing of that name
│   └── NotReached              … what it works with did not answer
│       └── Unreachable         … and that is the API
└── EmbeddedServerError         a server out of a wheel
    ├── WheelMissingError       … is not installed
    └── StartFailedError        … did not start
```
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, Self

from fsm.domain.field_errors import FieldError, in_body, in_parameter

FOUND_WRONG: Final = 1
WRONG_USAGE: Final = 2
AGAIN: Final = "try again in a moment"
"""The mend of whatever is over by itself; whatever else is known says more."""


class PaymentServiceError(Exception):
    """Everything this service raises on purpose.

    What a kind of error means to whoever meets it stands in its class: how it is mended
    and the exit code for the command line, the status for the API.
    """

    mend: ClassVar[str] = ""
    """How an operator mends it; empty: what it came from may know."""
    says_mend: ClassVar[bool] = False
    """Whether its own text says how, so that nothing is added to it."""
    exit_code: ClassVar[int] = FOUND_WRONG
    """Of a command that ends with it."""
    status: int = 500
    """Of an HTTP call that ends with it; 500: a bug, of which the caller learns no more
    than a number."""

    def told(self) -> str:
        """Return what the caller of the API is told."""
        return str(self)

    def members(self) -> Mapping[str, object]:
        """Return what its problem document has besides."""
        return {}


class Refusal(PaymentServiceError):
    """The caller asked for what cannot be; ``errors`` are the same by their places."""

    says_mend = True
    status = 422

    def __init__(self, told: str, *, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(told)
        self.errors = tuple(errors)

    @classmethod
    def of_field(cls, *path: int | str, detail: str) -> Self:
        """Make one about a place of the body."""
        error = in_body(path, detail)
        return cls(str(error), errors=[error])

    @classmethod
    def of_parameter(cls, name: str, detail: str) -> Self:
        """Make one about a parameter of the path, the query or the headers."""
        error = in_parameter(name, detail)
        return cls(str(error), errors=[error])

    def members(self) -> Mapping[str, object]:
        """Return where it is wrong, for programs."""
        errors = [error.plainly() for error in self.errors]
        return {"errors": errors} if errors else {}


class InvalidRequest(Refusal):
    """A request that cannot be accepted; says where and why.

    ``order_id`` is given where it could be read all the same; ``warnings`` name what
    of it is not known.
    """

    def __init__(
        self,
        problem: str,
        *,
        order_id: str | None = None,
        errors: Sequence[FieldError] = (),
        warnings: Sequence[FieldError] = (),
    ) -> None:
        super().__init__(problem, errors=errors)
        self.problem = problem
        self.order_id = order_id
        self.warnings = tuple(warnings)


class UnknownOrder(Refusal):
    """Nothing of that kind has this id; ``what`` is the kind that was asked for."""

    mend = "the command's own `list` shows those that there are"
    says_mend = False
    status = 404

    def __init__(self, asked: str, what: str = "order or task") -> None:
        super().__init__(f"no {what} {asked!r}")
        self.asked = asked
        self.what = what

    def told(self) -> str:
        """Return what there is not; the caller knows what he has asked for."""
        return f"There is no such {self.what}."


class AmbiguousOrder(Refusal):
    """Several merchants or kinds share an order id; the candidates tell them apart."""

    mend = "ask for one by its queue_id"
    says_mend = False
    status = 409

    def __init__(self, order_id: str, candidates: list[dict[str, str]]) -> None:
        super().__init__(f"order_id {order_id!r} is used more than once")
        self.order_id = order_id
        self.candidates = candidates

    def told(self) -> str:
        """Return what to do about it."""
        return "Several orders share this order_id; ask for one by its queue_id."

    def members(self) -> Mapping[str, object]:
        """Return the orders that may be meant."""
        return {"candidates": self.candidates}


class NotNow(Refusal):
    """The present state does not allow what was asked."""

    status = 409

    def __init__(self, problem: str, *, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(problem, errors=errors)
        self.problem = problem


class CannotStop(NotNow):
    """Nothing came of a wish to give up what is under way; says what may be done."""


class Tampered(NotNow):
    """Another hand has changed an order's rows: nothing is done with it."""

    def __init__(self, queue_id: str, what: str) -> None:
        super().__init__(
            f"order queue {queue_id} was changed in the database: {what}; its case "
            "is open, `payment-service verify` says more, and nothing is done before "
            "the rows are put back"
        )
        self.queue_id = queue_id


class Later(PaymentServiceError):
    """It cannot be done just now, and may be a moment later."""

    mend = AGAIN
    status = 503

    def told(self) -> str:
        """Return that it may be tried again; why is ours to know."""
        return "This cannot be done just now; try again."


class Fault(Later):
    """Something around us failed; the work is tried again."""


class StoreUnavailable(Fault):
    """PostgreSQL did not answer; whether it committed is unknown."""

    mend = "see PAYMENT_DATABASE_URL, and whether PostgreSQL runs"


class UnreadableRow(Fault):
    """An order's rows cannot be read."""

    mend = "`payment-service verify` says what is wrong with them"

    def __init__(self, queue_id: str, because: str) -> None:
        super().__init__(f"order queue {queue_id} cannot be read: {because}")
        self.queue_id = queue_id


class UnknownWords(UnreadableRow):
    """Rows hold words that this version does not know; a newer one takes them.

    ``words`` say what each is and which: ``lifecycle charge``, ``state PAUSED``.
    """

    says_mend = True
    status = 409

    def __init__(self, queue_id: str, words: Sequence[str]) -> None:
        super().__init__(
            queue_id,
            f"this version knows no {', no '.join(words)}; it is left as it is, and "
            "goes on by itself with a worker of a version that does",
        )
        self.words = tuple(words)

    def told(self) -> str:
        """Return which words: the caller can do nothing here, and has to know."""
        return str(self)


class BusUnavailable(Fault):
    """NATS did not acknowledge; whether it stored the message is unknown."""

    mend = "see PAYMENT_NATS_URL, and whether NATS runs with JetStream"


class CoreUnavailable(Fault):
    """Core gave no definite answer; the same call is repeated with the same key."""

    mend = "see PAYMENT_CORE_URL, and whether core runs"

    def __init__(self, operation: str, because: str) -> None:
        super().__init__(f"core {operation}: {because}")
        self.operation = operation
        self.because = because


class SinkUnavailable(Fault):
    """A place for anchors cannot be used; what is to go there goes later, in order."""

    mend = "see PAYMENT_ANCHOR_FILE and PAYMENT_ANCHOR_STREAM, and what is behind them"

    def __init__(self, sink: str, because: str) -> None:
        super().__init__(f"anchors to the {sink}: {because}")


class StaleWrite(Later):
    """A row of the step was moved by somebody else since it was loaded."""

    def __init__(self, queue_id: str) -> None:
        super().__init__(f"order queue {queue_id} has moved on")
        self.queue_id = queue_id


class WebhookSettled(StaleWrite):
    """The webhook that the step was decided on was settled by another step."""


class BrokenInvariant(PaymentServiceError):
    """The database refused a step: a bug, stopped before it cost money."""

    mend = "this is a bug: report it with the line of the log"

    def __init__(self, constraint: str) -> None:
        super().__init__(f"the database refused the step: {constraint}")
        self.constraint = constraint


class Unstorable(BrokenInvariant):
    """A value of it can be kept by no column, however often it is tried."""
