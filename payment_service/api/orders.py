"""Requests come in, orders and their audit trails are shown."""

import asyncio
import random
from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request as HttpRequest

from fsm.domain.durations import parse_duration
from fsm.domain.errors import InvalidRequest, UnknownOrder
from fsm.domain.keys import KeyRole
from fsm.domain.orders import Order, Submission
from fsm.domain.reading import shortened
from fsm.domain.text import is_id, parse_time
from fsm.engine.words import Kind, OrderState, State
from handlers.ports.reads import Reads, Search
from payment_service.api.auth import Guard, actor_of, key_of, require_still
from payment_service.api.bodies import BodyReader
from payment_service.api.deps import ApiDeps
from payment_service.api.documents import (
    GUARDED,
    WITH_BODY,
    EventsShape,
    ExplainedShape,
    OrdersShape,
    SubmissionAnswer,
    answer,
    body_of,
    problem,
)
from payment_service.api.requests import segment, trace_parent_of
from payment_service.api.responses import Json, Problem
from payment_service.wire.requests import read_withdrawal, refuse_unsupported
from payment_service.wire.views import (
    answer_view,
    event_view,
    explanation_view,
    order_view,
)

PAGE_SIZE: Final = 50
PAGE_SIZE_MAX: Final = 500
CURSOR_LENGTH_MAX: Final = 512
WAIT_MAX: Final = timedelta(seconds=60)
LOOK_AGAIN_SECONDS: Final = 1.0

Limit = Annotated[int, Query(ge=1, le=PAGE_SIZE_MAX)]
Cursor = Annotated[str | None, Query(max_length=CURSOR_LENGTH_MAX)]
Text = Annotated[str | None, Query(max_length=128)]
_STATUSES: Final = {"accepted": 202, "duplicate": 200}
_CONFLICT: Final = "this order_id was used before with another content"


class Submitting:
    """The same as the messages, over HTTP; nothing is dead-lettered here."""

    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps
        self._bodies = BodyReader(time_limit=deps.body_time_limit)

    async def withdrawal(self, request: HttpRequest) -> Json:
        """Accept a withdrawal; 202 and 200 mean that it is stored."""
        data = await self._bodies.read(request)
        try:
            wanted = read_withdrawal(data, self._deps.providers.names())
        except InvalidRequest as refusal:
            return _rejected(refusal)
        if not key_of(request).may_touch(wanted.merchant_id):
            return _not_theirs(wanted.order_id, wanted.merchant_id)
        submission = await self._deps.submit(
            wanted, actor=actor_of(request), trace_parent=trace_parent_of(request)
        )
        return _submitted(submission)

    async def checkout(self, request: HttpRequest) -> Json:
        """Refuse a checkout."""
        return await self._unsupported(request, "checkout.requested")

    async def partner_link(self, request: HttpRequest) -> Json:
        """Refuse a partner link."""
        return await self._unsupported(request, "partner.link.requested")

    async def _unsupported(self, request: HttpRequest, subject: str) -> Json:
        data = await self._bodies.read(request)
        try:
            return _rejected(refuse_unsupported(data, subject))
        except InvalidRequest as refusal:
            return _rejected(refusal)


def _submitted(submission: Submission) -> Json:
    status = _STATUSES.get(submission.status)
    if status is not None:
        return Json(answer_view(submission), status)
    return _refused(409, submission.order_id, "conflict", _CONFLICT)


def _not_theirs(order_id: str, merchant_id: str) -> Json:
    told = f"This key may not ask for merchant {shortened(merchant_id)}."
    return _refused(403, order_id, "rejected", told)


def _rejected(refusal: InvalidRequest) -> Json:
    return _refused(422, refusal.order_id, "rejected", refusal.problem)


def _refused(status: int, order_id: str | None, outcome: str, error: str) -> Problem:
    members = {"order_id": order_id, "outcome": outcome, "error": error}
    return Problem(status, error, members=members)


