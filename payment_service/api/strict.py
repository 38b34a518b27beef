"""Refuses query parameters and bodies that a route would not look at.

What is not looked at misleads: a search with a filter that there is not would answer
with everybody's orders. What of a body is not known is no reason to refuse it (a newer
client may say more), but the answer names it, in ``warnings``.
"""

from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

import orjson
from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from fsm.domain.errors import InvalidRequest
from fsm.domain.field_errors import (
    LISTED_MAX,
    FieldError,
    in_parameter,
    listed_errors,
)
from payment_service.api.responses import Json
from payment_service.wire.no_cards import shown_name

EMPTY: Final = "is empty: leave it out, or say what is wanted"
TWICE: Final = "is given more than once: one call, one value"
NO_BODY: Final = "a GET has no body here: what is sought is said in the query"
_BODILESS: Final = frozenset({"GET", "HEAD"})
_NOT_LOOKED_AT: Final = {
    "Idempotency-Key": "is not looked at: a repeat of a request is told by its "
    "order_id, whatever else is repeated by what it names in its path",
    "X-Wait": "is of messages, and not looked at: a request may say ?wait=20s",
    "X-Reply-To": "is of messages, and not looked at: this is the answer",
}


def strict_router(*tags: str) -> APIRouter:
    """Return a router whose routes refuse what they would not look at."""
    return APIRouter(tags=[*tags], route_class=StrictRoute)


async def require_looked_at(request: Request) -> None:
    """Refuse a request that says more than its route looks at.

    :raises InvalidRequest: names each parameter, and those that there are.
    """
    if request.method not in _BODILESS:
        warn(request, _unread_headers(request))
    elif _has_body(request):
        raise InvalidRequest.of_field(detail=NO_BODY)
    given = request.query_params.multi_items()
    if not given:
        return
    route = request.scope["route"]
    known = route.known if isinstance(route, StrictRoute) else ()
    errors = list(_wrong(given, known))
    if errors:
        more = [f"and {left} more"] if (left := len(errors) - LISTED_MAX) > 0 else []
        told = errors[:LISTED_MAX]
        line = "; ".join([*map(str, told), *more])
        raise InvalidRequest(line, errors=told)


def _wrong(
    given: Iterable[tuple[str, str]], known: Iterable[str]
) -> Iterable[FieldError]:
    takes = f"this call takes {', '.join(known) or 'none'}"
    times = Counter(name for name, _ in given)
    empty = {name for name, value in given if not value}
    for name, count in times.items():
        if name not in known:
            detail = f"is no parameter that is known here; {takes}"
            yield in_parameter(shown_name(name), detail)
        elif count > 1:
            yield in_parameter(name, TWICE)
        elif name in empty:
            yield in_parameter(name, EMPTY)


def _has_body(request: Request) -> bool:
    length = request.headers.get("content-length", "0")
    return length != "0" or "transfer-encoding" in request.headers


_LOOKS: Final = Depends(require_looked_at)


class StrictRoute(APIRoute):
    """A route that refuses what it would not look at, after who calls is known."""

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        dependencies: Iterable[Any] | None = None,
        **more: Any,  # noqa: ANN401 - the framework's own
    ) -> None:
        guards = [each for each in dependencies or () if each is not _LOOKS]
        super().__init__(path, endpoint, dependencies=[*guards, _LOOKS], **more)
        self.known = tuple(field.alias for field in self.dependant.query_params)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the framework's own handler, whose answers name what was ignored."""
        answer = super().get_route_handler()

        async def answered(request: Request) -> Response:
            return with_warnings(request, await answer(request))

        return answered


def warn(request: Request, warnings: Iterable[FieldError]) -> None:
    """Have the answer to a request name what was not looked at."""
    told = [*getattr(request.state, "warnings", ()), *warnings]
    if told:
        request.state.warnings = told


def _unread_headers(request: Request) -> list[FieldError]:
    """Name headers of other services or doors, which mean nothing here."""
    return [
        in_parameter(name, detail)
        for name, detail in _NOT_LOOKED_AT.items()
        if name in request.headers
    ]


def with_warnings(request: Request, response: Response) -> Response:
    """Return the answer, with what the request was warned of as its last member."""
    told = getattr(request.state, "warnings", None)
    if not told or not isinstance(response, Json):
        return response
    tree = orjson.loads(bytes(response.body))
    if isinstance(tree, dict):
        tree["warnings"] = listed_errors(told)
        response.body = response.render(tree)
        response.headers["content-length"] = str(len(response.body))
    return response
