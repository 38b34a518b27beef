"""The shape of problem documents (RFC 9457): what every failure of the API answers."""

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from fsm.engine.words import Kind
from payment_service.wire.formats import Uuid


class CandidateShape(TypedDict):
    """One of the orders that share an id."""

    queue_id: Uuid
    order_id: str
    merchant_id: str
    kind: Kind


class ErrorShape(TypedDict):
    """One thing that is wrong with a request, and where."""

    pointer: NotRequired[
        Annotated[
            str,
            Field(
                description="its place in the body as a JSON pointer (RFC 6901); "
                "empty: all of it"
            ),
        ]
    ]
    parameter: NotRequired[
        Annotated[
            str,
            Field(description="the parameter of the path, the query or the headers"),
        ]
    ]
    detail: str


class Problem(TypedDict):
    """An RFC 9457 problem document; some kinds add members."""

    type: str
    title: str
    status: int
    detail: str
    errors: NotRequired[
        Annotated[
            list[ErrorShape],
            Field(description="what is wrong, one by one, at most 20 of them"),
        ]
    ]
    warnings: NotRequired[
        Annotated[
            list[ErrorShape],
            Field(description="what was not looked at, and where it stands"),
        ]
    ]
    correlation_id: NotRequired[
        Annotated[str, Field(description="of a 500: tell it to us")]
    ]
    candidates: NotRequired[
        Annotated[list[CandidateShape], Field(description="of an ambiguous id")]
    ]
    problems: NotRequired[
        Annotated[list[str], Field(description="what keeps the process from working")]
    ]
    order_id: NotRequired[
        Annotated[str | None, Field(description="of a refused request")]
    ]
    outcome: NotRequired[
        Annotated[
            Literal["conflict", "rejected"],
            Field(description="of a refused request"),
        ]
    ]
    error: NotRequired[Annotated[str, Field(description="of a refused request")]]
