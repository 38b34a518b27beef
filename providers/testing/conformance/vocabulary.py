"""What a provider can say and hear, and who knows how it says it in bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol, runtime_checkable

from fsm.domain.money import Money
from fsm.domain.webhook_events import WebhookEventType

JSON_TYPE: Final = "application/json"
THEIRS: Final = "90017"
WORDS_FOR_PEOPLE: Final = "told by the double"
"""What a double puts where this provider writes words for people."""
DESTINATION: Final = {"type": "card", "token": "tok_conformance_8f2a"}
"""Where the money goes, unless a provider wants to be told more, or otherwise."""


class Call(StrEnum):
    """What an adapter asks a provider for."""

    CREATE = "create"
    STATUS = "status"
    CANCEL = "cancel"


class Saying(StrEnum):
    """What a provider says in reply."""

    SUCCEEDED = "succeeded"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    RETURNED = "returned: paid, and come back"
    TOO_LATE = "too late"
    NOT_FOUND = "not found"
    EXISTS = "exists already"
    LOCKED_OUT = "who asks is not let in"
    BUSY = "too many requests, ask later"
    UNLISTED_CODE = "refused with a code that nobody has listed"
    UNLISTED_WORD = "a word for its state that nobody has listed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """A payout as the provider knows it; ``reference`` is ours."""

    reference: str
    money: Money
    provider_reference: str = THEIRS
    event_id: str = "evt-5521"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRequest:
    """A request as it came over the wire; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request asks for, as the provider reads it.

    ``reference`` is ours, written as we write it. An ``amount`` that is not exactly
    what this provider wants it to be (a number with a point, say) is None.
    """

    call: Call
    reference: str | None = None
    provider_reference: str | None = None
    amount: int | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer, whole and in order; what is to be wrong with it is done to it."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(
        default_factory=lambda: {"Content-Type": JSON_TYPE}
    )


class Unreadable(Exception):
    """A request is none that this provider knows; the message says why."""


class Double(Protocol):
    """A provider as it is on its own side of the wire.

    Whoever writes an adapter in Python writes one too, from the provider's pages and
    not from the adapter: what both have misread in the same way, no check can find.
    """

    def read(self, request: ReceivedRequest) -> Asked:
        """Say what a request asks for, from its bytes.

        :raises Unreadable: this provider knows no such request.
        """
        ...

    def replies(self, call: Call, saying: Saying, deal: Deal) -> Mapping[str, Reply]:
        """Return every way of saying this to that call, by a label for people.

        Empty where this provider never says so.
        """
        ...

    def notices(self, kind: WebhookEventType, deal: Deal) -> Mapping[str, bytes]:
        """Return every webhook body of this kind, by its own word for it.

        UNKNOWN is for words that nobody has listed.
        """
        ...


@runtime_checkable
class Payee(Protocol):
    """A double of a provider that pays only to destinations of a form of its own."""

    @property
    def destination(self) -> Mapping[str, str]:
        """Return one; all but its ``type`` is nobody else's business."""
        ...


@runtime_checkable
class Stepping(Protocol):
    """A double of a provider whose creates are several calls."""

    def step(self, request: ReceivedRequest) -> Reply | None:
        """Answer a call that comes before the one that pays; None for any other."""
        ...


@runtime_checkable
class Lister(Protocol):
    """A double of a provider that gives a list of its payouts as well."""

    def pages(self, deals: Sequence[Deal]) -> Sequence[Reply]:
        """Return the pages of that list, one payout on each, all of them paid."""
        ...
