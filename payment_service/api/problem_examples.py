"""Examples of problem documents, by the status that they are answered with."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

Json = dict[str, Any]

_REFUSED: Final[Json] = {"order_id": "w-1001", "outcome": "conflict"}
_SAME_ID: Final = "this order_id was used before with another content"


def problem_example(status: int, **members: object) -> Json:
    """Return what is answered with a status, and what is added to it."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": _DETAILS[status],
        **_MEMBERS.get(status, {}),
        **members,
    }


_DETAILS: Final[Mapping[int, str]] = {
    400: "The body broke off.",
    401: "Send Authorization: Bearer KEY with a valid key.",
    403: "The role viewer may not do this.",
    404: "There is no such order or task.",
    408: "The body did not come in time.",
    409: "order w-1001 is COMPLETED: it is final",
    413: "The body is over 262144 bytes.",
    415: "Send the body uncompressed.",
    422: "wait: must be a duration such as 20s",
    429: "Over the provider's rate.",
    500: "Something went wrong here; tell us the correlation_id.",
    503: "This cannot be done just now; try again.",
}
_MEMBERS: Final[Mapping[int, Json]] = {
    422: {
        "errors": [
            {"parameter": "wait", "detail": "must be a duration such as 20s"},
        ]
    },
    500: {"correlation_id": "9f86d081884c7d65"},
}


def refusals_of(operation: str) -> dict[tuple[str, int], Json]:
    """Return how requests for orders are refused."""
    amount = "is missing; it must be an integer of minor units"
    refused = {"error": f"amount: {amount}", "detail": f"amount: {amount}"}
    return {
        (operation, 409): problem_example(
            409,
            **_REFUSED,
            error=_SAME_ID,
            errors=[{"pointer": "/order_id", "detail": _SAME_ID}],
            detail=_SAME_ID,
        ),
        (operation, 422): problem_example(
            422,
            **{"order_id": "w-1001", "outcome": "rejected", **refused},
            errors=[{"pointer": "/amount", "detail": amount}],
        ),
    }
