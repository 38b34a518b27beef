"""Requests come in, orders and their audit trails are shown."""

from datetime import datetime
from typing import Annotated, Final, Literal, cast

from fastapi import Depends, Query
from starlette.requests import Request as HttpRequest

from fsm.domain.errors import InvalidRequest
from fsm.domain.field_errors import in_parameter
from fsm.domain.keys import KeyRole
from fsm.domain.moments import FORMS, read_moment, require_order
from fsm.domain.orders import Order
from fsm.engine.words import Kind, OrderState, State
from handlers.ports.reads import Page, Search
from payment_service.api.auth import RequiredRole, actor_of, key_of
from payment_service.api.awaiting import Wait, ended, waiting_time
from payment_service.api.bodies import ModelReader
from payment_service.api.deps import ApiDeps
from payment_service.api.openapi import GUARDED, answer, body_of, problem, texts
from payment_service.api.params import (
    PAGE_SIZE,
    Accepted,
    Cursor,
    History,
    Limit,
    Text,
    checked_cursor,
    find,
    handed_out,
    text_filter,
)
from payment_service.api.responses import Json
from payment_service.api.routing import Routes
from payment_service.api.schemas import Cancellation, Erasing
from payment_service.api.strict import warn
from payment_service.wire.customer import preferred
from payment_service.wire.shapes import (
    EventsShape,
    ExplainedShape,
    OrderAnswer,
    OrdersShape,
    StoryShape,
)
from payment_service.wire.views import (
    events_view,
    explanation_view,
    left_out_of,
    order_view,
)

HISTORIES_MAX: Final = 50
SHOWN_TO: Final = (KeyRole.VIEWER, KeyRole.UPSTREAM)


Since = Annotated[
    str | None,
    Query(
        alias="from",
        description=f"Made at this moment or later: {FORMS}.",
        examples=["2026-01-31T00:00:00Z"],
    ),
]
Until = Annotated[
    str | None,
    Query(
        alias="to",
        description=f"Made before this moment: {FORMS}.",
        examples=["2026-02-01T00:00:00Z"],
    ),
]


class Orders:
    """Orders, one or many, and what happened to them."""

    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps
        self._wishes = ModelReader(deps.body_time_limit)

    async def get_order(
        self,
        request: HttpRequest,
        order: str,
        wait: Wait = None,
        accept_language: Accepted = None,
    ) -> Json:
        """Show an order and why each provider was tried and left.

        With ``wait`` as soon as it is final, and without the explanation: who waits
        for the outcome is not kept waiting for the trail.
        """
        limit, language = waiting_time(wait), preferred(accept_language)
        found = await find(self._deps.reads, order, request)
        if limit:
            if not found.queue.final:
                found = await ended(self._deps, request, found.queue_id, limit)
            return _told(order_view(found, language), language)
        entries = await self._deps.reads.events(found.queue_id)
        explanation, words = explanation_view(found, [each.line for each in entries])
        told: ExplainedShape = {
            **order_view(found, language),
            "explanation": explanation,
            "in_words": words,
        }
        return _told(told, language)

    async def list_orders(  # noqa: PLR0913 - one argument for each filter
        self,
        request: HttpRequest,
        *,
        customer_id: Text = None,
        merchant_id: Text = None,
        kind: Kind | None = None,
        state: OrderState | None = None,
        task_state: State | None = None,
        provider: Text = None,
        since: Since = None,
        until: Until = None,
        limit: Limit = PAGE_SIZE,
        cursor: Cursor = None,
        history: History = False,
        accept_language: Accepted = None,
    ) -> Json:
        """Search orders of all kinds, newest first."""
        language = preferred(accept_language)
        _require_few(limit if history else 0)
        made = self._made(since, until)
        self._warn_of(request, provider)
        page = await self._deps.reads.search(
            Search(
                customer_id=text_filter("customer_id", customer_id),
                merchant_id=text_filter("merchant_id", merchant_id),
                merchants=key_of(request).merchants,
                kind=kind,
                state=state,
                task_state=task_state,
                provider=text_filter("provider", provider),
                since=made[0],
                until=made[1],
                limit=limit,
                cursor=checked_cursor(request, cursor),
            )
        )
        listed = await self._listed(request, page, language, history=history)
        return _told(listed, language)

    def _made(
        self, since: str | None, until: str | None
    ) -> tuple[datetime | None, datetime | None]:
        """Return from when and before when the orders were made that are sought."""
        now = self._deps.clock.now()
        began, ended = _time("from", since, now), _time("to", until, now)
        try:
            require_order(began, ended)
        except ValueError as wrong:
            raise InvalidRequest.of_parameter("from", str(wrong)) from None
        return began, ended

    def _warn_of(self, request: HttpRequest, provider: str | None) -> None:
        """Say so where a provider is not configured: orders of it may be old, or none.

        A partner stands in the same place of a task.
        """
        if provider is None:
            return
        known = {*self._deps.providers.names(), *self._deps.partners.names()}
        if provider not in known:
            detail = f"is not configured here; {', '.join(sorted(known)) or 'none'} is"
            warn(request, [in_parameter("provider", detail)])

    async def _listed(
        self, request: HttpRequest, page: Page[Order], language: str, *, history: bool
    ) -> OrdersShape:
        """Return a page as it is shown, with the trail of each order where asked."""
        views = (order_view(order, language) for order in page.items)
        shown = [cast("StoryShape", view) for view in views]
        if history:
            ids = [order.queue_id for order in page.items]
            trails = await self._deps.reads.histories(ids)
            for told in shown:
                told["events"] = events_view(trails[told["queue_id"]])
        return {
            "orders": shown,
            "next_cursor": handed_out(request, page.next_cursor),
            **left_out_of(page),
        }

    async def list_order_events(self, request: HttpRequest, order: str) -> Json:
        """Show the audit trail of an order."""
        found = await find(self._deps.reads, order, request)
        entries = await self._deps.reads.events(found.queue_id)
        told: EventsShape = {"events": events_view(entries)}
        return Json(told)

    async def cancel_order(self, request: HttpRequest, order: str) -> Json:
        """Ask for the cancellation of an order, all of it."""
        wish = await self._wishes.read(request, Cancellation)
        found = await find(self._deps.reads, order, request)
        await self._deps.operations.cancel_order(
            found, reason=wish.reason, actor=actor_of(request)
        )
        return Json(_answer(found, "cancel_requested"), 202)

    async def erase_order(self, request: HttpRequest, order: str) -> Json:
        """Take out of a final order who the customer is and where his money went."""
        wish = await self._wishes.read(request, Erasing)
        found = await find(self._deps.reads, order, request)
        done = await self._deps.operations.erase_order(
            found, reason=wish.reason, actor=actor_of(request)
        )
        return Json(_answer(found, "erased" if done else "was_erased_before"))


