"""Answers who has submitted a request: stored, stored before, or refused."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from fsm.domain.errors import UnknownOrder
from fsm.domain.field_errors import FieldError, in_body
from fsm.domain.orders import Submission
from payment_service.api.awaiting import ended
from payment_service.api.deps import ApiDeps
from payment_service.api.openapi import GUARDED, WITH_BODY, Responses, answer, problem
from payment_service.api.responses import Json, ProblemResponse
from payment_service.wire.shapes import OrderShape, SubmissionAnswer
from payment_service.wire.views import given, order_view

_STATUSES: Final = {"accepted": 202, "duplicate": 200}
ANSWERS: Final[Responses] = {
    **GUARDED,
    **WITH_BODY,
    202: answer("Stored; it will be carried out.", SubmissionAnswer),
    200: answer("The same request was stored before.", SubmissionAnswer),
}
CONFLICT: Final = problem(409, "Another content under the same order_id.")


async def answered(
    deps: ApiDeps,
    request: Request,
    submission: Submission,
    *,
    order_id: str,
    limit: timedelta,
) -> Json:
    """Answer at once or, to who waits, with the order at its end.

    What conflicts is the order that was asked for, which is called ``order_id``.
    """
    if submission.status == "conflict":
        # One with the same exclusive key is about more than the id.
        path = ("order_id",) if submission.queue_id is None else ()
        error = in_body(path, submission.conflict, where="")
        return refused(409, order_id, "conflict", submission.conflict, [error])
    told: SubmissionAnswer = {
        "order_id": submission.order_id,
        "queue_id": submission.queue_id,
        "status": submission.status,
        "order": await _order(deps, request, submission.queue_id, limit),
    }
    left_out = SubmissionAnswer.__optional_keys__
    return Json(given(told, left_out), _STATUSES[submission.status])


async def _order(
    deps: ApiDeps, request: Request, queue_id: str | None, limit: timedelta
) -> OrderShape | None:
    """Return the order that is waited for, where it may be seen.

    What runs with the same exclusive key may be another merchant's, and the key may
    have been revoked meanwhile. What the answer is about is stored all the same.
    """
    if not limit or queue_id is None:
        return None
    with suppress(UnknownOrder, HTTPException):
        return order_view(await ended(deps, request, queue_id, limit))
    return None


def refused(
    status: int,
    order_id: str | None,
    outcome: str,
    error: str,
    errors: Sequence[FieldError],
) -> ProblemResponse:
    """Refuse a request, as its problem document tells; ``errors`` say where."""
    places = [each.plainly() for each in errors]
    members = {
        "order_id": order_id,
        "outcome": outcome,
        "error": error,
        **({"errors": places} if places else {}),
    }
    return ProblemResponse(status, error, members=members)
