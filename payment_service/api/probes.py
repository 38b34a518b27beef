"""What machines ask: alive, able to work, metrics, the document of this API."""

from fastapi import APIRouter
from starlette.requests import Request

from payment_service.api.deps import ApiDeps
from payment_service.api.openapi import answer, problem
from payment_service.api.responses import Json, Plain, ProblemResponse
from payment_service.wire.shapes import ProbeAnswer

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Probes:
    """Open to all: nothing here tells about orders."""

    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps

    async def alive(self) -> Json:
        """Say that the process answers."""
        return Json({"status": "alive"})

    async def ready(self) -> Json:
        """Say whether the process can work."""
        problems = list(await self._deps.ready())
        if problems:
            members = {"problems": problems}
            return ProblemResponse(503, "Not able to work.", members=members)
        return Json({"status": "ready"})

    async def metrics(self) -> Plain:
        """Return the metrics for Prometheus."""
        return Plain(self._deps.metrics(), METRICS_TYPE)


async def document(request: Request) -> Json:
    """Return the OpenAPI document."""
    return Json(request.app.openapi())


def routes(deps: ApiDeps) -> APIRouter:
    """Return the routes that need no key."""
    router = APIRouter(tags=["probes"])
    probes = Probes(deps)
    alive = answer("Alive.", ProbeAnswer)
    ready = answer("Able to work.", ProbeAnswer)
    failed = problem(500, "A failure of ours; the document holds its correlation_id.")
    router.add_api_route(
        "/healthz",
        probes.alive,
        status_code=200,
        response_model=None,
        response_class=Json,
        responses={200: alive},
    )
    router.add_api_route(
        "/readyz",
        probes.ready,
        status_code=200,
        response_model=None,
        response_class=Json,
        responses={200: ready, **problem(503, "Not able to work."), **failed},
    )
    router.add_api_route(
        "/metrics",
        probes.metrics,
        status_code=200,
        response_model=None,
        response_class=Plain,
        responses={200: {"description": "In the text format."}, **failed},
    )
    router.add_api_route("/openapi.json", document, include_in_schema=False)
    return router
