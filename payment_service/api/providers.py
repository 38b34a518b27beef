"""Providers over HTTP: how they do, paused and put back."""

from typing import Final, Literal

from starlette.exceptions import HTTPException
from starlette.requests import Request

from fsm.domain.keys import KeyRole
from payment_service.api.auth import actor_of
from payment_service.api.bodies import ModelReader
from payment_service.api.deps import ApiDeps, Pause, Resume
from payment_service.api.openapi import Responses, answer, body_of
from payment_service.api.params import segment
from payment_service.api.responses import Json
from payment_service.api.routing import Endpoint, Routes
from payment_service.api.schemas import Pausing, Replaying
from payment_service.wire.shapes import ProviderAnswer, ProvidersShape
from payment_service.wire.views import provider_view

NO_PROVIDER: Final = "There is no such provider."


class ProviderCalls:
    """What is shown of providers, and who gets new work."""

    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps
        self._wishes = ModelReader(deps.body_time_limit)

    async def providers(self) -> Json:
        """List the configured providers."""
        statuses = await self._deps.provider_statuses()
        told: ProvidersShape = {"providers": [provider_view(each) for each in statuses]}
        return Json(told)

    def pausing(self, pause: Pause) -> Endpoint:
        """Return the call that pauses."""

        async def pause_provider(request: Request, name: str) -> Json:
            wish = await self._wishes.read(request, Pausing)
            found = segment(name)
            done = await pause(
                found,
                reason=wish.reason,
                lasting=wish.length,
                actor=actor_of(request),
            )
            return _steered(found, "paused", done=done)

        return pause_provider

    def resuming(self, resume: Resume) -> Endpoint:
        """Return the call that puts back."""

        async def resume_provider(request: Request, name: str) -> Json:
            wish = await self._wishes.read_or_none(request, Replaying)
            found = segment(name)
            reason = None if wish is None else wish.reason
            done = await resume(found, reason=reason, actor=actor_of(request))
            return _steered(found, "resumed", done=done)

        return resume_provider


def _steered(name: str, word: Literal["paused", "resumed"], *, done: bool) -> Json:
    if not done:
        raise HTTPException(404, NO_PROVIDER)
    told: ProviderAnswer = {"name": name, "status": word}
    return Json(told)


def routes(deps: ApiDeps) -> Routes:
    """Return the routes of viewers and admins; who cannot pause has no such route."""
    add, providers = Routes("providers", deps), ProviderCalls(deps)
    add.get("/v1/providers", providers.providers, ProvidersShape)
    done: Responses = {200: answer("Done.", ProviderAnswer)}
    path = "/v1/providers/{name}"
    if deps.pause is not None:
        call = providers.pausing(deps.pause)
        add.post(f"{path}/pause", call, done, body_of("Pausing"), KeyRole.ADMIN)
    if deps.resume is not None:
        call = providers.resuming(deps.resume)
        body = body_of("Replaying", required=False)
        add.post(f"{path}/resume", call, done, body, KeyRole.ADMIN)
    return add