def _require_few(limit: int) -> None:
    """Refuse the histories of more orders than are told at once."""
    if limit > HISTORIES_MAX:
        most = f"at most {HISTORIES_MAX} with history"
        raise InvalidRequest.of_parameter("limit", most)


def _told(shown: object, language: str) -> Json:
    """Return an answer that would be another one in another language."""
    headers = {"Content-Language": language, "Vary": "Accept-Language"}
    return Json(shown, headers=headers)


def _time(name: str, text: str | None, now: datetime) -> datetime | None:
    if text is None:
        return None
    try:
        return read_moment(text, now)
    except ValueError as wrong:
        raise InvalidRequest.of_parameter(name, str(wrong)) from None


def _answer(
    order: Order, status: Literal["cancel_requested", "erased", "was_erased_before"]
) -> OrderAnswer:
    return {
        "order_id": order.order_id,
        "queue_id": order.queue_id,
        "status": status,
    }


def routes(deps: ApiDeps) -> Routes:
    """Return the routes of upstream systems, and of who acts for them."""
    add, orders = Routes("orders", deps), Orders(deps)
    _add_showing(add, deps, orders)
    not_now = problem(409, "The present state does not allow it.")
    add.post(
        "/v1/orders/{order}/cancel",
        orders.cancel_order,
        {**not_now, 202: answer("Asked for.", OrderAnswer)},
        body_of("Cancellation"),
        KeyRole.SUPPORT,
        KeyRole.UPSTREAM,
    )
    open_ = problem(409, "It is under way, or something about it is open.")
    add.post(
        "/v1/orders/{order}/erase",
        orders.erase_order,
        {200: answer("Erased, now or before.", OrderAnswer), **open_},
        body_of("Erasing"),
        KeyRole.ADMIN,
    )
    return add


def _add_showing(add: Routes, deps: ApiDeps, orders: Orders) -> None:
    guard = Depends(RequiredRole(deps.keys, *SHOWN_TO))
    missing = {
        **problem(404, "No such order."),
        **problem(409, "Several orders share the id; the document names them."),
    }
    for path, call, shape, failures in (
        ("/v1/orders", orders.list_orders, OrdersShape, {}),
        ("/v1/orders/{order}", orders.get_order, ExplainedShape, missing),
        ("/v1/orders/{order}/events", orders.list_order_events, EventsShape, missing),
    ):
        add.router.add_api_route(
            path,
            call,
            methods=["GET"],
            status_code=200,
            response_model=None,
            response_class=Json,
            dependencies=[guard],
            **texts(call, SHOWN_TO),
            responses={
                **GUARDED,
                **failures,
                **problem(422, "A parameter is not as documented."),
                200: answer("As asked.", shape),
            },
        )
