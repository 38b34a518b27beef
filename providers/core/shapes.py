"""The shapes, paths and keys of core's API: what it is sent, and what it answers.

The client builds them and mypy looks whether it does; `payment-service spec core` shows
the JSON schemas that pydantic makes of them. Amounts are minor units, times RFC 3339.
"""

from typing import Annotated, Final, NotRequired, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

from fsm.domain.events import OUTCOMES
from fsm.domain.ids import ID_LENGTH_MAX
from fsm.domain.money import AMOUNT_MAX
from fsm.domain.reading import CODE_LENGTH_MAX
from fsm.engine.words import Kind
from handlers.ports.core import MembershipVerb, Operation

BALANCE: Final = "/v1/balance"
NOTIFICATIONS: Final = "/v1/notifications"
ENTRIES: Final = "/v1/balance/entries"
MEMBERSHIPS: Final = "/v1/memberships"
REVOKE: Final = "/v1/memberships/revoke"
KEY: Final = "Idempotency-Key"

FINAL_TYPES: Final = tuple(
    f"{kind.value}.{end.value}" for kind in Kind for end in sorted(OUTCOMES)
)
"""What core can be told of an order's end."""


def key_of(task_id: str, what: Operation | MembershipVerb) -> str:
    """Return the key of a call: the same for every repeat, and of no other call."""
    return f"{task_id}:{what}"


def membership_path(verb: MembershipVerb) -> str:
    """Return where a membership is moved."""
    return REVOKE if verb is MembershipVerb.REVOKE else MEMBERSHIPS


_TASK: Final = "the attempt: one try of one order at one provider or partner"
_QUEUE: Final = "the order, by our own id"
_ORDER: Final = "the order, by the id that the upstream system gave it"

_Uuid: TypeAlias = Annotated[str, Field(json_schema_extra={"format": "uuid"})]
_Time: TypeAlias = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
_Id: TypeAlias = Annotated[str, Field(min_length=1, max_length=ID_LENGTH_MAX)]
_TaskId: TypeAlias = Annotated[_Uuid, Field(description=_TASK)]
_QueueId: TypeAlias = Annotated[_Uuid, Field(description=_QUEUE)]
_OrderId: TypeAlias = Annotated[_Id, Field(description=_ORDER)]
_Amount: TypeAlias = Annotated[
    int,
    Field(
        ge=1,
        le=AMOUNT_MAX,
        description="in the currency's minor unit",
        json_schema_extra={"format": "int64"},
    ),
]
_Currency: TypeAlias = Annotated[str, Field(pattern="^[A-Z]{3}$")]


class BalanceRequest(TypedDict):
    """Whose money, how much, for which attempt: the same for all of a task's calls."""

    task_id: _TaskId
    queue_id: _QueueId
    order_id: _OrderId
    merchant_id: _Id
    provider: Annotated[str, Field(description="the name in our configuration")]
    terminal_id: Annotated[str | None, Field(description="null: the request had none")]
    amount: _Amount
    currency: _Currency


class MembershipRequest(TypedDict):
    """Whose card is a member at which partner.

    ``provisional`` is true where a grant is for now, to be confirmed or revoked.
    """

    task_id: _TaskId
    customer_id: _Id
    partner: Annotated[str, Field(description="the name in our configuration")]
    card_token: Annotated[str, Field(min_length=1, description="never a card number")]
    provisional: bool


class OutcomeNotification(TypedDict):
    """The final event of an order; what is not known or does not apply is left out."""

    event_id: Annotated[_Uuid, Field(description="the same in every repeat")]
    type: Annotated[str, Field(json_schema_extra={"enum": [*FINAL_TYPES]})]
    at: _Time
    order_id: _OrderId
    queue_id: _QueueId
    merchant_id: _Id
    customer_id: _Id
    task_id: NotRequired[_TaskId]
    amount: NotRequired[_Amount]
    currency: NotRequired[_Currency]
    provider: NotRequired[str]
    terminal_id: NotRequired[str]
    provider_reference: NotRequired[
        Annotated[str, Field(description="the provider's own id of the payout")]
    ]
    attempts: NotRequired[
        Annotated[int, Field(ge=0, description="of a withdrawal: how many were sent")]
    ]
    code: NotRequired[Annotated[str, Field(description="why, where it failed")]]
    message: NotRequired[str]
    result: NotRequired[Annotated[str, Field(description="how a partner link ended")]]


class DoneAnswer(TypedDict, total=False):
    """An object, empty or not. What it repeats of the call must be as in the call.

    It says no error: ``ok`` and ``success`` are not false, ``error`` and ``errors`` are
    not there or empty. Whatever else is in it is ignored.
    """

    task_id: str
    operation: str
    amount: int
    currency: str
    customer_id: str
    partner: str


class RefusedAnswer(TypedDict):
    """A final no: nothing was done, and nothing ever will be under this key."""

    code: Annotated[
        str,
        Field(
            pattern=f"^[!-~]{{1,{CODE_LENGTH_MAX}}}$",
            description="a word for programs; it stands in the order's task",
        ),
    ]
    message: Annotated[str, Field(description="a sentence for people")]


class BalanceMovement(TypedDict):
    """One movement: what had no effect (a repeat, a refusal) is no entry."""

    task_id: _TaskId
    operation: Operation
    amount: _Amount
    currency: _Currency
    at: Annotated[_Time, Field(description="when it was booked, by core's clock")]


class BalanceEntries(TypedDict):
    """Entries of the time asked for, in an order that does not change."""

    entries: list[BalanceMovement]
    next_cursor: Annotated[
        str | None, Field(description="asks for what follows; null on the last page")
    ]
