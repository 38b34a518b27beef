"""The shapes of answers and bodies, for the OpenAPI document alone."""

from typing import Any, Final, Literal

from fastapi import FastAPI
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from fsm.domain.keys import KeyRole
from fsm.domain.letters import Reason
from fsm.domain.roster import KeyState
from fsm.engine.words import CaseKind, CaseState, Kind, OrderState, State
from fsm.payout.words import Wait
from handlers.ports.reads import ProviderState
from payment_service.api.responses import PROBLEM_TYPE
from payment_service.api.wishes import (
    Assignment,
    Cancellation,
    Closing,
    Erasing,
    KeyWish,
    Pausing,
    Replaying,
    Resolution,
    Revoking,
    Settlement,
    ThresholdWish,
    Withdrawing,
)
from payment_service.wire.requests import Withdrawal
from payment_service.wire.webhook_message import WebhookBody

SCHEMAS: Final = "#/components/schemas/{model}"
Responses = dict[int | str, dict[str, Any]]


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


def left_out(**more: Any) -> Any:  # noqa: ANN401 - fits a field of any type
    """Return a field that may be left out, and is never null."""
    return Field(default=None, json_schema_extra=_without_default, **more)


class Shape(BaseModel):
    """An answer."""


class TaskShape(Shape):
    """One attempt at one provider."""

    task_id: str
    position: int = Field(ge=0)
    name: str
    provider: str = left_out()
    terminal_id: str = left_out()
    state: State
    version: int = Field(ge=1)
    provider_reference: str = left_out()
    code: str = left_out()
    waiting_for: Wait = left_out()
    wake_at: str = left_out()
    created_at: str | None
    updated_at: str | None


class OrderShape(Shape):
    """An order with its tasks, by position."""

    order_id: str
    queue_id: str
    kind: Kind
    merchant_id: str
    customer_id: str
    state: OrderState
    amount: int = Field(ge=1)
    currency: str
    created_at: str
    finished_at: str | None
    customer_message: str | None
    tasks: list[TaskShape]


class ProofShape(Shape):
    """The line of the audit trail that proves how an attempt ended."""

    trigger: str
    actor: str
    at: str
    version: int = Field(ge=1)
    detail: dict[str, Any]


class AttemptShape(Shape):
    """Why a provider was tried, passed over or stopped at."""

    task_id: str
    position: int = Field(ge=0)
    provider: str
    outcome: State
    because: list[str]
    proof: ProofShape | None
    words: str


class ExplainedShape(OrderShape):
    """An order with its tasks, and why each of them ended as it did.

    Without ``explanation`` and ``in_words`` where ``wait`` is given.
    """

    explanation: list[AttemptShape] | None = None
    in_words: str | None = None


class OrdersShape(Shape):
    """Orders, newest first."""

    orders: list[OrderShape]
    next_cursor: str | None


class EventShape(Shape):
    """One line of the audit trail; ``task_id`` is null where it is about the order."""

    seq: int
    task_id: str | None
    from_: str | None = Field(alias="from")
    to: str
    trigger: str
    actor: str
    at: str
    version: int = Field(ge=1)
    trace_id: str | None
    detail: dict[str, Any]


class EventsShape(Shape):
    """The audit trail of an order."""

    events: list[EventShape]


class ServiceEventsShape(Shape):
    """What was done to the service itself, newest first; ``task_id`` is null."""

    events: list[EventShape]
    next_cursor: str | None


class CaseShape(Shape):
    """A contradiction that a person has to look at."""

    id: str
    kind: CaseKind
    order_id: str
    queue_id: str
    task_id: str
    state: CaseState
    money_at_risk: int = Field(ge=0, description="minor units of the currency")
    currency: str
    owner: str = left_out()
    close_voter: str = left_out()
    opened_at: str
    age_seconds: int = Field(ge=0)
    closed_at: str = left_out()
    reason: str = left_out()
    detail: dict[str, Any]


class CasesShape(Shape):
    """Cases, newest first."""

    cases: list[CaseShape]
    next_cursor: str | None


class DeadLetterShape(Shape):
    """A message that could not be handled."""

    id: str
    subject: str
    reason: Reason
    error: str
    at: str
    task_id: str = left_out()
    order_id: str = left_out()
    deliveries: int


class DeadLettersShape(Shape):
    """Dead letters neither replayed nor discarded, newest first."""

    dead_letters: list[DeadLetterShape]
    next_cursor: str | None


class ProviderShape(Shape):
    """How a provider does; ``success_rate`` is null where there were no calls."""

    name: str
    adapter: str
    state: ProviderState
    in_flight: int
    success_rate: float | None
    because: str | None = Field(
        default=None, description="why it is given no new work, where it is not"
    )


class ProvidersShape(Shape):
    """All configured providers."""

    providers: list[ProviderShape]


class SubmissionAnswer(Shape):
    """What became of a request."""

    order_id: str
    queue_id: str = left_out()
    status: Literal["accepted", "duplicate"]


class WebhookAnswer(Shape):
    """What became of a webhook."""

    status: Literal["stored", "seen", "ignored"]


class TaskAnswer(Shape):
    """What became of a decision about a task."""

    task_id: str
    status: Literal["recorded", "waits_for_second_person", "cancel_requested"]


class OrderAnswer(Shape):
    """What became of a wish about an order."""

    order_id: str
    queue_id: str
    status: Literal["cancel_requested", "erased", "was_erased_before"]


class RefusedShape(Shape):
    """An order that was not erased, and why."""

    queue_id: str
    because: str


