"""Requests of upstream systems over HTTP: withdrawals, checkouts; links not yet."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Final

from fastapi import APIRouter, Depends
from starlette.exceptions import HTTPException
from starlette.requests import Request

from fsm.domain.errors import InvalidRequest, UnknownOrder
from fsm.domain.keys import KeyRole
from fsm.domain.orders import Submission
from fsm.domain.reading import shortened
from fsm.engine.words import Kind
from payment_service.api.auth import RequiredRole, actor_of, key_of
from payment_service.api.awaiting import Wait, ended, waiting_time
from payment_service.api.bodies import BodyReader
from payment_service.api.deps import ApiDeps
from payment_service.api.openapi import GUARDED, WITH_BODY, answer, body_of, problem
from payment_service.api.params import trace_parent_of
from payment_service.api.responses import Json, ProblemResponse
from payment_service.wire.readers import PATHS, READERS, read_request
from payment_service.wire.shapes import OrderShape, SubmissionAnswer
from payment_service.wire.views import given, order_view

_STATUSES: Final = {"accepted": 202, "duplicate": 200}
_CONFLICT: Final = "this order_id was used before with another content"


class Submissions:
    """The same as the messages, over HTTP; nothing is dead-lettered here."""

    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps
        self._bodies = BodyReader(time_limit=deps.body_time_limit)

    def of(self, kind: Kind) -> Callable[..., Awaitable[Json]]:
        """Return the call that takes requests of one kind."""

        async def submit(request: Request, wait: Wait = None) -> Json:
            return await self._submit(kind, request, waiting_time(wait))

        return submit

    async def _submit(self, kind: Kind, request: Request, limit: timedelta) -> Json:
        """Accept a request; 202 and 200 mean that it is stored."""
        data = await self._bodies.read(request)
        try:
            wanted = read_request(kind, data, self._deps)
        except InvalidRequest as refusal:
            return _rejected(refusal)
        if not key_of(request).may_touch(wanted.merchant_id):
            return _not_theirs(wanted.order_id, wanted.merchant_id)
        submission = await self._deps.submit(
            wanted, actor=actor_of(request), trace_parent=trace_parent_of(request)
        )
        return await self._answered(request, submission, limit)

    async def _answered(
        self, request: Request, submission: Submission, limit: timedelta
    ) -> Json:
        """Answer at once or, to who waits, with the order at its end."""
        if submission.status == "conflict":
            return _refused(409, submission.order_id, "conflict", _CONFLICT)
        told: SubmissionAnswer = {
            "order_id": submission.order_id,
            "queue_id": submission.queue_id,
            "status": submission.status,
            "order": await self._order(request, submission.queue_id, limit),
        }
        left_out = SubmissionAnswer.__optional_keys__
        return Json(given(told, left_out), _STATUSES[submission.status])

    async def _order(
        self, request: Request, queue_id: str | None, limit: timedelta
    ) -> OrderShape | None:
        """Return the order that is waited for, where it may be seen.

        What runs with the same exclusive key may be another merchant's, and the key may
        have been revoked meanwhile. What the answer is about is stored all the same.
        """
        if not limit or queue_id is None:
            return None
        with suppress(UnknownOrder, HTTPException):
            return order_view(await ended(self._deps, request, queue_id, limit))
        return None


def _not_theirs(order_id: str, merchant_id: str) -> Json:
    told = f"This key may not ask for merchant {shortened(merchant_id)}."
    return _refused(403, order_id, "rejected", told)


def _rejected(refusal: InvalidRequest) -> Json:
    return _refused(422, refusal.order_id, "rejected", refusal.problem)


def _refused(
    status: int, order_id: str | None, outcome: str, error: str
) -> ProblemResponse:
    members = {"order_id": order_id, "outcome": outcome, "error": error}
    return ProblemResponse(status, error, members=members)


def _shown(kind: Kind) -> tuple[str, str]:
    """Return what a call does, and the name of the body that it takes."""
    reader = READERS.get(kind)
    if reader is None:
        return "Refused: not built yet.", "Unsupported"
    stored = "202 and 200 mean that it is stored."
    return f"{reader.does} {stored}", reader.model.__name__


def routes(deps: ApiDeps) -> APIRouter:
    """Return the routes of upstream systems."""
    router = APIRouter(tags=["orders"])
    submissions = Submissions(deps)
    guard = Depends(RequiredRole(deps.keys, KeyRole.UPSTREAM))
    for kind, path in PATHS.items():
        does, shape = _shown(kind)
        router.add_api_route(
            path,
            submissions.of(kind),
            name=kind.value,
            methods=["POST"],
            status_code=202,
            response_model=None,
            response_class=Json,
            dependencies=[guard],
            summary=does,
            openapi_extra=body_of(shape),
            responses={
                **GUARDED,
                **WITH_BODY,
                202: answer("Stored; it will be carried out.", SubmissionAnswer),
                200: answer("The same request was stored before.", SubmissionAnswer),
                **problem(409, "Another content under the same order_id."),
            },
        )
    return router
