"""Requests of upstream systems over HTTP: withdrawals, checkouts, partner links."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from fastapi import APIRouter, Depends
from starlette.requests import Request

from fsm.domain.errors import InvalidRequest
from fsm.domain.field_errors import in_body
from fsm.domain.keys import KeyRole
from fsm.domain.reading import shortened
from fsm.engine.words import Kind
from payment_service.api.auth import RequiredRole, actor_of, key_of
from payment_service.api.awaiting import Wait, waiting_time
from payment_service.api.bodies import BodyReader
from payment_service.api.deps import ApiDeps
from payment_service.api.openapi import body_of, words_of
from payment_service.api.params import trace_parent_of
from payment_service.api.responses import Json
from payment_service.api.strict import strict_router, warn
from payment_service.api.submitted import ANSWERS, CONFLICT, answered, refused
from payment_service.wire.readers import PATHS, READERS, read_request

STORED: Final = """202 and 200 mean that it is stored, and survives whatever fails.

Whoever hears no answer repeats it: the `order_id` is its idempotency key.
"""


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
            warn(request, refusal.warnings)
            told, errors = refusal.problem, refusal.errors
            return refused(422, refusal.order_id, "rejected", told, errors)
        warn(request, wanted.warnings)
        order_id = wanted.order_id
        if not key_of(request).may_touch(wanted.merchant_id):
            told = f"This key may not ask for merchant {shortened(wanted.merchant_id)}."
            errors = (in_body(("merchant_id",), told),)
            return refused(403, order_id, "rejected", told, errors)
        submission = await self._deps.submit(
            wanted, actor=actor_of(request), trace_parent=trace_parent_of(request)
        )
        return await answered(
            self._deps, request, submission, order_id=order_id, limit=limit
        )


def routes(deps: ApiDeps) -> APIRouter:
    """Return the routes of upstream systems."""
    router = strict_router("orders")
    submissions = Submissions(deps)
    guard = Depends(RequiredRole(deps.keys, KeyRole.UPSTREAM))
    for kind, path in PATHS.items():
        reader = READERS[kind]
        router.add_api_route(
            path,
            submissions.of(kind),
            name=f"create_{kind.value}",
            methods=["POST"],
            status_code=202,
            response_model=None,
            response_class=Json,
            dependencies=[guard],
            **words_of(reader.does, [KeyRole.UPSTREAM], more=STORED),
            openapi_extra=body_of(reader.model.__name__),
            responses={**ANSWERS, **CONFLICT},
        )
    return router
