"""What people ask for: the bodies of the calls that decide, cancel, close and pause."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from payment_service.wire.models import Reason, Wire

EVIDENCE_LENGTH_MAX = 8000


def _evidence(given: object) -> object:
    if isinstance(given, str) and len(given) <= EVIDENCE_LENGTH_MAX:
        return given
    if given is None or isinstance(given, dict):
        return given
    raise PydanticCustomError("evidence", "not evidence")


class Resolution(Wire):
    """A person's decision about a manual check."""

    decision: Literal["positive", "negative"] = Field(
        description='"positive" (it was paid) or "negative" (it was not)'
    )
    reason: Reason
    evidence: Annotated[Any, AfterValidator(_evidence)] = Field(
        default=None,
        description="a string or an object that proves it",
        json_schema_extra={
            "anyOf": [
                {"type": "string", "maxLength": EVIDENCE_LENGTH_MAX},
                {"type": "object"},
                {"type": "null"},
            ]
        },
    )


class Cancellation(Wire):
    """Give up a task or an order."""

    reason: Reason


class Closing(Wire):
    """Close a case, or discard a dead letter."""

    reason: Reason


class Replaying(Wire):
    """Send a dead letter's message again; the reason may be left out."""

    reason: Reason | None = None


class Pausing(Wire):
    """Take a provider out of the cascade."""

    reason: Reason