class ErasedShape(Shape):
    """What became of a customer's orders, by queue_id."""

    erased: list[str]
    refused: list[RefusedShape]


class ItemAnswer(Shape):
    """What became of a case or a dead letter."""

    id: str
    status: Literal[
        "closed",
        "replayed",
        "discarded",
        "assigned",
        "settling",
        "waits_for_second_person",
    ]


class ProviderAnswer(Shape):
    """What became of a provider."""

    name: str
    status: Literal["paused", "resumed"]


class KeyShape(Shape):
    """A key, and what has become of it; never the key itself."""

    name: str
    role: KeyRole
    person: str
    state: KeyState
    source: Literal["environment", "database"]
    fingerprint: str = Field(description="the first 16 digits of the key's SHA-256")
    merchants: list[str] = left_out()
    expires: str = left_out()
    made_by: str = left_out()
    made_at: str = left_out()
    agreed_by: str = left_out()
    agreed_at: str = left_out()
    revoked_by: str = left_out()
    revoked_at: str = left_out()
    reason: str = left_out()
    last_used_at: str = left_out(description="to the minute")


class KeysShape(Shape):
    """Keys by name."""

    keys: list[KeyShape]
    next_cursor: str | None


class KeyAnswer(Shape):
    """What became of a key; ``key`` is told once, to who made it."""

    name: str
    role: KeyRole
    person: str
    fingerprint: str
    status: Literal["live", "waits_for_second_person", "revoked"]
    key: str = left_out()


class ProposalShape(Shape):
    """A looser amount that waits for a second admin."""

    from_: int | None = Field(alias="from")
    by: str
    at: str


class ThresholdShape(Shape):
    """From which amount two decide, in minor units; null: from none on."""

    currency: str = Field(description='"default": all without one of their own')
    from_: int | None = Field(alias="from", description="as the database says")
    effective: int | None = Field(description="with the floor")
    set_by: str = left_out()
    set_at: str = left_out()
    reason: str = left_out()
    proposed: ProposalShape = left_out()


class FourEyesShape(Shape):
    """From which amounts two decide; ``floor`` is PAYMENT_FOUR_EYES_FROM."""

    floor: int | None
    thresholds: list[ThresholdShape]


class ThresholdAnswer(Shape):
    """What became of a threshold."""

    currency: str
    from_: int | None = Field(alias="from")
    effective: int | None
    status: Literal["recorded", "waits_for_second_person"]
    note: str = left_out(description="why it is another that holds")


class ProbeAnswer(Shape):
    """The process lives, or can work."""

    status: Literal["alive", "ready"]


class Unsupported(BaseModel):
    """A request that this version refuses."""

    order_id: str


class Problem(BaseModel):
    """An RFC 9457 problem document; some kinds add members."""

    type: str
    title: str
    status: int
    detail: str
    correlation_id: str = left_out(description="of a 500: tell it to us")
    candidates: list[dict[str, str]] = left_out(description="of an ambiguous id")
    problems: list[str] = left_out(description="what keeps the process from working")
    order_id: str | None = left_out(description="of a refused request")
    outcome: Literal["conflict", "rejected"] = left_out(
        description="of a refused request"
    )
    error: str = left_out(description="of a refused request")


_SHOWN: Final = (
    (Withdrawal, "validation"),
    (Unsupported, "validation"),
    (WebhookBody, "validation"),
    (Resolution, "validation"),
    (Cancellation, "validation"),
    (Closing, "validation"),
    (Erasing, "validation"),
    (Assignment, "validation"),
    (Settlement, "validation"),
    (Replaying, "validation"),
    (Pausing, "validation"),
    (KeyWish, "validation"),
    (Revoking, "validation"),
    (ThresholdWish, "validation"),
    (Withdrawing, "validation"),
    (Problem, "validation"),
)


def answer(description: str, model: type[BaseModel]) -> dict[str, Any]:
    """Describe a success."""
    return {"description": description, "model": model}


def problem(status: int, description: str) -> Responses:
    """Describe a failure."""
    schema = {"$ref": SCHEMAS.format(model="Problem")}
    return {
        status: {
            "description": description,
            "content": {PROBLEM_TYPE: {"schema": schema}},
        }
    }


def body_of(model: str, *, required: bool = True) -> dict[str, Any]:
    """Describe the body of a request, which the framework does not read itself."""
    schema = {"$ref": SCHEMAS.format(model=model)}
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": required, "content": content}}


GUARDED: Final[Responses] = {
    **problem(401, "No key, or one that is not known."),
    **problem(403, "The key's role may not do this."),
    **problem(500, "A failure of ours; the document holds its correlation_id."),
    **problem(503, "Not just now; try again."),
}
WITH_BODY: Final[Responses] = {
    **problem(400, "The body broke off."),
    **problem(408, "The body did not come in time."),
    **problem(413, "The body is over 256 KiB."),
    **problem(415, "The body is compressed."),
    **problem(422, "The body or a parameter is not as documented."),
}


class PaymentApi(FastAPI):
    """The application, whose document knows the shapes that handlers read by hand."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        if self.openapi_schema is None:
            document = super().openapi()
            _, shown = models_json_schema(list(_SHOWN), ref_template=SCHEMAS)
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas.update(shown["$defs"])
            _forget_framework_answers(document)
            self.openapi_schema = document
        return self.openapi_schema


def _forget_framework_answers(document: dict[str, Any]) -> None:
    """Take out what the framework says that it answers, and never does here."""
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    for path in document["paths"].values():
        for operation in path.values():
            content = operation["responses"].get("422", {}).get("content", {})
            if "application/json" in content:
                del operation["responses"]["422"]
