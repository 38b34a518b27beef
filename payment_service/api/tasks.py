"""Tasks over HTTP: manual checks decided, votes withdrawn, attempts cancelled."""

from starlette.requests import Request

from payment_service.api.auth import actor_of, person_of
from payment_service.api.bodies import ModelReader
from payment_service.api.deps import ApiDeps
from payment_service.api.openapi import Responses, answer, body_of, problem
from payment_service.api.params import task_id_of
from payment_service.api.responses import Json, status_of
from payment_service.api.routing import Routes
from payment_service.api.schemas import Cancellation, Resolution, Withdrawing
from payment_service.wire.shapes import TaskAnswer


class Tasks:
    """What people decide about single attempts."""

    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps
        self._wishes = ModelReader(deps.body_time_limit)

    async def resolve_task(self, request: Request, task_id: str) -> Json:
        """Decide a manual check; 202: a second person must agree.

        A second person who decides otherwise clears the first vote.
        """
        task_id = task_id_of(task_id)
        wish = await self._wishes.read(request, Resolution)
        vote = await self._deps.operations.resolve(
            task_id,
            decision=wish.decision,
            reason=wish.reason,
            evidence=wish.evidence,
            actor=actor_of(request),
            person=person_of(request),
            by_hand=wish.balance is not None,
        )
        told: TaskAnswer = {"task_id": task_id, "status": vote}
        return Json(told, status_of(vote))

    async def withdraw_resolution(self, request: Request, task_id: str) -> Json:
        """Take one's own vote back, as long as no second person has agreed."""
        task_id = task_id_of(task_id)
        wish = await self._wishes.read(request, Withdrawing)
        await self._deps.operations.withdraw_resolution(
            task_id,
            reason=wish.reason,
            actor=actor_of(request),
            person=person_of(request),
        )
        told: TaskAnswer = {"task_id": task_id, "status": "withdrawn"}
        return Json(told)

    async def cancel_task(self, request: Request, task_id: str) -> Json:
        """Ask for the cancellation of a task; the cascade goes on."""
        task_id = task_id_of(task_id)
        wish = await self._wishes.read(request, Cancellation)
        await self._deps.operations.cancel_task(
            task_id, reason=wish.reason, actor=actor_of(request)
        )
        told: TaskAnswer = {"task_id": task_id, "status": "cancel_requested"}
        return Json(told, 202)


def routes(deps: ApiDeps) -> Routes:
    """Return the routes of support."""
    add, tasks = Routes("tasks", deps), Tasks(deps)
    not_now = problem(409, "The present state does not allow it.")
    asked: Responses = {202: answer("Asked for.", TaskAnswer), **not_now}
    resolved: Responses = {
        200: answer("Recorded, or the first vote cleared.", TaskAnswer),
        202: answer("It waits for a second person.", TaskAnswer),
        **not_now,
    }
    path = "/v1/tasks/{task_id}"
    add.post(f"{path}/resolution", tasks.resolve_task, resolved, body_of("Resolution"))
    add.delete(f"{path}/resolution", tasks.withdraw_resolution, TaskAnswer)
    add.post(f"{path}/cancel", tasks.cancel_task, asked, body_of("Cancellation"))
    return add
