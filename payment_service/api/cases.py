"""Cases over HTTP: contradictions listed, assigned, settled and closed."""

from typing import Final

from starlette.requests import Request

from fsm.domain.errors import InvalidRequest
from fsm.domain.ids import is_uuid
from fsm.engine.words import CaseKind, CaseState
from handlers.ports.reads import CaseSearch
from payment_service.api.auth import actor_of, person_of
from payment_service.api.bodies import ModelReader
from payment_service.api.deps import ApiDeps
from payment_service.api.openapi import Responses, answer, body_of, problem
from payment_service.api.params import (
    PAGE_SIZE,
    Cursor,
    Limit,
    Text,
    checked_cursor,
    handed_out,
    item_id_of,
    text_filter,
)
from payment_service.api.responses import Json, status_of
from payment_service.api.routing import Routes
from payment_service.api.schemas import Assignment, Closing, Settlement, Withdrawing
from payment_service.wire.shapes import CasesShape, ItemAnswer
from payment_service.wire.views import case_view

NO_CASE: Final = "There is no such case."


class Cases:
    """What people do with contradictions."""

    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps
        self._wishes = ModelReader(deps.body_time_limit)

    async def list_cases(  # noqa: PLR0913 - one argument for each filter
        self,
        request: Request,
        *,
        state: CaseState | None = None,
        kind: CaseKind | None = None,
        owner: Text = None,
        queue_id: Text = None,
        limit: Limit = PAGE_SIZE,
        cursor: Cursor = None,
    ) -> Json:
        """List cases, newest first; open ones include those being settled."""
        if queue_id is not None and not is_uuid(queue_id):
            raise InvalidRequest.of_parameter("queue_id", "must be a UUID")
        sought = CaseSearch(
            state=state,
            kind=kind,
            owner=text_filter("owner", owner),
            queue_id=queue_id,
            limit=limit,
            cursor=checked_cursor(request, cursor),
        )
        page = await self._deps.reads.cases(sought)
        now = self._deps.clock.now()
        told: CasesShape = {
            "cases": [case_view(case, now) for case in page.items],
            "next_cursor": handed_out(request, page.next_cursor),
        }
        return Json(told)

    async def assign_case(self, request: Request, item_id: str) -> Json:
        """Make somebody the owner of a case."""
        found = item_id_of(item_id, NO_CASE)
        wish = await self._wishes.read(request, Assignment)
        await self._deps.operations.assign_case(
            found, owner=wish.owner, reason=wish.reason, actor=actor_of(request)
        )
        told: ItemAnswer = {"id": found, "status": "assigned"}
        return Json(told)

    async def settle_case(self, request: Request, item_id: str) -> Json:
        """Have core take a returned payout back; 202: a second person must agree."""
        found = item_id_of(item_id, NO_CASE)
        wish = await self._wishes.read(request, Settlement)
        vote = await self._deps.operations.settle_return(
            found,
            reason=wish.reason,
            evidence=wish.evidence,
            actor=actor_of(request),
            person=person_of(request),
        )
        told: ItemAnswer = {"id": found, "status": "settling" if vote else vote}
        return Json(told, status_of(vote))

    async def withdraw_settlement(self, request: Request, item_id: str) -> Json:
        """Take one's own vote on a returned payout back."""
        found = item_id_of(item_id, NO_CASE)
        wish = await self._wishes.read(request, Withdrawing)
        await self._deps.operations.withdraw_settlement(
            found,
            reason=wish.reason,
            actor=actor_of(request),
            person=person_of(request),
        )
        told: ItemAnswer = {"id": found, "status": "withdrawn"}
        return Json(told)

    async def close_case(self, request: Request, item_id: str) -> Json:
        """Close a case; 202: a second person must agree."""
        found = item_id_of(item_id, NO_CASE)
        wish = await self._wishes.read(request, Closing)
        vote = await self._deps.operations.close_case(
            found,
            reason=wish.reason,
            actor=actor_of(request),
            person=person_of(request),
        )
        told: ItemAnswer = {"id": found, "status": "closed" if vote else vote}
        return Json(told, status_of(vote))

    async def withdraw_closing(self, request: Request, item_id: str) -> Json:
        """Take one's own vote to close a case back."""
        found = item_id_of(item_id, NO_CASE)
        wish = await self._wishes.read(request, Withdrawing)
        await self._deps.operations.withdraw_closing(
            found,
            reason=wish.reason,
            actor=actor_of(request),
            person=person_of(request),
        )
        told: ItemAnswer = {"id": found, "status": "withdrawn"}
        return Json(told)


def routes(deps: ApiDeps) -> Routes:
    """Return the routes of support."""
    add, cases = Routes("cases", deps), Cases(deps)
    done: Responses = {
        200: answer("Done.", ItemAnswer),
        **problem(409, "Somebody has done so before."),
    }
    two: Responses = {**done, 202: answer("It waits for a second person.", ItemAnswer)}
    path = "/v1/cases/{item_id}"
    add.get("/v1/cases", cases.list_cases, CasesShape)
    add.post(f"{path}/close", cases.close_case, two, body_of("Closing"))
    add.delete(f"{path}/close", cases.withdraw_closing, ItemAnswer)
    add.post(f"{path}/assign", cases.assign_case, done, body_of("Assignment"))
    add.post(f"{path}/settle", cases.settle_case, two, body_of("Settlement"))
    add.delete(f"{path}/settle", cases.withdraw_settlement, ItemAnswer)
    return add
