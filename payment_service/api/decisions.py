"""What people decide: manual checks, cancellations, cases, dead letters, providers."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request

from fsm.domain.errors import InvalidRequest, UnknownOrder
from fsm.domain.ids import is_uuid
from fsm.domain.keys import KeyRole
from fsm.domain.strict_json import parse_strict
from fsm.domain.votes import Vote
from fsm.engine.words import CaseKind, CaseState
from handlers.ports.reads import CaseSearch, ProviderStatus
from payment_service.api.auth import Guard, actor_of, person_of
from payment_service.api.bodies import BodyReader
from payment_service.api.deps import ApiDeps, Pause, Resume
from payment_service.api.documents import (
    GUARDED,
    WITH_BODY,
    CasesShape,
    DeadLettersShape,
    ErasedShape,
    ItemAnswer,
    OrderAnswer,
    ProviderAnswer,
    ProvidersShape,
    Responses,
    ServiceEventsShape,
    TaskAnswer,
    answer,
    body_of,
    problem,
)
from payment_service.api.orders import (
    PAGE_SIZE,
    Cursor,
    Limit,
    Text,
    checked_cursor,
    find,
    text_filter,
)
from payment_service.api.requests import segment
from payment_service.api.responses import Json
from payment_service.api.wishes import (
    Assignment,
    Cancellation,
    Closing,
    Erasing,
    Pausing,
    Replaying,
    Resolution,
    Settlement,
    Withdrawing,
)
from payment_service.wire.models import M, validated
from payment_service.wire.views import View, case_view, dead_letter_view, event_view

Endpoint = Callable[..., Awaitable[Json]]
NO_CASE: Final = "There is no such case."
NO_LETTER: Final = "There is no such dead letter."
WITHDRAWN: Final = "withdrawn"
NO_PROVIDER: Final = "There is no such provider."


class Wishes:
    """Reads what a person asks for."""

    def __init__(self, deps: ApiDeps) -> None:
        self._bodies = BodyReader(time_limit=deps.body_time_limit)

    async def read(self, request: Request, model: type[M]) -> M:
        """Return the body.

        :raises InvalidRequest: names every problem.
        """
        return validated(model, parse_strict(await self._bodies.read(request)))

    async def read_or_none(self, request: Request, model: type[M]) -> M | None:
        """Return the body, or None where there is none."""
        data = await self._bodies.read(request)
        return validated(model, parse_strict(data)) if data else None


class Deciding:
    """Manual checks and cancellations."""

    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps
        self._wishes = Wishes(deps)

    async def resolve(self, request: Request, task_id: str) -> Json:
        """Decide a manual check; 202: a second person must agree.

        A second person who decides otherwise clears the first vote.
        """
        task_id = _uuid(task_id)
        wish = await self._wishes.read(request, Resolution)
        vote = await self._deps.resolve(
            task_id,
            decision=wish.decision,
            reason=wish.reason,
            evidence=wish.evidence,
            actor=actor_of(request),
            person=person_of(request),
            by_hand=wish.balance is not None,
        )
        return Json({"task_id": task_id, "status": vote.value}, _status(vote))

    async def withdraw(self, request: Request, task_id: str) -> Json:
        """Take one's own vote back, as long as no second person has agreed."""
        task_id = _uuid(task_id)
        wish = await self._wishes.read(request, Withdrawing)
        await self._deps.withdraw_resolution(
            task_id,
            reason=wish.reason,
            actor=actor_of(request),
            person=person_of(request),
        )
        return Json({"task_id": task_id, "status": WITHDRAWN})

    async def cancel_task(self, request: Request, task_id: str) -> Json:
        """Ask for the cancellation of a task; the cascade goes on."""
        task_id = _uuid(task_id)
        wish = await self._wishes.read(request, Cancellation)
        await self._deps.cancel_task(
            task_id, reason=wish.reason, actor=actor_of(request)
        )
        return Json({"task_id": task_id, "status": "cancel_requested"}, 202)

    async def cancel_order(self, request: Request, order: str) -> Json:
        """Ask for the cancellation of an order, all of it."""
        wish = await self._wishes.read(request, Cancellation)
        found = await find(self._deps.reads, order, request)
        await self._deps.cancel_order(
            found, reason=wish.reason, actor=actor_of(request)
        )
        ids = {"order_id": found.order_id, "queue_id": found.queue_id}
        return Json({**ids, "status": "cancel_requested"}, 202)


