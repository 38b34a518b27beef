"""What can go wrong, named as facts.

```
PaymentServiceError
├── Refusal                 the caller's fault; told to the caller, never retried
│   ├── InvalidRequest      a request, message or webhook that cannot be read
│   ├── UnknownOrder        no such order, task, case or dead letter
│   ├── AmbiguousOrder      several merchants or kinds share the id
│   └── NotNow              the state does not allow it (409)
│       └── Tampered        its rows are not as the service has left them
├── Fault                   ours or our neighbours'; retried, loud
│   ├── StoreUnavailable    PostgreSQL did not answer, or did not say
│   ├── UnreadableRow       a row holds what this version does not know
│   ├── BusUnavailable      NATS did not answer
│   ├── CoreUnavailable     core gave no definite answer
│   └── SinkUnavailable     a place for anchors did not take a line
├── StaleWrite              somebody else moved the row first; load again, decide again
│   └── SettledNews         somebody else settled the webhook that the step is made of
└── BrokenInvariant         the database refused a step that must never be tried
    └── Unstorable          a value that no column takes, today or tomorrow
```
"""


class PaymentServiceError(Exception):
    """Everything this service raises on purpose."""


class Refusal(PaymentServiceError):
    """The caller asked for something that cannot be."""


class InvalidRequest(Refusal):
    """A request that cannot be accepted; says where and why.

    ``order_id`` is given where it could be read all the same.
    """

    def __init__(self, problem: str, *, order_id: str | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.order_id = order_id


class UnknownOrder(Refusal):
    """Nothing of that kind has this id; ``what`` is the kind that was asked for."""

    def __init__(self, asked: str, what: str = "order or task") -> None:
        super().__init__(f"no {what} {asked!r}")
        self.asked = asked
        self.what = what


class AmbiguousOrder(Refusal):
    """Several merchants or kinds share an order id; the candidates tell them apart."""

    def __init__(self, order_id: str, candidates: list[dict[str, str]]) -> None:
        super().__init__(f"order_id {order_id!r} is used more than once")
        self.order_id = order_id
        self.candidates = candidates


class NotNow(Refusal):
    """The present state does not allow what was asked."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class Tampered(NotNow):
    """Another hand has changed an order's rows: nothing is done with it."""

    def __init__(self, queue_id: str, what: str) -> None:
        super().__init__(
            f"order queue {queue_id} was changed in the database: {what}; its case "
            "is open, `payment-service verify` says more, and nothing is done before "
            "the rows are put back"
        )
        self.queue_id = queue_id


class Fault(PaymentServiceError):
    """Something around us failed; the work is tried again."""


class StoreUnavailable(Fault):
    """PostgreSQL did not answer; whether it committed is unknown."""


class UnreadableRow(Fault):
    """A row holds a word that this version does not know; a newer one will."""

    def __init__(self, queue_id: str, because: str) -> None:
        super().__init__(f"order queue {queue_id} cannot be read: {because}")
        self.queue_id = queue_id


class BusUnavailable(Fault):
    """NATS did not acknowledge; whether it stored the message is unknown."""


class CoreUnavailable(Fault):
    """Core gave no definite answer; the same call is repeated with the same key."""

    def __init__(self, operation: str, because: str) -> None:
        super().__init__(f"core {operation}: {because}")
        self.operation = operation
        self.because = because


class SinkUnavailable(Fault):
    """A place for anchors cannot be used; what is to go there goes later, in order."""

    def __init__(self, sink: str, because: str) -> None:
        super().__init__(f"anchors to the {sink}: {because}")


class StaleWrite(PaymentServiceError):
    """A row of the step was moved by somebody else since it was loaded."""

    def __init__(self, queue_id: str) -> None:
        super().__init__(f"order queue {queue_id} has moved on")
        self.queue_id = queue_id


class SettledNews(StaleWrite):
    """The webhook that the step was decided on was settled by another step."""


class BrokenInvariant(PaymentServiceError):
    """The database refused a step: a bug, stopped before it cost money."""

    def __init__(self, constraint: str) -> None:
        super().__init__(f"the database refused the step: {constraint}")
        self.constraint = constraint


class Unstorable(BrokenInvariant):
    """A value of it can be kept by no column, however often it is tried."""
