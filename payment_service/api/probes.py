"""What machines ask: alive, able to work, metrics, the document of this API."""

from fastapi import APIRouter
from starlette.requests import Request

from payment_service.api.deps import ApiDeps
from payment_service.api.openapi import answer, problem, texts
from payment_service.api.responses import Json, Plain, ProblemResponse
from payment_service.api.strict import strict_router
from payment_service.wire.shapes import ProbeAnswer

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Probes:
    """Open to all: nothing here tells about orders."""

    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps

    async def get_health(self) -> Json:
        """Say that the process answers."""
        return Json({"status": "alive"})

    async def get_readiness(self) -> Json:
        """Say whether the process can work."""
        problems = list(await self._deps.ready())
        if problems:
            members = {"problems": problems}
            return ProblemResponse(503, "Not able to work.", members=members)
        return Json({"status": "ready"})

    async def get_metrics(self) -> Plain:
        """Return the metrics for Prometheus."""
        return Plain(self._deps.metrics(), METRICS_TYPE)


async def document(request: Request) -> Json:
    """Return the OpenAPI document."""
    return Json(request.app.openapi())


def routes(deps: ApiDeps) -> APIRouter:
    """Return the routes that need no key."""
    router = strict_router("probes")
    probes = Probes(deps)
    alive = answer("Alive.", ProbeAnswer)
    ready = answer("Able to work.", ProbeAnswer)
    metrics = {
        "description": "In the text format of Prometheus.",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }
    failed = problem(500, "A failure of ours; the document holds its correlation_id.")
    router.add_api_route(
        "/healthz",
        probes.get_health,
        status_code=200,
        **texts(probes.get_health, ()),
        response_model=None,
        response_class=Json,
        responses={200: alive},
    )
    router.add_api_route(
        "/readyz",
        probes.get_readiness,
        status_code=200,
        **texts(probes.get_readiness, ()),
        response_model=None,
        response_class=Json,
        responses={200: ready, **problem(503, "Not able to work."), **failed},
    )
    router.add_api_route(
        "/metrics",
        probes.get_metrics,
        status_code=200,
        **texts(probes.get_metrics, ()),
        response_model=None,
        response_class=Plain,
        responses={200: metrics, **failed},
    )
    router.add_api_route("/openapi.json", document, include_in_schema=False)
    return router
