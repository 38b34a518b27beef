"""Keys over HTTP: listed, made, agreed to and revoked, by admins alone."""

from datetime import date

from starlette.requests import Request

from fsm.domain.errors import InvalidRequest, UnknownOrder
from fsm.domain.keys import ApiKey, KeyRole, is_key_name, require_merchants
from handlers.people import NO_REASON, hash_of, new_secret
from payment_service.api.auth import admin_of
from payment_service.api.bodies import ModelReader
from payment_service.api.deps import ApiDeps, PeopleOperations
from payment_service.api.openapi import Responses, answer, body_of, problem
from payment_service.api.params import (
    PAGE_SIZE,
    Cursor,
    Limit,
    checked_cursor,
    handed_out,
    segment,
)
from payment_service.api.responses import Json
from payment_service.api.routing import Routes
from payment_service.api.schemas import KeyWish, Replaying, Revoking
from payment_service.wire.people_shapes import KeyAnswer, KeysShape
from payment_service.wire.people_views import made_key_view


class Keys:
    """The keys: listed, made, agreed to and revoked."""

    def __init__(self, deps: ApiDeps, people: PeopleOperations) -> None:
        self._wishes = ModelReader(deps.body_time_limit)
        self._people = people

    async def list_keys(
        self, request: Request, limit: Limit = PAGE_SIZE, cursor: Cursor = None
    ) -> Json:
        """List the keys by name, those of the environment too; never a key itself."""
        after = checked_cursor(request, cursor) or ""
        found = [v for v in await self._people.keys() if v["name"] > after]
        page = found[:limit]
        more = page[-1]["name"] if len(found) > limit else None
        told: KeysShape = {"keys": page, "next_cursor": handed_out(request, more)}
        return Json(told)

    async def create_key(self, request: Request) -> Json:
        """Make a key, told once; 202: a second admin must agree before it is taken."""
        wish = await self._wishes.read(request, KeyWish)
        secret = new_secret() if wish.sha256 is None else None
        key = _wanted(wish, secret)
        reason = wish.reason or NO_REASON
        record = await self._people.make_key(key, by=admin_of(request), reason=reason)
        told = made_key_view(record, secret=secret)
        return Json(told, 202 if record.waits else 200)

    async def agree_to_key(self, request: Request, name: str) -> Json:
        """Agree to a key that another admin has made."""
        wish = await self._wishes.read_or_none(request, Replaying)
        reason = (wish and wish.reason) or NO_REASON
        record = await self._people.agree_to_key(
            _name(name), by=admin_of(request), reason=reason
        )
        return Json(made_key_view(record))

    async def revoke_key(self, request: Request, name: str) -> Json:
        """End a key for good."""
        wish = await self._wishes.read(request, Revoking)
        record = await self._people.revoke_key(
            _name(name), by=admin_of(request), reason=wish.reason
        )
        return Json(made_key_view(record))


def _wanted(wish: KeyWish, secret: str | None) -> ApiKey:
    role = KeyRole(wish.role)
    try:
        require_merchants(role, wish.merchants)
    except ValueError as wrong:
        told = f"the key {wrong}"
        raise InvalidRequest.of_field("merchants", detail=told) from None
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


def routes(deps: ApiDeps, people: PeopleOperations) -> Routes:
    """Return the routes of admins."""
    add, keys = Routes("people", deps), Keys(deps, people)
    done: Responses = {
        200: answer("Done.", KeyAnswer),
        **problem(409, "The present state does not allow it."),
    }
    made: Responses = {
        200: answer("Made: the key is told now, and never again.", KeyAnswer),
        202: answer("It waits for a second admin; the key is told now.", KeyAnswer),
        **problem(409, "The name, or the key, is taken."),
    }
    add.get("/v1/keys", keys.list_keys, KeysShape, KeyRole.ADMIN)
    add.post("/v1/keys", keys.create_key, made, body_of("KeyWish"), KeyRole.ADMIN)
    agreeing = body_of("Replaying", required=False)
    add.post("/v1/keys/{name}/agree", keys.agree_to_key, done, agreeing, KeyRole.ADMIN)
    revoking = body_of("Revoking")
    add.post("/v1/keys/{name}/revoke", keys.revoke_key, done, revoking, KeyRole.ADMIN)
    return add