class Showing:
    """Orders, one or many, and what happened to them."""

    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps

    async def one(
        self,
        request: HttpRequest,
        order: str,
        wait: Annotated[
            str | None, Query(description="A duration, at most 60s.", examples=["20s"])
        ] = None,
    ) -> Json:
        """Show an order and why each provider was tried and left.

        With ``wait`` as soon as it is final, and without the explanation: who waits
        for the outcome is not kept waiting for the trail.
        """
        limit = _waiting_time(wait)
        found = await find(self._deps.reads, order, request)
        if limit:
            if not found.queue.final:
                found = await self._awaited(request, found.queue_id, limit)
                require_still(self._deps.keys, request)
            return Json(order_view(found))
        entries = await self._deps.reads.events(found.queue_id)
        explanation, words = explanation_view(found, [each.line for each in entries])
        return Json(
            {**order_view(found), "explanation": explanation, "in_words": words}
        )

    async def _awaited(
        self, request: HttpRequest, queue_id: str, limit: timedelta
    ) -> Order:
        """Return the order once it is final, or as it is when the time is over.

        The wake-up is asked for before the first look, so none is lost; one that
        never comes costs a second.
        """
        elapsed = self._deps.clock.elapsed
        ends = elapsed() + limit.total_seconds()
        async with self._deps.waiters.expect(queue_id) as woken:
            call = asyncio.create_task(woken.wait())
            try:
                while True:
                    found = await find(self._deps.reads, queue_id, request)
                    left = ends - elapsed()
                    if found.queue.final or left <= 0:
                        return found
                    if await request.is_disconnected():
                        return found
                    await _rest(call, min(left, _look_again_seconds()))
            finally:
                call.cancel()

    async def many(  # noqa: PLR0913 - one argument for each filter
        self,
        request: HttpRequest,
        *,
        customer_id: Text = None,
        merchant_id: Text = None,
        kind: Kind | None = None,
        state: OrderState | None = None,
        task_state: State | None = None,
        provider: Text = None,
        since: Annotated[str | None, Query(alias="from")] = None,
        until: Annotated[str | None, Query(alias="to")] = None,
        limit: Limit = PAGE_SIZE,
        cursor: Cursor = None,
    ) -> Json:
        """Search orders, newest first."""
        page = await self._deps.reads.search(
            Search(
                customer_id=text_filter("customer_id", customer_id),
                merchant_id=text_filter("merchant_id", merchant_id),
                merchants=key_of(request).merchants,
                kind=kind,
                state=state,
                task_state=task_state,
                provider=text_filter("provider", provider),
                since=_time("from", since),
                until=_time("to", until),
                limit=limit,
                cursor=checked_cursor(cursor),
            )
        )
        orders = [order_view(order) for order in page.items]
        return Json({"orders": orders, "next_cursor": page.next_cursor})

    async def events(self, request: HttpRequest, order: str) -> Json:
        """Show the audit trail of an order."""
        found = await find(self._deps.reads, order, request)
        entries = await self._deps.reads.events(found.queue_id)
        return Json({"events": [event_view(entry) for entry in entries]})


async def find(reads: Reads, asked: str, request: HttpRequest) -> Order:
    """Return the order that a path names.

    For a key that is bound to merchants the orders of all others are not there.

    :raises UnknownOrder: there is none.
    :raises AmbiguousOrder: there are several.
    """
    wanted = segment(asked)
    if not is_id(wanted):
        raise UnknownOrder(wanted)
    return await reads.find(wanted, merchants=key_of(request).merchants)


def checked_cursor(cursor: str | None) -> str | None:
    """Return the cursor, or refuse what was certainly never handed out."""
    if cursor is not None and not (cursor.isascii() and cursor.isprintable()):
        raise InvalidRequest("cursor: take it from next_cursor of the page before")
    return cursor


async def _rest(call: asyncio.Task[None], seconds: float) -> None:
    """Sleep until the wake-up; once it has come, it wakes no second time."""
    if call.done():
        await asyncio.sleep(seconds)
    else:
        await asyncio.wait({call}, timeout=seconds)


def _look_again_seconds() -> float:
    return LOOK_AGAIN_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load


def _waiting_time(wait: str | None) -> timedelta:
    if wait is None:
        return timedelta(0)
    try:
        return min(parse_duration(wait), WAIT_MAX)
    except ValueError as wrong:
        raise InvalidRequest(f"wait: {wrong}") from None


def text_filter(name: str, text: str | None) -> str | None:
    if text is not None and not is_id(text):
        raise InvalidRequest(f"{name}: must be 1 to 128 plain characters")
    return text


def _time(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        # A plus that nobody escaped arrives as a space.
        return parse_time(text.replace(" ", "+"))
    except ValueError as wrong:
        raise InvalidRequest(f"{name}: {wrong}") from None


def routes(deps: ApiDeps) -> APIRouter:
    """Return the routes of upstream systems."""
    router = APIRouter(tags=["orders"])
    _add_submitting(router, deps)
    _add_showing(router, deps)
    return router


def _add_submitting(router: APIRouter, deps: ApiDeps) -> None:
    submitting = Submitting(deps)
    guard = Depends(Guard(deps.keys, KeyRole.UPSTREAM))
    for path, call, shape in (
        ("/v1/withdrawals", submitting.withdrawal, "Withdrawal"),
        ("/v1/checkouts", submitting.checkout, "Unsupported"),
        ("/v1/partner-links", submitting.partner_link, "Unsupported"),
    ):
        router.add_api_route(
            path,
            call,
            methods=["POST"],
            status_code=202,
            response_model=None,
            response_class=Json,
            dependencies=[guard],
            summary=(call.__doc__ or "").strip(),
            openapi_extra=body_of(shape),
            responses={
                **GUARDED,
                **WITH_BODY,
                202: answer("Stored; it will be carried out.", SubmissionAnswer),
                200: answer("The same request was stored before.", SubmissionAnswer),
                **problem(409, "Another content under the same order_id."),
            },
        )


def _add_showing(router: APIRouter, deps: ApiDeps) -> None:
    showing = Showing(deps)
    guard = Depends(Guard(deps.keys, KeyRole.VIEWER, KeyRole.UPSTREAM))
    missing = {
        **problem(404, "No such order."),
        **problem(409, "Several orders share the id; the document names them."),
    }
    for path, call, shape, failures in (
        ("/v1/orders", showing.many, OrdersShape, {}),
        ("/v1/orders/{order}", showing.one, ExplainedShape, missing),
        ("/v1/orders/{order}/events", showing.events, EventsShape, missing),
    ):
        router.add_api_route(
            path,
            call,
            methods=["GET"],
            status_code=200,
            response_model=None,
            response_class=Json,
            dependencies=[guard],
            summary=(call.__doc__ or "").strip(),
            responses={
                **GUARDED,
                **failures,
                **problem(422, "A parameter is not as documented."),
                200: answer("As asked.", shape),
            },
        )
