"""Four eyes over HTTP: from which amounts two persons decide, shown and set."""

from typing import Final

from starlette.requests import Request

from fsm.domain.keys import KeyRole
from fsm.domain.roster import DEFAULT
from payment_service.api.auth import admin_of
from payment_service.api.bodies import ModelReader
from payment_service.api.deps import ApiDeps, PeopleOperations
from payment_service.api.openapi import Responses, answer, body_of, problem
from payment_service.api.responses import Json
from payment_service.api.routing import Routes
from payment_service.api.schemas import ThresholdWish
from payment_service.wire.people_shapes import FourEyesShape, ThresholdAnswer
from payment_service.wire.people_views import four_eyes_view

FLOOR: Final = "PAYMENT_FOUR_EYES_FROM asks two from {} on, whatever is set here"


class Thresholds:
    """From which amounts two decide: shown and set."""

    def __init__(self, deps: ApiDeps, people: PeopleOperations) -> None:
        self._wishes = ModelReader(deps.body_time_limit)
        self._people = people

    async def get_four_eyes(self) -> Json:
        """Show from which amounts two decide, and what waits for a second admin."""
        return Json(four_eyes_view(*await self._people.thresholds()))

    async def set_four_eyes(self, request: Request) -> Json:
        """Set an amount; 202: a second admin must agree to what asks two less often."""
        wish = await self._wishes.read(request, ThresholdWish)
        currency = wish.currency or DEFAULT
        threshold = await self._people.set_threshold(
            currency, wish.from_, by=admin_of(request), reason=wish.reason
        )
        four_eyes, _ = await self._people.thresholds()
        waits = threshold.proposal is not None
        told: ThresholdAnswer = {
            "currency": currency,
            "from": wish.from_,
            "effective": four_eyes.begins_at(currency),
            "status": "waits_for_second_person" if waits else "recorded",
        }
        floor = four_eyes.floor
        if floor is not None and (wish.from_ is None or wish.from_ > floor):
            told["note"] = FLOOR.format(floor)
        return Json(told, 202 if waits else 200)


def routes(deps: ApiDeps, people: PeopleOperations) -> Routes:
    """Return the routes of admins."""
    add, thresholds = Routes("people", deps), Thresholds(deps, people)
    done: Responses = {
        200: answer("Set.", ThresholdAnswer),
        **problem(409, "The present state does not allow it."),
        202: answer("It waits for a second admin.", ThresholdAnswer),
    }
    add.get("/v1/four-eyes", thresholds.get_four_eyes, FourEyesShape, KeyRole.ADMIN)
    body = body_of("ThresholdWish")
    add.post("/v1/four-eyes", thresholds.set_four_eyes, done, body, KeyRole.ADMIN)
    return add
