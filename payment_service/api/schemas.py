"""What people ask for: the bodies of the calls that decide, cancel, close and pause."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from fsm.domain.durations import parse_duration
from fsm.domain.keys import (
    DATE_FORM,
    NAME_FORM,
    is_key_hash,
    is_key_name,
    parse_date,
)
from fsm.domain.money import AMOUNT_MAX, EXPONENTS
from payment_service.wire.formats import Day
from payment_service.wire.json_schemas import REF
from payment_service.wire.models import OurId, Reason, WireModel

EVIDENCE_LENGTH_MAX = 8000


def _evidence(given: object) -> object:
    if isinstance(given, str) and len(given) <= EVIDENCE_LENGTH_MAX:
        return given
    if given is None or isinstance(given, dict):
        return given
    raise PydanticCustomError("evidence", "not evidence")


def _length(text: str) -> str:
    if parse_duration(text) <= timedelta(0):
        raise PydanticCustomError("length", "not longer than nothing")
    return text


Evidence = Annotated[
    Any,
    AfterValidator(_evidence),
    Field(
        description="a string or an object that proves it",
        json_schema_extra={
            "anyOf": [
                {"type": "string", "maxLength": EVIDENCE_LENGTH_MAX},
                {"$ref": REF.format(model="EvidenceObject")},
                {"type": "null"},
            ]
        },
    ),
]


class EvidenceObject(BaseModel):
    """Whatever proves it, as JSON."""

    model_config = ConfigDict(extra="allow")


class Resolution(WireModel):
    """A person's decision about a manual check."""

    decision: Literal["positive", "negative"] = Field(
        description='"positive" (it was paid) or "negative" (it was not)'
    )
    reason: Reason
    evidence: Evidence = None
    balance: Literal["settled_by_hand"] | None = Field(
        default=None,
        description='"settled_by_hand" where core has refused the balance call and its '
        "books were set right by hand; evidence is needed then",
    )


class Cancellation(WireModel):
    """Give up a task or an order."""

    reason: Reason


class Unlinking(WireModel):
    """Take back a link that stands; ``order_id`` names the order that does it."""

    reason: Reason
    order_id: OurId | None = Field(
        default=None,
        description="one of your own, to ask once more after it was given up; left "
        "out, there is one for each link",
    )


class Erasing(WireModel):
    """Take out of final orders who the customer is and where his money went."""

    reason: Reason


class Closing(WireModel):
    """Close a case, or discard a dead letter."""

    reason: Reason


class Withdrawing(WireModel):
    """Take one's own vote back."""

    reason: Reason


class Assignment(WireModel):
    """Make somebody the owner of a case; the reason may be left out."""

    owner: OurId
    reason: Reason | None = None


class Settlement(WireModel):
    """Have core take a returned payout back."""

    reason: Reason
    evidence: Evidence = None


class Replaying(WireModel):
    """Send a dead letter's message again; the reason may be left out."""

    reason: Reason | None = None


class Pausing(WireModel):
    """Give a provider no new work, until it is resumed or for some time."""

    reason: Reason
    lasting: Annotated[str, AfterValidator(_length)] | None = Field(
        default=None, alias="for", description='a duration like "2h", at most 366d'
    )

    @property
    def length(self) -> timedelta | None:
        """Return for how long; None: until it is resumed."""
        return None if self.lasting is None else parse_duration(self.lasting)


def _key_name(text: str) -> str:
    if not is_key_name(text):
        raise PydanticCustomError("name", "not a name")
    return text


def _day(text: str) -> str:
    parse_date(text)
    return text


def _key_hash(text: str) -> str:
    if not is_key_hash(text):
        raise PydanticCustomError("hash", "not a hash")
    return text


def _currency(text: str) -> str:
    if text not in EXPONENTS:
        raise PydanticCustomError("currency", "not a currency")
    return text


KeyName = Annotated[
    OurId, AfterValidator(_key_name), Field(description=NAME_FORM, max_length=64)
]


class KeyWish(WireModel):
    """Make a key; the answer holds it, unless ``sha256`` says whose holder made it."""

    name: KeyName
    role: Literal["viewer", "support", "admin", "upstream"] = Field(
        description="one of viewer, support, admin, upstream"
    )
    person: KeyName | None = Field(
        default=None,
        description=f"who holds it, where they have other keys: {NAME_FORM}",
    )
    merchants: list[OurId] | None = Field(
        default=None,
        description="of upstream: whose orders it is for; left out: everybody's",
    )
    expires: Annotated[Day, AfterValidator(_day)] | None = Field(
        default=None,
        description=f"the last day it is taken (UTC), {DATE_FORM}",
    )
    sha256: Annotated[str, AfterValidator(_key_hash)] | None = Field(
        default=None,
        description="64 hexadecimal digits: of a key that its holder made, and that "
        "nobody else ever sees",
    )
    reason: Reason | None = None


class Revoking(WireModel):
    """End a key for good."""

    reason: Reason


class ThresholdWish(WireModel):
    """Set from which amount two decide."""

    currency: Annotated[str, AfterValidator(_currency)] | None = Field(
        default=None,
        description="a currency of ISO 4217; left out: all without one of their own",
    )
    from_: Annotated[int, Field(ge=1, le=AMOUNT_MAX)] | None = Field(
        alias="from",
        description=f"an amount in minor units, 1 to {AMOUNT_MAX}, or null for none "
        "of its own",
    )
    reason: Reason