class Forgetting:
    """Erasures: of an order, or of all that a customer has."""

    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps
        self._wishes = Wishes(deps)

    async def erase_order(self, request: Request, order: str) -> Json:
        """Take out of a final order who the customer is and where his money went."""
        wish = await self._wishes.read(request, Erasing)
        found = await find(self._deps.reads, order, request)
        done = await self._deps.erase_order(
            found, reason=wish.reason, actor=actor_of(request)
        )
        status = "erased" if done else "was_erased_before"
        ids = {"order_id": found.order_id, "queue_id": found.queue_id}
        return Json({**ids, "status": status})

    async def erase_customer(self, request: Request, customer: str) -> Json:
        """Do so with every order of a customer; one under way is named, and stays."""
        wish = await self._wishes.read(request, Erasing)
        customer_id = text_filter("customer", segment(customer))
        if customer_id is None:
            raise InvalidRequest("customer: must be an id")
        done, refused = await self._deps.erase_customer(
            customer_id, reason=wish.reason, actor=actor_of(request)
        )
        told = [{"queue_id": each, "because": why} for each, why in refused.items()]
        return Json({"erased": list(done), "refused": told})


class Items:
    """Cases and dead letters: listed, and settled one by one."""

    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps
        self._wishes = Wishes(deps)

    async def cases(
        self,
        state: CaseState | None = None,
        kind: CaseKind | None = None,
        owner: Text = None,
        queue_id: Text = None,
        limit: Limit = PAGE_SIZE,
        cursor: Cursor = None,
    ) -> Json:
        """List cases, newest first; open ones include those being settled."""
        if queue_id is not None and not is_uuid(queue_id):
            raise InvalidRequest("queue_id: must be a UUID")
        sought = CaseSearch(
            state=state,
            kind=kind,
            owner=text_filter("owner", owner),
            queue_id=queue_id,
            limit=limit,
            cursor=checked_cursor(cursor),
        )
        page = await self._deps.reads.cases(sought)
        now = self._deps.clock.now()
        shown = [case_view(case, now) for case in page.items]
        return Json({"cases": shown, "next_cursor": page.next_cursor})

    async def assign_case(self, request: Request, item_id: str) -> Json:
        """Make somebody the owner of a case."""
        found = _item(item_id, NO_CASE)
        wish = await self._wishes.read(request, Assignment)
        await self._deps.assign_case(
            found, owner=wish.owner, reason=wish.reason, actor=actor_of(request)
        )
        return Json({"id": found, "status": "assigned"})

    async def settle_case(self, request: Request, item_id: str) -> Json:
        """Have core take a returned payout back; 202: a second person must agree."""
        found = _item(item_id, NO_CASE)
        wish = await self._wishes.read(request, Settlement)
        vote = await self._deps.settle_return(
            found,
            reason=wish.reason,
            evidence=wish.evidence,
            actor=actor_of(request),
            person=person_of(request),
        )
        word = "settling" if vote else vote.value
        return Json({"id": found, "status": word}, _status(vote))

    async def withdraw_settlement(self, request: Request, item_id: str) -> Json:
        """Take one's own vote on a returned payout back."""
        found = _item(item_id, NO_CASE)
        wish = await self._wishes.read(request, Withdrawing)
        await self._deps.withdraw_settlement(
            found,
            reason=wish.reason,
            actor=actor_of(request),
            person=person_of(request),
        )
        return Json({"id": found, "status": WITHDRAWN})

    async def close_case(self, request: Request, item_id: str) -> Json:
        """Close a case; 202: a second person must agree."""
        found = _item(item_id, NO_CASE)
        wish = await self._wishes.read(request, Closing)
        vote = await self._deps.close_case(
            found,
            reason=wish.reason,
            actor=actor_of(request),
            person=person_of(request),
        )
        word = "closed" if vote else vote.value
        return Json({"id": found, "status": word}, _status(vote))

    async def withdraw_closing(self, request: Request, item_id: str) -> Json:
        """Take one's own vote to close a case back."""
        found = _item(item_id, NO_CASE)
        wish = await self._wishes.read(request, Withdrawing)
        await self._deps.withdraw_closing(
            found,
            reason=wish.reason,
            actor=actor_of(request),
            person=person_of(request),
        )
        return Json({"id": found, "status": WITHDRAWN})

    async def dead_letters(
        self, limit: Limit = PAGE_SIZE, cursor: Cursor = None
    ) -> Json:
        """List the dead letters neither replayed nor discarded, newest first."""
        page = await self._deps.reads.dead_letters(
            limit=limit, cursor=checked_cursor(cursor)
        )
        shown = [dead_letter_view(letter) for letter in page.items]
        return Json({"dead_letters": shown, "next_cursor": page.next_cursor})

    async def replay(self, request: Request, item_id: str) -> Json:
        """Send a dead letter's message again; it is judged by the same rules."""
        found = _item(item_id, NO_LETTER)
        wish = await self._wishes.read_or_none(request, Replaying)
        reason = None if wish is None else wish.reason
        done = await self._deps.replay(found, reason=reason, actor=actor_of(request))
        return _settled(found, "replayed", NO_LETTER, done=done)

    async def discard(self, request: Request, item_id: str) -> Json:
        """Discard a dead letter; its task is still driven."""
        found = _item(item_id, NO_LETTER)
        wish = await self._wishes.read(request, Closing)
        done = await self._deps.discard(
            found, reason=wish.reason, actor=actor_of(request)
        )
        return _settled(found, "discarded", NO_LETTER, done=done)


