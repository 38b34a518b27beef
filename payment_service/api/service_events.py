"""The service's own audit trail over HTTP: what was done to it, by whom and why."""

from starlette.requests import Request

from payment_service.api.deps import ApiDeps
from payment_service.api.params import (
    PAGE_SIZE,
    Cursor,
    Limit,
    checked_cursor,
    handed_out,
)
from payment_service.api.responses import Json
from payment_service.api.routing import Routes
from payment_service.wire.shapes import ServiceEventsShape
from payment_service.wire.views import event_view


class ServiceEvents:
    """What was done to the service itself."""

    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps

    async def list_service_events(
        self, request: Request, limit: Limit = PAGE_SIZE, cursor: Cursor = None
    ) -> Json:
        """List what was done to the service itself, newest first: who, and why."""
        page = await self._deps.reads.service_events(
            limit=limit, cursor=checked_cursor(request, cursor)
        )
        told: ServiceEventsShape = {
            "events": [event_view(entry) for entry in page.items],
            "next_cursor": handed_out(request, page.next_cursor),
        }
        return Json(told)


def routes(deps: ApiDeps) -> Routes:
    """Return the route of viewers."""
    add, trail = Routes("service events", deps), ServiceEvents(deps)
    add.get("/v1/service-events", trail.list_service_events, ServiceEventsShape)
    return add
