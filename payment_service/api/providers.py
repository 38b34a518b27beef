"""Providers over HTTP: how they do, paused and put back."""

from typing import Final, Literal

from starlette.requests import Request

from fsm.domain.keys import KeyRole
from payment_service.api.auth import actor_of
from payment_service.api.bodies import ModelReader
from payment_service.api.deps import ApiDeps
from payment_service.api.openapi import Responses, answer, body_of
from payment_service.api.params import segment
from payment_service.api.responses import Json
from payment_service.api.routing import Routes
from payment_service.api.schemas import Pausing, Replaying
from payment_service.wire.shapes import ProviderAnswer, ProvidersShape
from payment_service.wire.views import provider_view

NO_PROVIDER: Final = "There is no such provider."


class ProviderCalls:
    """What is shown of providers, and who gets new work."""

    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps
        self._wishes = ModelReader(deps.body_time_limit)

    async def list_providers(self) -> Json:
        """List the configured providers."""
        statuses = await self._deps.provider_statuses()
        told: ProvidersShape = {"providers": [provider_view(each) for each in statuses]}
        return Json(told)

    async def pause_provider(self, request: Request, name: str) -> Json:
        """Give a provider no new work; 404: it is not configured."""
        wish = await self._wishes.read(request, Pausing)
        found = segment(name)
        await self._deps.operations.pause(
            found, reason=wish.reason, lasting=wish.length, actor=actor_of(request)
        )
        return _steered(found, "paused")

    async def resume_provider(self, request: Request, name: str) -> Json:
        """Put a provider back; 404: it is not configured."""
        wish = await self._wishes.read_or_none(request, Replaying)
        found = segment(name)
        await self._deps.operations.resume(
            found,
            reason=None if wish is None else wish.reason,
            actor=actor_of(request),
        )
        return _steered(found, "resumed")


def _steered(name: str, word: Literal["paused", "resumed"]) -> Json:
    told: ProviderAnswer = {"name": name, "status": word}
    return Json(told)


def routes(deps: ApiDeps) -> Routes:
    """Return the routes of viewers and admins."""
    add, providers = Routes("providers", deps), ProviderCalls(deps)
    add.get("/v1/providers", providers.list_providers, ProvidersShape)
    done: Responses = {200: answer("Done.", ProviderAnswer)}
    path = "/v1/providers/{name}"
    add.post(
        f"{path}/pause",
        providers.pause_provider,
        done,
        body_of("Pausing"),
        KeyRole.ADMIN,
    )
    body = body_of("Replaying", required=False)
    add.post(f"{path}/resume", providers.resume_provider, done, body, KeyRole.ADMIN)
    return add
