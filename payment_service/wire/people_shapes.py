"""What the service answers about keys and thresholds; as in :mod:`.shapes`."""

from collections.abc import Sequence
from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from fsm.domain.keys import KeyRole
from fsm.domain.roster import KeyState
from payment_service.wire.formats import Day, Time
from payment_service.wire.left_out import LeftOut
from payment_service.wire.problem_shapes import ErrorShape
from payment_service.wire.shapes import Warned


class KeyShape(TypedDict):
    """A key, and what has become of it; never the key itself."""

    name: str
    role: KeyRole
    person: str
    state: KeyState
    source: Literal["environment", "database"]
    fingerprint: Annotated[
        str, Field(description="the first 16 digits of the key's SHA-256")
    ]
    merchants: NotRequired[LeftOut[list[str]]]
    expires: NotRequired[LeftOut[Day]]
    made_by: NotRequired[LeftOut[str]]
    made_at: NotRequired[LeftOut[Time]]
    agreed_by: NotRequired[LeftOut[str]]
    agreed_at: NotRequired[LeftOut[Time]]
    revoked_by: NotRequired[LeftOut[str]]
    revoked_at: NotRequired[LeftOut[Time]]
    reason: NotRequired[LeftOut[str]]
    last_used_at: NotRequired[
        Annotated[LeftOut[Time], Field(description="to the minute")]
    ]


class KeysShape(TypedDict):
    """Keys by name."""

    keys: Sequence[KeyShape]
    next_cursor: str | None


class KeyAnswer(Warned):
    """What became of a key; ``key`` is told once, to who made it."""

    name: str
    role: KeyRole
    person: str
    fingerprint: str
    status: Literal["live", "waits_for_second_person", "revoked"]
    key: NotRequired[LeftOut[str]]


class ProposalShape(TypedDict("_ProposalShape", {"from": int | None})):
    """A looser amount that waits for a second admin."""

    by: str
    at: Time


class ThresholdShape(
    TypedDict(
        "_ThresholdShape",
        {"from": Annotated[int | None, Field(description="as the database says")]},
    )
):
    """From which amount two decide, in minor units; null: from none on."""

    currency: Annotated[
        str, Field(description='"default": all without one of their own')
    ]
    effective: Annotated[int | None, Field(description="with the floor")]
    set_by: NotRequired[LeftOut[str]]
    set_at: NotRequired[LeftOut[Time]]
    reason: NotRequired[LeftOut[str]]
    proposed: NotRequired[LeftOut[ProposalShape]]


class FourEyesShape(TypedDict):
    """From which amounts two decide; ``floor`` is PAYMENT_FOUR_EYES_FROM."""

    floor: int | None
    thresholds: list[ThresholdShape]


class ThresholdAnswer(TypedDict("_ThresholdAnswer", {"from": int | None})):
    """What became of a threshold."""

    warnings: NotRequired[list[ErrorShape]]
    currency: str
    effective: int | None
    status: Literal["recorded", "waits_for_second_person"]
    note: NotRequired[
        Annotated[LeftOut[str], Field(description="why it is another that holds")]
    ]
