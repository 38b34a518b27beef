"""Dead letters over HTTP: listed, replayed and discarded."""

from typing import Final, Literal

from starlette.requests import Request

from payment_service.api.auth import actor_of
from payment_service.api.bodies import ModelReader
from payment_service.api.deps import ApiDeps
from payment_service.api.openapi import Responses, answer, body_of, problem
from payment_service.api.params import (
    PAGE_SIZE,
    Cursor,
    Limit,
    checked_cursor,
    handed_out,
    item_id_of,
)
from payment_service.api.responses import Json
from payment_service.api.routing import Routes
from payment_service.api.schemas import Closing, Replaying
from payment_service.wire.shapes import DeadLettersShape, ItemAnswer
from payment_service.wire.views import dead_letter_view

NO_LETTER: Final = "There is no such dead letter."


class DeadLetters:
    """What people do with messages that could not be handled."""

    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps
        self._wishes = ModelReader(deps.body_time_limit)

    async def list_dead_letters(
        self, request: Request, limit: Limit = PAGE_SIZE, cursor: Cursor = None
    ) -> Json:
        """List the dead letters neither replayed nor discarded, newest first."""
        page = await self._deps.reads.dead_letters(
            limit=limit, cursor=checked_cursor(request, cursor)
        )
        told: DeadLettersShape = {
            "dead_letters": [dead_letter_view(letter) for letter in page.items],
            "next_cursor": handed_out(request, page.next_cursor),
        }
        return Json(told)

    async def replay_dead_letter(self, request: Request, item_id: str) -> Json:
        """Send a dead letter's message again; it is judged by the same rules."""
        found = item_id_of(item_id, NO_LETTER)
        wish = await self._wishes.read_or_none(request, Replaying)
        reason = None if wish is None else wish.reason
        await self._deps.operations.replay(
            found, reason=reason, actor=actor_of(request)
        )
        return _settled(found, "replayed")

    async def discard_dead_letter(self, request: Request, item_id: str) -> Json:
        """Discard a dead letter; its task is still driven."""
        found = item_id_of(item_id, NO_LETTER)
        wish = await self._wishes.read(request, Closing)
        await self._deps.operations.discard(
            found, reason=wish.reason, actor=actor_of(request)
        )
        return _settled(found, "discarded")


def _settled(item_id: str, word: Literal["replayed", "discarded"]) -> Json:
    told: ItemAnswer = {"id": item_id, "status": word}
    return Json(told)


def routes(deps: ApiDeps) -> Routes:
    """Return the routes of support."""
    add, letters = Routes("dead letters", deps), DeadLetters(deps)
    done: Responses = {
        200: answer("Done.", ItemAnswer),
        **problem(409, "Somebody has done so before."),
    }
    replaying = body_of("Replaying", required=False)
    path = "/v1/dead-letters/{item_id}"
    add.get("/v1/dead-letters", letters.list_dead_letters, DeadLettersShape)
    add.post(f"{path}/replay", letters.replay_dead_letter, done, replaying)
    add.post(f"{path}/discard", letters.discard_dead_letter, done, body_of("Closing"))
    return add
