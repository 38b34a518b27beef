"""Keys and thresholds: shown, made, revoked and set, by admins alone."""

from datetime import date
from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.requests import Request

from fsm.domain.errors import InvalidRequest, UnknownOrder
from fsm.domain.keys import ApiKey, KeyRole, is_key_name, require_merchants
from fsm.domain.roster import DEFAULT
from handlers.people import NO_REASON, Admin, hash_of, new_secret
from payment_service.api.auth import actor_of, key_of, person_of
from payment_service.api.decisions import Adding, Wishes
from payment_service.api.deps import ApiDeps, PeopleDesk
from payment_service.api.documents import (
    FourEyesShape,
    KeyAnswer,
    KeysShape,
    Responses,
    ThresholdAnswer,
    answer,
    body_of,
    problem,
)
from payment_service.api.orders import PAGE_SIZE, Limit
from payment_service.api.requests import segment
from payment_service.api.responses import Json
from payment_service.api.wishes import KeyWish, Replaying, Revoking, ThresholdWish
from payment_service.wire.people_views import four_eyes_view, made_key_view
from payment_service.wire.views import View

After = Annotated[str | None, Query(alias="cursor", max_length=64)]
FLOOR: Final = "PAYMENT_FOUR_EYES_FROM asks two from {} on, whatever is set here"


class Keys:
    """The keys: listed, made, agreed to and revoked."""

    def __init__(self, deps: ApiDeps, desk: PeopleDesk) -> None:
        self._wishes = Wishes(deps)
        self._desk = desk

    async def list(self, limit: Limit = PAGE_SIZE, cursor: After = None) -> Json:
        """List the keys by name, those of the environment too; never a key itself."""
        found = [v for v in await self._desk.keys() if v["name"] > (cursor or "")]
        page = found[:limit]
        more = page[-1]["name"] if len(found) > limit else None
        return Json({"keys": page, "next_cursor": more})

    async def make(self, request: Request) -> Json:
        """Make a key, told once; 202: a second admin must agree before it is taken."""
        wish = await self._wishes.read(request, KeyWish)
        secret = new_secret() if wish.sha256 is None else None
        key = _wanted(wish, secret)
        reason = wish.reason or NO_REASON
        record = await self._desk.make_key(key, by=_admin(request), reason=reason)
        told = made_key_view(record) | ({} if secret is None else {"key": secret})
        return Json(told, 202 if record.waits else 200)

    async def agree(self, request: Request, name: str) -> Json:
        """Agree to a key that another admin has made."""
        wish = await self._wishes.read_or_none(request, Replaying)
        reason = (wish and wish.reason) or NO_REASON
        record = await self._desk.agree_to_key(
            _name(name), by=_admin(request), reason=reason
        )
        return Json(made_key_view(record))

    async def revoke(self, request: Request, name: str) -> Json:
        """End a key for good."""
        wish = await self._wishes.read(request, Revoking)
        record = await self._desk.revoke_key(
            _name(name), by=_admin(request), reason=wish.reason
        )
        return Json(made_key_view(record))


class Thresholds:
    """From which amounts two decide: shown and set."""

    def __init__(self, deps: ApiDeps, desk: PeopleDesk) -> None:
        self._wishes = Wishes(deps)
        self._desk = desk

    async def show(self) -> Json:
        """Show from which amounts two decide, and what waits for a second admin."""
        return Json(four_eyes_view(*await self._desk.thresholds()))

    async def set(self, request: Request) -> Json:
        """Set an amount; 202: a second admin must agree to what asks two less often."""
        wish = await self._wishes.read(request, ThresholdWish)
        currency = wish.currency or DEFAULT
        threshold = await self._desk.set_threshold(
            currency, wish.from_, by=_admin(request), reason=wish.reason
        )
        four_eyes, _ = await self._desk.thresholds()
        waits = threshold.proposal is not None
        told: View = {
            "currency": currency,
            "from": wish.from_,
            "effective": four_eyes.begins_at(currency),
            "status": "waits_for_second_person" if waits else "recorded",
        }
        floor = four_eyes.floor
        if floor is not None and (wish.from_ is None or wish.from_ > floor):
            told["note"] = FLOOR.format(floor)
        return Json(told, 202 if waits else 200)


def _admin(request: Request) -> Admin:
    return Admin(
        actor=actor_of(request),
        person=person_of(request),
        expires=key_of(request).expires,
    )


def _wanted(wish: KeyWish, secret: str | None) -> ApiKey:
    role = KeyRole(wish.role)
    try:
        require_merchants(role, wish.merchants)
    except ValueError as wrong:
        raise InvalidRequest(f"merchants: the key {wrong}") from None
    return ApiKey(
        wish.name,
        role,
        bytes.fromhex(wish.sha256 or "") if secret is None else hash_of(secret),
        person=wish.person,
        merchants=None if wish.merchants is None else frozenset(wish.merchants),
        expires=None if wish.expires is None else date.fromisoformat(wish.expires),
    )


def _name(raw: str) -> str:
    found = segment(raw)
    if not is_key_name(found):
        raise UnknownOrder(found, "key")
    return found


def routes(deps: ApiDeps, desk: PeopleDesk) -> APIRouter:
    """Return the routes of who decides who may decide."""
    router = APIRouter(tags=["people"])
    add = Adding(router, deps)
    _add_keys(add, Keys(deps, desk))
    _add_thresholds(add, Thresholds(deps, desk))
    return router


def _add_keys(add: Adding, keys: Keys) -> None:
    done = _done(answer("Done.", KeyAnswer))
    made: Responses = {
        200: answer("Made: the key is told now, and never again.", KeyAnswer),
        202: answer("It waits for a second admin; the key is told now.", KeyAnswer),
        **problem(409, "The name, or the key, is taken."),
    }
    add.get("/v1/keys", keys.list, KeysShape, KeyRole.ADMIN)
    add.post("/v1/keys", keys.make, made, body_of("KeyWish"), KeyRole.ADMIN)
    agreeing = body_of("Replaying", required=False)
    add.post("/v1/keys/{name}/agree", keys.agree, done, agreeing, KeyRole.ADMIN)
    revoking = body_of("Revoking")
    add.post("/v1/keys/{name}/revoke", keys.revoke, done, revoking, KeyRole.ADMIN)


def _add_thresholds(add: Adding, thresholds: Thresholds) -> None:
    set_: Responses = {
        **_done(answer("Set.", ThresholdAnswer)),
        202: answer("It waits for a second admin.", ThresholdAnswer),
    }
    add.get("/v1/four-eyes", thresholds.show, FourEyesShape, KeyRole.ADMIN)
    body = body_of("ThresholdWish")
    add.post("/v1/four-eyes", thresholds.set, set_, body, KeyRole.ADMIN)


def _done(success: dict[str, object]) -> Responses:
    return {200: success, **problem(409, "The present state does not allow it.")}
