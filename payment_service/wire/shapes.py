"""What the service answers: the shapes of its views, and their JSON schemas in one.

A view builds one and mypy looks whether it does; OpenAPI shows the schema that pydantic
makes of it. Amounts are minor units, times RFC 3339 in UTC, days ISO dates.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypeAliasType, TypedDict

from fsm.domain.dead_letters import Reason
from fsm.domain.votes import Vote
from fsm.engine.words import CaseKind, CaseState, Kind, OrderState, State
from fsm.partner.words import LinkWait
from fsm.payout.words import Wait
from fsm.service.words import ServiceWait
from handlers.ports.reads import ProviderState
from payment_service.wire.customer import CustomerMessageShape
from payment_service.wire.formats import Time, Uuid
from payment_service.wire.left_out import LeftOut
from payment_service.wire.problem_shapes import ErrorShape

LinkResult = TypeAliasType(
    "LinkResult", Literal["linked", "not_eligible", "expired", "unlinked"]
)
WaitingFor = TypeAliasType("WaitingFor", Wait | ServiceWait | LinkWait)


class TaskShape(TypedDict):
    """One attempt, by the name of whom it asks; a provider where it is one."""

    task_id: Uuid
    position: Annotated[int, Field(ge=0)]
    name: str
    provider: NotRequired[LeftOut[str]]
    terminal_id: NotRequired[LeftOut[str]]
    state: State
    version: Annotated[int, Field(ge=1)]
    provider_reference: NotRequired[LeftOut[str]]
    code: NotRequired[LeftOut[str]]
    waiting_for: NotRequired[LeftOut[WaitingFor]]
    wake_at: NotRequired[LeftOut[Time]]
    created_at: Time | None
    updated_at: Time | None


class OrderShape(TypedDict):
    """An order with its tasks, by position; one that moves no money has no amount.

    Where its end is an answer and no more, ``result`` is that answer.
    """

    order_id: str
    queue_id: Uuid
    kind: Kind
    merchant_id: str
    customer_id: str
    state: OrderState
    amount: Annotated[int, Field(ge=1)] | None
    currency: str | None
    created_at: Time
    finished_at: Time | None
    customer_message: CustomerMessageShape | None
    result: NotRequired[LeftOut[LinkResult]]
    tasks: list[TaskShape]


class ProofShape(TypedDict):
    """The line of the audit trail that proves how an attempt ended."""

    trigger: str
    actor: str
    at: Time
    version: Annotated[int, Field(ge=1)]
    detail: Mapping[str, Any]


class AttemptShape(TypedDict):
    """Why an attempt was made, passed over or stopped at."""

    task_id: Uuid
    position: Annotated[int, Field(ge=0)]
    name: str
    provider: NotRequired[LeftOut[str]]
    outcome: State
    because: Sequence[str]
    proof: ProofShape | None
    words: str


class ExplainedShape(OrderShape):
    """An order with its tasks, and why each of them ended as it did.

    Without ``explanation`` and ``in_words`` where ``wait`` is given.
    """

    explanation: NotRequired[LeftOut[list[AttemptShape]]]
    in_words: NotRequired[LeftOut[str]]


class Warned(TypedDict):
    """An answer that names what of its request was not looked at."""

    warnings: NotRequired[
        Annotated[
            list[ErrorShape],
            Field(description="what was not looked at, and where it stands"),
        ]
    ]


class LeftOutShape(Warned):
    """How many are left out, since this version cannot read them; absent: none are."""

    left_out: NotRequired[LeftOut[Annotated[int, Field(ge=1)]]]


class EventShape(TypedDict("_EventShape", {"from": str | None})):
    """One line of the audit trail; ``task_id`` is null where it is about the order."""

    seq: int
    task_id: Uuid | None
    to: str
    trigger: str
    actor: str
    at: Time
    version: Annotated[int, Field(ge=1)]
    trace_id: str | None
    detail: Mapping[str, Any]


class EventsShape(TypedDict):
    """The audit trail of an order."""

    events: list[EventShape]


class StoryShape(OrderShape):
    """An order in a list; with ``history`` its audit trail too."""

    events: NotRequired[LeftOut[list[EventShape]]]


class OrdersShape(LeftOutShape):
    """Orders, newest first."""

    orders: list[StoryShape]
    next_cursor: str | None


class ServiceEventsShape(TypedDict):
    """What was done to the service itself, newest first; ``task_id`` is null."""

    events: list[EventShape]
    next_cursor: str | None


class CaseShape(TypedDict):
    """A contradiction that a person has to look at."""

    id: Uuid
    kind: CaseKind
    order_id: str
    queue_id: Uuid
    task_id: Uuid
    state: CaseState
    money_at_risk: Annotated[
        int, Field(ge=0, description="minor units of the currency")
    ]
    currency: str | None
    owner: NotRequired[LeftOut[str]]
    close_voter: NotRequired[LeftOut[str]]
    opened_at: Time
    age_seconds: Annotated[int, Field(ge=0)]
    closed_at: NotRequired[LeftOut[Time]]
    reason: NotRequired[LeftOut[str]]
    detail: Mapping[str, Any]


class CasesShape(TypedDict):
    """Cases, newest first."""

    cases: list[CaseShape]
    next_cursor: str | None


class DeadLetterShape(TypedDict):
    """A message that could not be handled."""

    id: Uuid
    subject: str
    reason: Reason
    error: str
    at: Time
    task_id: NotRequired[LeftOut[Uuid]]
    order_id: NotRequired[LeftOut[str]]
    deliveries: int


class DeadLettersShape(TypedDict):
    """Dead letters neither replayed nor discarded, newest first."""

    dead_letters: list[DeadLetterShape]
    next_cursor: str | None


class ProviderShape(TypedDict):
    """How a provider does; ``success_rate`` is null where there were no calls."""

    name: str
    adapter: str
    state: ProviderState
    in_flight: int
    success_rate: float | None
    because: NotRequired[
        Annotated[
            LeftOut[str],
            Field(description="why it is given no new work, where it is not"),
        ]
    ]


class ProvidersShape(TypedDict):
    """All configured providers."""

    providers: list[ProviderShape]


class SubmissionAnswer(Warned):
    """What became of a request; with ``wait`` the order as it is then, too."""

    order_id: str
    queue_id: NotRequired[LeftOut[Uuid]]
    status: Literal["accepted", "duplicate"]
    order: NotRequired[LeftOut[OrderShape]]


class WebhookAnswer(TypedDict):
    """What became of a webhook."""

    status: Literal["stored", "seen", "ignored"]


class TaskAnswer(Warned):
    """What became of a decision about a task."""

    task_id: Uuid
    status: Vote | Literal["cancel_requested", "withdrawn"]


class OrderAnswer(Warned):
    """What became of a wish about an order."""

    order_id: str
    queue_id: Uuid
    status: Literal["cancel_requested", "erased", "was_erased_before"]


class RefusedShape(TypedDict):
    """An order that was not erased, and why."""

    queue_id: Uuid
    because: str


class ErasedShape(Warned):
    """What became of a customer's orders, by queue_id."""

    erased: list[Uuid]
    refused: list[RefusedShape]


class ItemAnswer(Warned):
    """What became of a case or a dead letter."""

    id: Uuid
    status: (
        Vote
        | Literal[
            "closed", "replayed", "discarded", "assigned", "settling", "withdrawn"
        ]
    )


class ProviderAnswer(Warned):
    """What became of a provider."""

    name: str
    status: Literal["paused", "resumed"]


class ProbeAnswer(TypedDict):
    """The process lives, or can work."""

    status: Literal["alive", "ready"]
