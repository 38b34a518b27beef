"""Puts the HTTP API together."""

import re
from typing import Final
from urllib.parse import unquote

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from payment_service.api import (
    cases,
    customers,
    dead_letters,
    four_eyes,
    keys,
    orders,
    partner_links,
    probes,
    problems,
    providers,
    service_events,
    submissions,
    tasks,
    webhooks,
)
from payment_service.api.deps import ApiDeps
from payment_service.api.keyring import Keyring
from payment_service.api.openapi import PaymentApi, operation_id
from payment_service.api.responses import ProblemResponse
from payment_service.release import version

NO_KEYS: Final = (
    "There is no API key yet: set PAYMENT_API_KEYS, or make one by "
    "`payment-service key new`."
)
_RESOURCES: Final = (
    orders,
    tasks,
    customers,
    cases,
    dead_letters,
    partner_links,
    providers,
    service_events,
)
_OPEN: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_WEBHOOK: Final = re.compile(rb"/+webhooks/+([^/]+)/*")
_DECODED_BY_HAND: Final = ("/v1/", "/webhooks/")


def create_app(deps: ApiDeps) -> FastAPI:
    """Return the application; it opens and closes nothing by itself."""
    app = PaymentApi(
        title="payment-service",
        version=version(),
        description="Executes money movements: the wire contract, sections 7 and 8.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
    )
    # One after the other is tried: most that comes, and all that strangers send, first.
    app.include_router(webhooks.routes(deps))
    app.include_router(submissions.routes(deps))
    for part in _RESOURCES:
        app.include_router(part.routes(deps).router)
    app.include_router(probes.routes(deps))
    if deps.people is not None:
        for part in (keys, four_eyes):
            app.include_router(part.routes(deps, deps.people).router)
    app.add_middleware(Lock, keys=deps.keys)
    problems.install(app, deps.report)
    return app


def _plain_webhook(scope: Scope) -> Scope:
    """Return the one spelling of a webhook's path: who sends it follows no redirect.

    Slashes are doubled where an address was put together that ended with one.
    """
    path = scope["path"]
    if not path.endswith("/") and "//" not in path:
        return scope
    raw = scope.get("raw_path") or path.encode()
    found = _WEBHOOK.fullmatch(raw)
    if found is None:
        return scope
    plain = b"/webhooks/" + found[1]
    decoded = unquote(plain.decode("latin-1"))
    return {**scope, "path": decoded, "raw_path": plain}


class Lock:
    """Stands before the routes.

    Without any key the service is locked but for probes and webhooks. Paths are
    routed as they were sent, so that an id may hold a slash; handlers decode them.
    """

    def __init__(self, app: ASGIApp, *, keys: Keyring) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer 401."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = _plain_webhook(scope)
        path = scope["path"]
        is_open = path in _OPEN or path.startswith("/webhooks/")
        if self._keys.is_empty and not is_open:
            refusal = ProblemResponse(401, NO_KEYS)
            await refusal(scope, receive, send)
            return
        raw = scope.get("raw_path") or b""
        if b"%" in raw and path.startswith(_DECODED_BY_HAND):
            scope = {**scope, "path": raw.decode("latin-1")}
        await self._app(scope, receive, send)