class Steering:
    """Providers: shown, paused, put back; and what was done to the service."""

    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps
        self._wishes = Wishes(deps)

    async def providers(self) -> Json:
        """List the configured providers."""
        statuses = await self._deps.provider_statuses()
        return Json({"providers": [_provider_view(status) for status in statuses]})

    async def service_events(
        self, limit: Limit = PAGE_SIZE, cursor: Cursor = None
    ) -> Json:
        """List what was done to the service itself, newest first: who, and why."""
        page = await self._deps.reads.service_events(
            limit=limit, cursor=checked_cursor(cursor)
        )
        shown = [event_view(entry) for entry in page.items]
        return Json({"events": shown, "next_cursor": page.next_cursor})

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


def _status(vote: Vote) -> int:
    return 202 if vote is Vote.WAITS else 200


def _uuid(raw: str) -> str:
    found = segment(raw).lower()
    if not is_uuid(found):
        raise UnknownOrder(found)
    return found


def _item(raw: str, missing: str) -> str:
    found = segment(raw).lower()
    if not is_uuid(found):
        raise HTTPException(404, missing)
    return found


def _settled(item_id: str, word: str, missing: str, *, done: bool) -> Json:
    if not done:
        raise HTTPException(404, missing)
    return Json({"id": item_id, "status": word})


def _steered(name: str, word: str, *, done: bool) -> Json:
    if not done:
        raise HTTPException(404, NO_PROVIDER)
    return Json({"name": name, "status": word})


def _provider_view(status: ProviderStatus) -> View:
    because = {} if status.because is None else {"because": status.because}
    return {
        "name": status.name,
        "adapter": status.adapter,
        "state": status.state.value,
        "in_flight": status.in_flight,
        "success_rate": status.success_rate,
        **because,
    }


def routes(deps: ApiDeps) -> APIRouter:
    """Return the routes of the people who operate the service."""
    router = APIRouter(tags=["decisions"])
    add = Adding(router, deps)
    _add_deciding(add, Deciding(deps))
    _add_forgetting(add, Forgetting(deps))
    _add_items(add, Items(deps))
    _add_steering(add, Steering(deps), deps)
    return router


class Adding:
    """Adds routes that have all in common but a few words."""

    def __init__(self, router: APIRouter, deps: ApiDeps) -> None:
        self._router = router
        self._keys = deps.keys

    def get(
        self,
        path: str,
        call: Endpoint,
        shape: type[BaseModel],
        *roles: KeyRole,
    ) -> None:
        """Add a list, for viewers where no roles are said."""
        roles = roles or (KeyRole.VIEWER,)
        failures = problem(422, "A parameter is not as documented.")
        answers: Responses = {200: answer("As asked.", shape)}
        self._add("GET", path, call, roles, {**failures, **answers}, None)

    def post(
        self,
        path: str,
        call: Endpoint,
        answers: Responses,
        body: dict[str, Any],
        *roles: KeyRole,
    ) -> None:
        """Add a wish, of support where no roles are said."""
        missing = problem(404, "There is no such thing.")
        described = {**WITH_BODY, **missing, **answers}
        self._add("POST", path, call, roles or (KeyRole.SUPPORT,), described, body)

    def delete(self, path: str, call: Endpoint, shape: type[BaseModel]) -> None:
        """Add the taking back of a vote."""
        answers: Responses = {
            200: answer("Withdrawn.", shape),
            **problem(404, "There is no such thing."),
            **problem(409, "There is no vote of this person's."),
        }
        body = body_of("Withdrawing")
        roles = (KeyRole.SUPPORT,)
        self._add("DELETE", path, call, roles, {**WITH_BODY, **answers}, body)

    def _add(
        self,
        method: str,
        path: str,
        call: Endpoint,
        roles: Sequence[KeyRole],
        answers: Responses,
        body: dict[str, Any] | None,
    ) -> None:
        self._router.add_api_route(
            path,
            call,
            methods=[method],
            status_code=min(s for s in answers if isinstance(s, int)),
            response_model=None,
            response_class=Json,
            dependencies=[Depends(Guard(self._keys, *roles))],
            summary=(call.__doc__ or "").strip() or None,
            description=f"Role: {' or '.join(roles)}.",
            openapi_extra=body,
            responses={**GUARDED, **answers},
        )


