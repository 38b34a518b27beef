"""Adds routes that have all in common but a few words: key, role, failures, body."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from fastapi import Depends

from fsm.domain.keys import KeyRole
from payment_service.api.auth import RequiredRole
from payment_service.api.deps import ApiDeps
from payment_service.api.openapi import (
    GUARDED,
    WITH_BODY,
    Responses,
    answer,
    body_of,
    problem,
    texts,
)
from payment_service.api.responses import Json
from payment_service.api.strict import strict_router

Endpoint = Callable[..., Awaitable[Json]]


class Routes:
    """The routes of one resource."""

    def __init__(self, tag: str, deps: ApiDeps) -> None:
        self.router = strict_router(tag)
        self._keys = deps.keys

    def get(
        self,
        path: str,
        call: Endpoint,
        shape: type[Mapping[str, Any]],
        *roles: KeyRole,
    ) -> None:
        """Add a list, for viewers where no roles are said."""
        roles = roles or (KeyRole.VIEWER,)
        failures = problem(422, "A parameter is not as documented.")
        answers: Responses = {200: answer("As asked.", shape)}
        self._add("GET", path, call, roles, {**failures, **answers}, None)

    def post(
        self,
        path: str,
        call: Endpoint,
        answers: Responses,
        body: dict[str, Any],
        *roles: KeyRole,
    ) -> None:
        """Add a wish, of support where no roles are said."""
        missing = problem(404, "There is no such thing.")
        described = {**WITH_BODY, **missing, **answers}
        self._add("POST", path, call, roles or (KeyRole.SUPPORT,), described, body)

    def delete(self, path: str, call: Endpoint, shape: type[Mapping[str, Any]]) -> None:
        """Add the taking back of a vote."""
        answers: Responses = {
            200: answer("Withdrawn.", shape),
            **problem(404, "There is no such thing."),
            **problem(409, "There is no vote of this person's."),
        }
        body = body_of("Withdrawing")
        roles = (KeyRole.SUPPORT,)
        self._add("DELETE", path, call, roles, {**WITH_BODY, **answers}, body)

    def _add(
        self,
        method: str,
        path: str,
        call: Endpoint,
        roles: Sequence[KeyRole],
        answers: Responses,
        body: dict[str, Any] | None,
    ) -> None:
        self.router.add_api_route(
            path,
            call,
            methods=[method],
            status_code=min(s for s in answers if isinstance(s, int)),
            response_model=None,
            response_class=Json,
            dependencies=[Depends(RequiredRole(self._keys, *roles))],
            **texts(call, roles),
            openapi_extra=body,
            responses={**GUARDED, **answers},
        )