def _add_deciding(add: Adding, deciding: Deciding) -> None:
    not_now = problem(409, "The present state does not allow it.")
    asked: Responses = {202: answer("Asked for.", TaskAnswer), **not_now}
    add.post(
        "/v1/tasks/{task_id}/resolution",
        deciding.resolve,
        {
            200: answer("Recorded, or the first vote cleared.", TaskAnswer),
            202: answer("It waits for a second person.", TaskAnswer),
            **not_now,
        },
        body_of("Resolution"),
    )
    add.delete("/v1/tasks/{task_id}/resolution", deciding.withdraw, TaskAnswer)
    cancelling = body_of("Cancellation")
    add.post("/v1/tasks/{task_id}/cancel", deciding.cancel_task, asked, cancelling)
    add.post(
        "/v1/orders/{order}/cancel",
        deciding.cancel_order,
        {**asked, 202: answer("Asked for.", OrderAnswer)},
        cancelling,
        KeyRole.SUPPORT,
        KeyRole.UPSTREAM,
    )


def _add_forgetting(add: Adding, forgetting: Forgetting) -> None:
    not_now = problem(409, "It is under way, or something about it is open.")
    erasing = body_of("Erasing")
    add.post(
        "/v1/orders/{order}/erase",
        forgetting.erase_order,
        {200: answer("Erased, now or before.", OrderAnswer), **not_now},
        erasing,
        KeyRole.ADMIN,
    )
    add.post(
        "/v1/customers/{customer}/erase",
        forgetting.erase_customer,
        {200: answer("What was erased, and what was not.", ErasedShape)},
        erasing,
        KeyRole.ADMIN,
    )


def _add_items(add: Adding, items: Items) -> None:
    done: Responses = {
        200: answer("Done.", ItemAnswer),
        **problem(409, "Somebody has done so before."),
    }
    add.get("/v1/cases", items.cases, CasesShape)
    closing = body_of("Closing")
    two: Responses = {**done, 202: answer("It waits for a second person.", ItemAnswer)}
    add.post("/v1/cases/{item_id}/close", items.close_case, two, closing)
    add.delete("/v1/cases/{item_id}/close", items.withdraw_closing, ItemAnswer)
    add.post(
        "/v1/cases/{item_id}/assign", items.assign_case, done, body_of("Assignment")
    )
    add.post(
        "/v1/cases/{item_id}/settle",
        items.settle_case,
        two,
        body_of("Settlement"),
    )
    add.delete("/v1/cases/{item_id}/settle", items.withdraw_settlement, ItemAnswer)
    add.get("/v1/dead-letters", items.dead_letters, DeadLettersShape)
    replaying = body_of("Replaying", required=False)
    add.post("/v1/dead-letters/{item_id}/replay", items.replay, done, replaying)
    add.post("/v1/dead-letters/{item_id}/discard", items.discard, done, closing)


def _add_steering(add: Adding, steering: Steering, deps: ApiDeps) -> None:
    add.get("/v1/providers", steering.providers, ProvidersShape)
    add.get("/v1/service-events", steering.service_events, ServiceEventsShape)
    done: Responses = {200: answer("Done.", ProviderAnswer)}
    if deps.pause is not None:
        call = steering.pausing(deps.pause)
        body = body_of("Pausing")
        add.post("/v1/providers/{name}/pause", call, done, body, KeyRole.ADMIN)
    if deps.resume is not None:
        call = steering.resuming(deps.resume)
        body = body_of("Replaying", required=False)
        add.post("/v1/providers/{name}/resume", call, done, body, KeyRole.ADMIN)
